"""Reacquisition requests as people follow them: a paged table, the course of one, and the times behind the figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select, text, true
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    ReacquisitionRequest,
    ReacquisitionStep,
    Scan,
    Site,
    Study,
    Subject,
    Technician,
    User,
    Visit,
)
from core.policy.reasons import REASON_TEXTS
from core.store.reacquisition import ANSWERED
from core.store.scan_filter import ScanFilter, day_start
from core.vocabulary import Laterality, ReasonCode, RequestState, Slab, StepKind

OWED = (RequestState.REQUESTED, RequestState.ACKNOWLEDGED, RequestState.SCHEDULED)
"""States in which the site has the next move."""
OPEN = (*OWED, *ANSWERED)

_R = ReacquisitionRequest


@dataclass(frozen=True, slots=True)
class TrackerFilter:
    """What the tracker is narrowed to beside the pages' common filter; empty means all."""

    states: tuple[RequestState, ...] = ()
    owner_id: int | None = None
    reason: ReasonCode | None = None
    only_overdue: bool = False


@dataclass(frozen=True, slots=True)
class TrackedRequest:
    """One request as the tracker shows it. ``round_number`` counts the requests of the same expected scan from 1."""

    id: int
    version: int
    state: RequestState
    study_id: int
    site_id: int
    study_code: str
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    scan_id: int
    acquisition_id: int
    expected_scan_id: int
    reason: ReasonCode
    text: str
    remedy: str
    due_on: date | None
    owner_id: int | None
    owner: str | None
    round_number: int
    n_rounds: int
    created_at: datetime
    received_at: datetime | None
    closed_at: datetime | None
    replacement_scan_id: int | None
    is_link_found: bool

    @property
    def is_owed(self) -> bool:
        """Whether the site has the next move."""
        return self.state in OWED

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in OPEN

    def days_left(self, today: date) -> int | None:
        """Days until the due day, negative once it has passed; None without one, and once the site has answered."""
        return (self.due_on - today).days if self.due_on is not None and self.is_owed else None

    @property
    def reason_words(self) -> str:
        """What the site was told, else the reason's usual words."""
        return self.text or REASON_TEXTS[self.reason].text


@dataclass(frozen=True, slots=True)
class TrackerPage:
    """One page of the table, how many it holds in all, and how many stand in each state."""

    items: tuple[TrackedRequest, ...]
    total: int
    by_state: dict[RequestState, int]
    n_overdue: int


@dataclass(frozen=True, slots=True)
class CourseStep:
    """One step of a request; ``who`` is None for the program."""

    request_id: int
    number: int
    kind: StepKind
    state: RequestState
    who: str | None
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    """A technician who could see to a request; ``user_id`` is the person's account, where there is one."""

    technician_id: int
    code: str
    name: str
    user_id: int | None


def read_tracker(
    session: Session,
    chosen: ScanFilter,
    wanted: TrackerFilter,
    *,
    today: date,
    page: int,
    page_size: int,
) -> TrackerPage:
    """Page ``page`` (from 0): what the site owes first, the soonest due on top; then answered ones; the ended last."""
    is_late = and_(_R.state.in_(OWED), _R.due_on < today)
    by_its_state = select(_R.state, func.count(), func.count().filter(is_late)).group_by(_R.state)
    counted = session.execute(_narrowed(by_its_state, chosen, wanted, today)).all()
    by_state = {RequestState(state): n for state, n, _ in counted}
    shown = [n for state, n in by_state.items() if not wanted.states or state in wanted.states]
    # First which requests these are, so that what is said of one is asked of these alone.
    ids = session.scalars(_listed(chosen, wanted, today).offset(page * page_size).limit(page_size)).all()
    items = _in_order(ids, read_tracked(session, ids))
    return TrackerPage(items, sum(shown), by_state, sum(n_late for *_, n_late in counted))


def read_board(
    session: Session, chosen: ScanFilter, wanted: TrackerFilter, *, today: date, states: Sequence[RequestState], n: int
) -> dict[RequestState, tuple[TrackedRequest, ...]]:
    """The first ``n`` of each state, as the board shows them: the soonest due, of ended ones the last."""
    ids = {
        state: session.scalars(_listed(chosen, replace(wanted, states=(state,)), today).limit(n)).all()
        for state in states
    }
    found = read_tracked(session, [id_ for listed in ids.values() for id_ in listed])
    return {state: _in_order(listed, found) for state, listed in ids.items()}


def read_tracked(session: Session, request_ids: Iterable[int]) -> dict[int, TrackedRequest]:
    """These requests, those of them that the session's person may see."""
    ids = tuple(request_ids)
    return {item.id: item for item in _items(session, _rows().where(_R.id.in_(ids)))} if ids else {}


def _in_order(ids: Iterable[int], found: Mapping[int, TrackedRequest]) -> tuple[TrackedRequest, ...]:
    return tuple(found[id_] for id_ in ids if id_ in found)


def read_rounds(session: Session, expected_scan_id: int) -> tuple[TrackedRequest, ...]:
    """Every request of an expected scan, the first round first."""
    return _items(session, _rows().where(Acquisition.expected_scan_id == expected_scan_id).order_by(_R.id))


def read_course(session: Session, request_ids: Iterable[int]) -> tuple[CourseStep, ...]:
    """The steps of these requests, oldest first."""
    rows = session.execute(
        select(ReacquisitionStep, User.display_name)
        .outerjoin(User, User.id == ReacquisitionStep.actor_id)
        .where(ReacquisitionStep.request_id.in_(tuple(request_ids)))
        .order_by(ReacquisitionStep.created_at, ReacquisitionStep.id)
    )
    return tuple(
        CourseStep(
            step.request_id, step.number, StepKind(step.kind), RequestState(step.state), who, step.note, step.created_at
        )
        for step, who in rows
    )


def list_owners(session: Session, site_id: int) -> tuple[Owner, ...]:
    """The active technicians of a site, by code."""
    rows = session.execute(
        select(Technician.id, Technician.code, Technician.name, Technician.user_id)
        .where(Technician.site_id == site_id, Technician.deactivated_at.is_(None))
        .order_by(Technician.code)
    )
    return tuple(Owner(*row) for row in rows)


def _conditions(chosen: ScanFilter, wanted: TrackerFilter, today: date) -> list[ColumnElement[bool]]:
    """What both the table and its counts are narrowed by; the states narrow the table alone.

    The period leaves out what ended before it: what is open is listed whenever it was requested.
    """
    conditions = request_conditions(replace(chosen, since=None, until=None))
    if chosen.since is not None:
        # As its index has it: one range holds the open ones, too, which no time has closed.
        conditions.append(func.coalesce(_R.closed_at, text("'infinity'::timestamptz")) >= day_start(chosen.since))
    if wanted.owner_id is not None:
        conditions.append(_R.owner_id == wanted.owner_id)
    if wanted.reason is not None:
        conditions.append(_R.reason_code == wanted.reason)
    if wanted.only_overdue:
        conditions.append(and_(_R.state.in_(OWED), _R.due_on < today))
    return conditions


def request_conditions(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    """Conditions on the request and its capture; ``since`` and ``until`` ask when it was requested."""
    conditions: list[ColumnElement[bool]] = [_R.state != RequestState.WITHDRAWN]
    if chosen.site_id is not None:
        conditions.append(_R.site_id == chosen.site_id)
    elif chosen.study_id is not None:
        conditions.append(_R.site_id.in_(select(Site.id).where(Site.study_id == chosen.study_id)))
    if chosen.since is not None:
        conditions.append(_R.created_at >= day_start(chosen.since))
    if chosen.until is not None:
        conditions.append(_R.created_at < day_start(chosen.until))
    equal = (
        (Acquisition.device_id, chosen.device_id),
        (Acquisition.technician_id, chosen.technician_id),
        (Acquisition.scan_type, chosen.scan_type),
        (Acquisition.laterality, chosen.laterality),
    )
    return conditions + [column == value for column, value in equal if value is not None]


def _joined(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return statement.join(Acquisition, Acquisition.id == _R.acquisition_id)


def _narrowed(
    statement: Select[*tuple[Any, ...]], chosen: ScanFilter, wanted: TrackerFilter, today: date
) -> Select[*tuple[Any, ...]]:
    """Under the filters; joined to the captures only where a filter asks something of them."""
    asked = replace(chosen, since=None, until=None)
    statement = _joined(statement) if asked.asks_of_captures else statement.select_from(_R)
    return statement.where(*_conditions(chosen, wanted, today))


def _listed(chosen: ScanFilter, wanted: TrackerFilter, today: date) -> Select[int]:
    """The ids of the list, in its order."""
    statement: Select[int] = _narrowed(select(_R.id), chosen, wanted, today)
    if wanted.states:
        statement = statement.where(_R.state.in_(wanted.states))
    standing = case((_R.state.in_(OWED), 0), (_R.state.in_(ANSWERED), 1), else_=2)
    return statement.order_by(standing, _R.closed_at.desc().nulls_first(), _R.due_on.asc().nulls_last(), _R.id)


def _rows() -> Select[*tuple[Any, ...]]:
    earlier, its_capture = aliased(_R), aliased(Acquisition)
    rounds = (
        select(func.count().filter(earlier.id <= _R.id).label("number"), func.count().label("n"))
        .select_from(earlier)
        .join(its_capture, its_capture.id == earlier.acquisition_id)
        .where(its_capture.expected_scan_id == Acquisition.expected_scan_id, earlier.state != RequestState.WITHDRAWN)
        .correlate(_R, Acquisition)
        .lateral()
    )
    replacement = aliased(Scan)
    replacement_scan_id = (
        select(func.min(replacement.id)).where(replacement.acquisition_id == _R.replacement_id).scalar_subquery()
    )
    return (
        _joined(
            select(
                _R, Site.study_id, Study.code.label("study_code"), Site.code.label("site_code"),
                Subject.code.label("subject_code"), Visit.code.label("visit_code"), Acquisition.laterality,
                Acquisition.scan_type, Acquisition.expected_scan_id, Scan.slab, Technician.code.label("owner"),
                rounds.c.number.label("round_number"), rounds.c.n.label("n_rounds"),
                replacement_scan_id.label("replacement_scan_id"),
            )
        )
        .join(Scan, Scan.id == _R.scan_id)
        .join(Site, Site.id == _R.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(Technician, Technician.id == _R.owner_id)
        .join(rounds, true())
    )  # fmt: skip


def _items(session: Session, statement: Select[*tuple[Any, ...]]) -> tuple[TrackedRequest, ...]:
    return tuple(
        TrackedRequest(
            id=row.ReacquisitionRequest.id,
            version=row.ReacquisitionRequest.version,
            state=RequestState(row.ReacquisitionRequest.state),
            study_id=row.study_id,
            site_id=row.ReacquisitionRequest.site_id,
            study_code=row.study_code,
            site_code=row.site_code,
            subject_code=row.subject_code,
            visit_code=row.visit_code,
            laterality=Laterality(row.laterality),
            scan_type=row.scan_type,
            slab=Slab(row.slab),
            scan_id=row.ReacquisitionRequest.scan_id,
            acquisition_id=row.ReacquisitionRequest.acquisition_id,
            expected_scan_id=row.expected_scan_id,
            reason=ReasonCode(row.ReacquisitionRequest.reason_code),
            text=row.ReacquisitionRequest.text,
            remedy=row.ReacquisitionRequest.remedy,
            due_on=row.ReacquisitionRequest.due_on,
            owner_id=row.ReacquisitionRequest.owner_id,
            owner=row.owner,
            round_number=row.round_number,
            n_rounds=row.n_rounds,
            created_at=row.ReacquisitionRequest.created_at,
            received_at=row.ReacquisitionRequest.received_at,
            closed_at=row.ReacquisitionRequest.closed_at,
            replacement_scan_id=row.replacement_scan_id,
            is_link_found=row.ReacquisitionRequest.is_link_found,
        )
        for row in session.execute(statement)
    )


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """When a request was made, answered and ended, and where it belongs. ``slot_id`` is the expected scan."""

    request_id: int
    site_id: int
    subject_id: int
    slot_id: int
    state: RequestState
    requested_at: datetime
    received_at: datetime | None
    ended_at: datetime | None
    due_on: date | None


def read_times(session: Session, chosen: ScanFilter) -> tuple[RequestTimes, ...]:
    """The requests made in the period of ``chosen``, in order of their id."""
    rows = session.execute(
        _joined(
            select(
                _R.id, _R.site_id, Acquisition.subject_id, Acquisition.expected_scan_id, _R.state, _R.created_at,
                _R.received_at, _R.closed_at, _R.due_on,
            )
        )
        .where(*request_conditions(chosen))
        .order_by(_R.id)
    )  # fmt: skip
    return tuple(
        RequestTimes(id_, site_id, subject_id, slot_id, RequestState(state), *times)
        for id_, site_id, subject_id, slot_id, state, *times in rows
    )


def site_codes(session: Session, site_ids: Iterable[int]) -> dict[int, str]:
    """The codes of these sites."""
    return {row.id: row.code for row in session.execute(select(Site.id, Site.code).where(Site.id.in_(tuple(site_ids))))}
