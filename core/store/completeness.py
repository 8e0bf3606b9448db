"""What each visit should have brought and what became of it: received, gradable, missing, not possible. Reads only.

How much was received is counted by the running sums (``final_received``), what is missing by an index of its own, so no
question walks the slots. Device-test phantoms are outside.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, distinct, func, or_, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, ExpectedScan, ReacquisitionRequest, Scan, Site, Study, Subject, Visit
from core.store.cell_count import read_cell_counts
from core.store.rate_sum import Grain
from core.store.reacquisition import ENDED
from core.store.scan_filter import ScanFilter
from core.vocabulary import Laterality, RateMeasure, RequestState


class SlotState(StrEnum):
    """What became of one expected scan."""

    GRADABLE = "gradable"
    """A capture of it is gradable, the first or one taken again."""
    WAITING = "waiting"
    """Received, and not decided yet."""
    REQUESTED = "requested"
    """Received, and to be taken again."""
    UNGRADABLE = "ungradable"
    """Received and ungradable; no new capture is asked for."""
    NOT_POSSIBLE = "not possible"
    """Received and ungradable, and a new capture was given up with a reason."""
    MISSING = "missing"
    """Nothing was received."""


@dataclass(frozen=True, slots=True)
class SlotCell:
    """One expected scan. ``scan_id`` is a scan of its newest capture; None where there is none."""

    slot_id: int
    laterality: Laterality
    scan_type: str
    state: SlotState
    scan_id: int | None


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit with everything that is expected of it, by type and eye."""

    visit_id: int
    site_id: int
    site_code: str
    subject_code: str
    visit_code: str
    window_ends_on: date | None
    slots: tuple[SlotCell, ...]
    planned_on: date | None = None
    """None: nobody planned it; its first scan made it known."""
    called_off_reason: str = ""
    """Why it does not take place; empty: it does."""

    def is_due(self, today: date) -> bool:
        """Whether what has not arrived is missing: not before the planned day, and never once it was called off."""
        return not self.called_off_reason and (self.planned_on is None or self.planned_on <= today)

    def is_window_open(self, today: date) -> bool:
        """Whether what is missing can still be taken; always, where the protocol sets no window."""
        return self.window_ends_on is None or today <= self.window_ends_on

    @property
    def n_received(self) -> int:
        """Slots of which anything arrived."""
        return sum(slot.state is not SlotState.MISSING for slot in self.slots)


@dataclass(frozen=True, slots=True)
class VisitPage:
    """A page of visits. ``total`` is None where counting them all would walk them all."""

    visits: tuple[VisitRow, ...]
    total: int | None


@dataclass(frozen=True, slots=True)
class SiteCompleteness:
    """What a site received of what was expected of it, in slots."""

    site_id: int
    study_id: int
    study_code: str
    site_code: str
    site_name: str
    n_received: int
    n_missing_open: int
    """Missing, and the window of the visit is still open."""
    n_missing_closed: int

    @property
    def n_expected(self) -> int:
        """Received or missing."""
        return self.n_received + self.n_missing_open + self.n_missing_closed


def read_completeness(session: Session, chosen: ScanFilter, *, today: date) -> tuple[SiteCompleteness, ...]:
    """Every site under the filter's study and site, by code; of all time: what is missing has no day of its own."""
    asked = ScanFilter(study_id=chosen.study_id, site_id=chosen.site_id)
    received = defaultdict[int, int](int)
    for count in read_cell_counts(session, asked, Grain.SITE, [RateMeasure.FINAL_RECEIVED]):
        received[count.place.site_id] += count.n
    is_open = or_(Visit.window_ends_on.is_(None), Visit.window_ends_on >= today)
    missing = {
        row.site_id: row
        for row in session.execute(
            select(
                ExpectedScan.site_id,
                func.count().filter(is_open).label("n_open"),
                func.count().filter(~is_open).label("n_closed"),
            )
            .join(Visit, Visit.id == ExpectedScan.visit_id)
            .where(ExpectedScan.first_received_at.is_(None), _is_due(today), *_of_site(ExpectedScan.site_id, asked))
            .group_by(ExpectedScan.site_id)
        )
    }
    sites = session.execute(
        select(Site.id, Study.id.label("study_id"), Study.code, Site.code, Site.name)
        .join(Study, Study.id == Site.study_id)
        .where(*_of_site(Site.id, asked))
        .order_by(Study.code, Site.code)
    )
    return tuple(
        SiteCompleteness(
            *site, received[site.id], missing[site.id].n_open if site.id in missing else 0,
            missing[site.id].n_closed if site.id in missing else 0,
        )
        for site in sites
    )  # fmt: skip


def read_visits_with_gaps(session: Session, chosen: ScanFilter, *, today: date, page: int, page_size: int) -> VisitPage:
    """Visits of which something is missing: first those whose window is open, the soonest to close ahead."""
    gaps = (
        select(ExpectedScan.visit_id)
        .where(ExpectedScan.first_received_at.is_(None), *_of_site(ExpectedScan.site_id, chosen))
        .distinct()
    )
    is_closed = case((Visit.window_ends_on < today, 1), else_=0)
    ids = session.scalars(
        select(Visit.id)
        .where(Visit.id.in_(gaps), _is_due(today))
        .order_by(is_closed, Visit.window_ends_on.asc().nulls_last(), Visit.id)
        .offset(page * page_size)
        .limit(page_size)
    ).all()
    total = session.scalars(
        select(func.count(distinct(ExpectedScan.visit_id)))
        .join(Visit, Visit.id == ExpectedScan.visit_id)
        .where(ExpectedScan.first_received_at.is_(None), _is_due(today), *_of_site(ExpectedScan.site_id, chosen))
    ).one()
    return VisitPage(read_visits(session, ids), total)


def read_planned_visits(session: Session, chosen: ScanFilter, *, today: date, page: int, page_size: int) -> VisitPage:
    """Visits whose planned day is today or later, called off or not, the next one first."""
    wanted = (Visit.planned_on >= today, *_of_site(Visit.site_id, chosen))
    ids = session.scalars(
        select(Visit.id).where(*wanted).order_by(Visit.planned_on, Visit.id).offset(page * page_size).limit(page_size)
    ).all()
    total = session.scalars(select(func.count()).select_from(Visit).where(*wanted)).one()
    return VisitPage(read_visits(session, ids), total)


def _is_due(today: date) -> ColumnElement[bool]:
    """VisitRow.is_due as a condition."""
    return and_(Visit.called_off_at.is_(None), or_(Visit.planned_on.is_(None), Visit.planned_on <= today))


def read_latest_visits(session: Session, chosen: ScanFilter, *, page: int, page_size: int) -> VisitPage:
    """All visits, the newest first."""
    ids = session.scalars(
        select(Visit.id)
        .where(*_of_site(Visit.site_id, chosen))
        .order_by(Visit.id.desc())
        .offset(page * page_size)
        .limit(page_size)
    ).all()
    return VisitPage(read_visits(session, ids), None)


def read_visits(session: Session, visit_ids: Sequence[int]) -> tuple[VisitRow, ...]:
    """These visits with their slots, in the order of the ids."""
    rows = {
        row.id: row
        for row in session.execute(
            select(
                Visit.id, Visit.site_id, Site.code.label("site_code"), Subject.code.label("subject_code"),
                Visit.code.label("visit_code"), Visit.window_ends_on, Visit.planned_on, Visit.called_off_reason,
            )
            .join(Subject, Subject.id == Visit.subject_id)
            .join(Site, Site.id == Visit.site_id)
            .where(Visit.id.in_(visit_ids))
        )
    }  # fmt: skip
    slots = _slots(session, visit_ids)
    return tuple(
        VisitRow(
            row.id, row.site_id, row.site_code, row.subject_code, row.visit_code, row.window_ends_on,
            tuple(slots[row.id]), row.planned_on, row.called_off_reason,
        )
        for row in (rows[id_] for id_ in visit_ids if id_ in rows)
    )  # fmt: skip


def _slots(session: Session, visit_ids: Sequence[int]) -> dict[int, list[SlotCell]]:
    rows = session.execute(
        select(
            ExpectedScan.id, ExpectedScan.visit_id, ExpectedScan.laterality, ExpectedScan.scan_type,
            ExpectedScan.first_received_at, Acquisition.id.label("acquisition_id"), Acquisition.is_counted_decided,
            Acquisition.is_counted_gradable,
        )
        .outerjoin(
            Acquisition, (Acquisition.expected_scan_id == ExpectedScan.id) & Acquisition.is_phantom.is_(False)
        )
        .where(ExpectedScan.visit_id.in_(visit_ids))
        .order_by(ExpectedScan.scan_type, ExpectedScan.laterality, ExpectedScan.id, Acquisition.id)
    ).all()  # fmt: skip
    captures = [row.acquisition_id for row in rows if row.acquisition_id is not None]
    requests, scans = _requests(session, captures), _scans(session, captures)
    by_slot: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        if row.acquisition_id is not None or row.first_received_at is None:  # else nothing but phantoms arrived
            by_slot[row.id].append(row)
    cells: dict[int, list[SlotCell]] = defaultdict(list)
    for slot_id, found in by_slot.items():
        first, last = found[0], found[-1]
        cells[first.visit_id].append(
            SlotCell(
                slot_id, Laterality(first.laterality), first.scan_type, _state(found, requests),
                scans.get(last.acquisition_id),
            )
        )  # fmt: skip
    return cells


def _state(captures: Sequence[Any], requests: dict[int, list[RequestState]]) -> SlotState:
    """What became of a slot, by its captures and their requests."""
    if captures[0].acquisition_id is None:
        return SlotState.MISSING
    if any(capture.is_counted_gradable for capture in captures):
        return SlotState.GRADABLE
    asked = [state for capture in captures for state in requests.get(capture.acquisition_id, ())]
    if any(state not in ENDED for state in asked):
        return SlotState.REQUESTED
    if RequestState.NOT_POSSIBLE in asked:
        return SlotState.NOT_POSSIBLE
    return SlotState.UNGRADABLE if captures[-1].is_counted_decided else SlotState.WAITING


def _requests(session: Session, acquisition_ids: Sequence[int]) -> dict[int, list[RequestState]]:
    rows = session.execute(
        select(ReacquisitionRequest.acquisition_id, ReacquisitionRequest.state).where(
            ReacquisitionRequest.acquisition_id.in_(acquisition_ids)
        )
    )
    found: dict[int, list[RequestState]] = defaultdict(list)
    for row in rows:
        found[row.acquisition_id].append(RequestState(row.state))
    return found


def _scans(session: Session, acquisition_ids: Sequence[int]) -> dict[int, int]:
    """A scan of each capture."""
    rows = session.execute(
        select(Scan.acquisition_id, func.min(Scan.id).label("first"))
        .where(Scan.acquisition_id.in_(acquisition_ids))
        .group_by(Scan.acquisition_id)
    )
    return {row.acquisition_id: row.first for row in rows}


def _of_site(column: Any, chosen: ScanFilter) -> Iterable[ColumnElement[bool]]:
    """The filter's site or study as a condition on a column of site ids."""
    if chosen.site_id is not None:
        yield column == chosen.site_id
    if chosen.study_id is not None:
        yield column.in_(select(Site.id).where(Site.study_id == chosen.study_id))


@dataclass(frozen=True, slots=True)
class MissingSlot:
    """An expected scan of which nothing was received: what an upload of it can be filled in with."""

    slot_id: int
    site_id: int
    subject_code: str
    visit_code: str
    laterality: Laterality
    scan_type: str


def find_missing_slot(session: Session, slot_id: int) -> MissingSlot | None:
    """The slot; None where there is none in sight of which nothing was received."""
    row = session.execute(
        select(
            ExpectedScan.id, ExpectedScan.site_id, Subject.code.label("subject"), Visit.code.label("visit"),
            ExpectedScan.laterality, ExpectedScan.scan_type,
        )
        .join(Visit, Visit.id == ExpectedScan.visit_id)
        .join(Subject, Subject.id == Visit.subject_id)
        .where(ExpectedScan.id == slot_id, ExpectedScan.first_received_at.is_(None))
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    return MissingSlot(row.id, row.site_id, row.subject, row.visit, Laterality(row.laterality), row.scan_type)
