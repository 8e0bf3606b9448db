"""Every scan that a person may see, newest first, in pages that begin below an id. One line per scan, no images."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, Scan, Site, Subject, Technician, Visit
from core.store.calibration_mode import hidden_scans, is_model_shown
from core.store.example import FIRST_REACH
from core.store.newest import last_scan, newest, newest_at_sites, within
from core.store.scan_filter import ScanFilter, filter_conditions
from core.vocabulary import Laterality, ScanState, Slab, Verdict


@dataclass(frozen=True, slots=True)
class ScanLine:
    """One scan. ``model_ordinal`` is the newest assessment's grade and None where it is not scored."""

    scan_id: int
    version: int
    state: ScanState
    final_verdict: Verdict | None
    human_ordinal: int | None
    model_ordinal: int | None
    is_abstained: bool | None
    study_id: int
    site_id: int
    site_code: str
    device_id: int
    device_code: str
    software_version: str
    technician_code: str | None
    subject_code: str
    visit_code: str
    acquisition_id: int
    acquisition_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    acquired_at: datetime
    replaces_id: int | None
    """The acquisition that this one was taken again for."""


@dataclass(frozen=True, slots=True)
class ScanLines:
    """One page of the list. The next begins below ``next_id``; None: there is none.

    A page may be short, or even empty, and yet go on: where few scans are as asked for, each page looks through a
    bounded number of them.
    """

    items: tuple[ScanLine, ...]
    next_id: int | None


MOST_REACH = 8_000
"""So many scans one page looks through at most: a tenth of a second at any size of the programme."""


def read_scan_list(
    session: Session,
    chosen: ScanFilter,
    *,
    state: ScanState | None = None,
    ordinal: int | None = None,
    before_id: int | None = None,
    limit: int,
) -> ScanLines:
    """At most ``limit`` scans with ids below ``before_id``, in one state and of one final grade where asked."""
    conditions = filter_conditions(chosen)
    if state is not None:
        conditions.append(Scan.state == state.value)
    if ordinal is not None:
        # Who may not know a grade yet must not find it out by asking for it.
        conditions += [func.coalesce(Scan.human_ordinal, Assessment.grade_ordinal) == ordinal, is_model_shown()]
    last = session.scalar(last_scan(chosen)) or 0
    last = last if before_id is None else min(last, before_id - 1)

    reached = [last]

    def ask(oldest: int, latest: int) -> list[int]:
        reached.append(oldest)
        return list(session.scalars(_newest_within((oldest, latest), chosen, conditions, limit + 1)))

    found = newest(last, ask, n=limit + 1, first_reach=FIRST_REACH, most_reach=MOST_REACH)
    ids = found[:limit]
    rows = session.execute(_LINES.where(Scan.id.in_(ids)).order_by(Scan.id.desc()))
    hidden = hidden_scans(session, ids)
    items = tuple(_without_model(line) if line.scan_id in hidden else line for line in map(_line, rows))
    if len(found) > limit:
        return ScanLines(items, ids[-1])
    return ScanLines(items, reached[-1] + 1 if reached[-1] > 0 else None)


def _without_model(line: ScanLine) -> ScanLine:
    return replace(line, final_verdict=None, human_ordinal=None, model_ordinal=None, is_abstained=None)


def _newest_within(
    borders: tuple[int, int], chosen: ScanFilter, conditions: list[ColumnElement[bool]], limit: int
) -> Select[int]:
    scans = (
        select(Scan.id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(*within(Scan.id, borders), *conditions)
    )
    return newest_at_sites(scans, chosen, limit)


_LINES = (
    select(
        Scan.id,
        Scan.version,
        Scan.state,
        Scan.final_verdict,
        Scan.human_ordinal,
        Scan.slab,
        Assessment.grade_ordinal,
        Assessment.is_abstained,
        Site.study_id,
        Site.id.label("site_id"),
        Site.code.label("site_code"),
        Acquisition.device_id,
        Device.code.label("device_code"),
        Technician.code.label("technician_code"),
        Subject.code.label("subject_code"),
        Visit.code.label("visit_code"),
        Acquisition.id.label("acquisition_id"),
        Acquisition.code.label("acquisition_code"),
        Acquisition.software_version,
        Acquisition.laterality,
        Acquisition.scan_type,
        Acquisition.acquired_at,
        Acquisition.replaces_id,
    )
    .join(Acquisition, Acquisition.id == Scan.acquisition_id)
    .join(Site, Site.id == Scan.site_id)
    .join(Device, Device.id == Acquisition.device_id)
    .join(Subject, Subject.id == Acquisition.subject_id)
    .join(Visit, Visit.id == Acquisition.visit_id)
    .outerjoin(Technician, Technician.id == Acquisition.technician_id)
    .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
)


def _line(row: Row[*tuple[Any, ...]]) -> ScanLine:
    given = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own name of a row as a mapping
    return ScanLine(
        scan_id=given.pop("id"),
        state=ScanState(given.pop("state")),
        final_verdict=Verdict(row.final_verdict) if given.pop("final_verdict") else None,
        model_ordinal=given.pop("grade_ordinal"),
        laterality=Laterality(given.pop("laterality")),
        slab=Slab(given.pop("slab")),
        **given,
    )
