"""How the scoring queue stands: how much waits for how long, what was scored, and which scans somebody must look at.

Everything is what the session's person may see, but for ``read_totals``, which counts all sites and names none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, text
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Batch, Device, Scan, Site, Study, Subject, Visit
from core.vocabulary import Laterality, ScanKind, ScanState, Slab

OPEN_STATES = (ScanState.QUEUED, ScanState.SCORING, ScanState.FAILED, ScanState.QUARANTINED)
STUCK_STATES = (ScanState.FAILED, ScanState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class LaneState:
    """How one lane's queue stands.

    Attributes
    ----------
    n_ready, n_postponed, n_scoring : int
        Waiting to be claimed; waiting for the pause after a failure to end; with a worker.
    n_tried : int
        Of these, those that an attempt was already spent on.
    oldest_at : datetime or None
        When the oldest of them was submitted; None where the queue is empty.
    n_scored_last_hour : int
        Scans scored within the last 60 minutes.
    """

    lane: ScanKind
    n_ready: int
    n_postponed: int
    n_scoring: int
    n_tried: int
    n_failed: int
    n_quarantined: int
    oldest_at: datetime | None
    n_scored_last_hour: int

    @property
    def n_waiting(self) -> int:
        """Ready or postponed."""
        return self.n_ready + self.n_postponed


@dataclass(frozen=True, slots=True)
class StuckScan:
    """A scan that could not be scored, with why."""

    scan_id: int
    state: ScanState
    failure: str
    attempts: int
    worker_losses: int
    study_id: int
    study_code: str
    site_id: int
    site_code: str
    subject_code: str
    visit_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class ScoredHour:
    """How many scans were scored in an hour of the clock."""

    started_at: datetime
    n_scored: int


def read_lanes(session: Session, *, study_id: int | None = None, site_id: int | None = None) -> tuple[LaneState, ...]:
    """The lanes that have an open scan, or had one scored within the hour, under this study and site."""
    came_at = func.coalesce(Batch.submitted_at, Batch.created_at)
    is_queued, is_scoring = Scan.state == ScanState.QUEUED, Scan.state == ScanState.SCORING
    is_postponed = and_(is_queued, Scan.not_before_at > func.now())
    spent = case((is_scoring, Scan.attempts - 1), else_=Scan.attempts)
    rows = session.execute(
        select(
            Scan.kind,
            _count(is_queued, or_(Scan.not_before_at.is_(None), Scan.not_before_at <= func.now())),
            _count(is_postponed),
            _count(is_scoring),
            _count(or_(is_queued, is_scoring), spent > 0),
            _count(Scan.state == ScanState.FAILED),
            _count(Scan.state == ScanState.QUARANTINED),
            func.min(came_at).filter(or_(is_queued, is_scoring)),
        )
        .join(Batch, Batch.id == Scan.batch_id)
        .where(Scan.state.in_(OPEN_STATES), *_within(Scan.site_id, study_id, site_id))
        .group_by(Scan.kind)
    ).all()
    scored = _scored_last_hour(session, study_id, site_id)
    lanes = {row[0]: LaneState(ScanKind(row[0]), *row[1:], n_scored_last_hour=scored.get(row[0], 0)) for row in rows}
    for lane, n in scored.items():
        lanes.setdefault(lane, LaneState(ScanKind(lane), 0, 0, 0, 0, 0, 0, None, n))
    return tuple(lanes[lane] for lane in sorted(lanes))


def read_totals(session: Session) -> tuple[LaneState, ...]:
    """The same over all sites, for /metrics: answers a session of nobody or of an administrator of every study."""
    names = ", ".join(field.name for field in fields(LaneState))
    rows = session.execute(text(f"select {names} from queue_totals() order by lane"))  # noqa: S608 - own field names
    return tuple(LaneState(ScanKind(row.lane), *row[1:]) for row in rows)


def read_scored_hours(
    session: Session, *, since: datetime, study_id: int | None = None, site_id: int | None = None
) -> tuple[ScoredHour, ...]:
    """Scans scored per hour since then, oldest first; hours without any are absent."""
    hour = func.date_trunc("hour", Assessment.scored_at)
    rows = session.execute(
        select(hour, func.count())
        .where(Assessment.scored_at >= since, *_within(Assessment.site_id, study_id, site_id))
        .group_by(hour)
        .order_by(hour)
    )
    return tuple(ScoredHour(started_at, n) for started_at, n in rows)


def read_stuck(
    session: Session,
    states: Sequence[ScanState],
    *,
    study_id: int | None = None,
    site_id: int | None = None,
    page: int = 0,
    page_size: int = 25,
) -> tuple[tuple[StuckScan, ...], int]:
    """One page of the scans in these states, oldest first, and how many there are in all."""
    wanted = (Scan.state.in_(states), *_within(Scan.site_id, study_id, site_id))
    total = session.scalar(select(func.count(Scan.id)).where(*wanted)) or 0
    rows = session.execute(_stuck().where(*wanted).order_by(Scan.id).limit(page_size).offset(page * page_size))
    return tuple(_stuck_scan(row) for row in rows), total


def _count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(*conditions)


def _within(column: Any, study_id: int | None, site_id: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if site_id is not None:
        conditions.append(column == site_id)
    elif study_id is not None:
        conditions.append(column.in_(select(Site.id).where(Site.study_id == study_id)))
    return conditions


def _scored_last_hour(session: Session, study_id: int | None, site_id: int | None) -> dict[str, int]:
    since = func.now() - text("interval '1 hour'")
    rows = session.execute(
        select(Scan.kind, func.count())
        .select_from(Assessment)
        .join(Scan, Scan.id == Assessment.scan_id)
        .where(Assessment.scored_at > since, *_within(Assessment.site_id, study_id, site_id))
        .group_by(Scan.kind)
    )
    return {kind: n for kind, n in rows}  # noqa: C416 - rows are no plain tuples


def _stuck() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Scan.id.label("scan_id"), Scan.state, func.coalesce(Scan.failure, "").label("failure"), Scan.attempts,
            Scan.worker_losses, Study.id.label("study_id"), Study.code.label("study_code"), Scan.site_id,
            Site.code.label("site_code"), Subject.code.label("subject_code"), Visit.code.label("visit_code"),
            Device.code.label("device_code"), Acquisition.laterality, Scan.slab,
            func.coalesce(Batch.submitted_at, Batch.created_at).label("submitted_at"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Study, Study.id == Site.study_id)
    )  # fmt: skip


def _stuck_scan(row: Any) -> StuckScan:
    values = row._asdict()
    return StuckScan(
        **values
        | {
            "state": ScanState(row.state),
            "laterality": Laterality(row.laterality),
            "slab": Slab(row.slab),
        }
    )
