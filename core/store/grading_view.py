"""Gradings as adjudicators and managers read them: what is to settle, how far each grader is, what was settled."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, Grading, GradingAssignment, Scan, Site, User
from core.policy.grading_plan import Settlement
from core.store.newest import newest, within
from core.store.scan_filter import ScanFilter, filter_conditions, site_conditions
from core.vocabulary import AssignmentState, GradingState, Slab

MOST_SETTLED = 1_000
"""The latest settled gradings: enough for any interval, and bounded work."""
FIRST_REACH = 1_250


@dataclass(frozen=True, slots=True)
class GradingRow:
    """A grading as its adjudicator finds it."""

    id: int
    scan_id: int
    site_id: int
    study_id: int
    state: GradingState
    adjudicator_id: int | None
    ordinals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ToSettle:
    """One scan that the session's adjudicator is to settle; ``ordinals`` are those of graders A, B and C."""

    id: int
    scan_id: int
    slab: Slab
    width_px: int
    height_px: int
    ordinals: tuple[int, ...]
    is_senior_check: bool
    drawn_at: datetime


@dataclass(frozen=True, slots=True)
class GraderProgress:
    """How far one grader is. ``n_done`` counts since ``GradingProgress.since``, repeats included."""

    name: str
    is_disabled: bool
    n_open: int
    n_overdue: int
    n_done: int


@dataclass(frozen=True, slots=True)
class GradingProgress:
    """Where the gradings of the chosen sites stand, and how far each grader is."""

    n_by_state: dict[GradingState, int]
    """Of what is not settled."""
    n_without_adjudicator: int
    graders: tuple[GraderProgress, ...]
    since: date


@dataclass(frozen=True, slots=True)
class SettledScan:
    """A scan with its consensus, beside what the model says; ``model_ordinal`` is None where it abstained."""

    grading_id: int
    scan_id: int
    subject_id: int
    site_code: str
    device_code: str
    slab: Slab
    model_ordinal: int | None
    consensus_ordinal: int
    settlement: Settlement
    is_senior_check: bool
    ordinals: tuple[int, ...]

    @property
    def is_overruled(self) -> bool:
        """Whether the senior check ended otherwise than the graders had agreed."""
        return self.is_senior_check and any(ordinal != self.consensus_ordinal for ordinal in self.ordinals)


@dataclass(frozen=True, slots=True)
class RepeatedGrade:
    """One person's two grades of one scan."""

    subject_id: int
    grader_id: int
    first: int
    second: int


def read_grading(session: Session, grading_id: int) -> GradingRow | None:
    """The grading; None where there is none that the session's person may see."""
    row = session.execute(
        select(Grading, Site.study_id).join(Site, Site.id == Grading.site_id).where(Grading.id == grading_id)
    ).one_or_none()
    if row is None:
        return None
    grading = row.Grading
    ordinals = _ordinals(session, [grading.id])[grading.id]
    return GradingRow(
        grading.id, grading.scan_id, grading.site_id, row.study_id, GradingState(grading.state),
        grading.adjudicator_id, tuple(ordinal for _, ordinal in ordinals),
    )  # fmt: skip


def read_to_settle(session: Session, *, limit: int) -> tuple[tuple[ToSettle, ...], int]:
    """The scans that the session's person is to settle, the oldest draw first, and how many there are."""
    rows = session.execute(
        select(
            Grading.id, Grading.scan_id, Scan.slab, Scan.width_px, Scan.height_px, Grading.is_senior_check,
            Grading.created_at, func.count().over().label("total"),
        )
        .join(Scan, Scan.id == Grading.scan_id)
        .where(
            Grading.state == GradingState.TO_ADJUDICATE,
            Grading.adjudicator_id == select(func.current_user_id()).scalar_subquery(),  # asked once, not row by row
        )
        .order_by(Grading.id)
        .limit(limit)
    ).all()  # fmt: skip
    ordinals = _ordinals(session, [row.id for row in rows])
    items = tuple(
        ToSettle(
            row.id, row.scan_id, Slab(row.slab), row.width_px, row.height_px, _unnamed(row.scan_id, ordinals[row.id]),
            row.is_senior_check, row.created_at,
        )
        for row in rows
    )  # fmt: skip
    return items, rows[0].total if rows else 0


def _unnamed(scan_id: int, grades: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Grades in an order of the scan's own, so that A is not the same person on every scan."""

    def place(grade: tuple[int, int]) -> str:
        return hashlib.sha256(f"letter:{scan_id}:{grade[0]}".encode()).hexdigest()

    return tuple(ordinal for _, ordinal in sorted(grades, key=place))


def _ordinals(session: Session, grading_ids: Sequence[int]) -> defaultdict[int, list[tuple[int, int]]]:
    """(grader, ordinal) of the first looks that are done, by grading."""
    rows = session.execute(
        select(GradingAssignment.grading_id, GradingAssignment.grader_id, GradingAssignment.ordinal).where(
            GradingAssignment.grading_id.in_(grading_ids), GradingAssignment.repeat_of_id.is_(None),
            GradingAssignment.state == AssignmentState.DONE,
        )
    )  # fmt: skip
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for grading_id, grader_id, ordinal in rows:
        if ordinal is not None:
            found[grading_id].append((grader_id, ordinal))
    return found


def read_progress(session: Session, chosen: ScanFilter, *, today: date, days: int) -> GradingProgress:
    """Where the gradings stand at the chosen sites; what is done is counted over the last ``days``."""
    sites = select(Site.id).where(*site_conditions(chosen)).scalar_subquery()
    states = session.execute(
        select(Grading.state, func.count(), func.count().filter(Grading.adjudicator_id.is_(None)))
        .where(Grading.state != GradingState.SETTLED, Grading.site_id.in_(sites))
        .group_by(Grading.state)
    ).all()
    since = today - timedelta(days=days)
    return GradingProgress(
        n_by_state={GradingState(state): n for state, n, _ in states},
        n_without_adjudicator=sum(n for state, _, n in states if state == GradingState.TO_ADJUDICATE),
        graders=_graders(session, chosen, today=today, since=since),
        since=since,
    )


def _graders(session: Session, chosen: ScanFilter, *, today: date, since: date) -> tuple[GraderProgress, ...]:
    part = GradingAssignment
    is_open, is_done = part.state == AssignmentState.OPEN, part.state == AssignmentState.DONE
    sites = select(Site.id).where(*site_conditions(chosen)).scalar_subquery()
    own = (part.grader_id == User.id, part.site_id.in_(sites))
    n_open = select(func.count()).where(*own, is_open).scalar_subquery()
    n_overdue = select(func.count()).where(*own, is_open, part.due_on < today).scalar_subquery()
    n_done = select(func.count()).where(*own, is_done, part.done_at >= since).scalar_subquery()
    rows = session.execute(
        select(User.display_name, User.disabled_at, n_open, n_overdue, n_done)
        .where(select(1).where(*own).exists())
        .order_by(User.display_name, User.id)
    )
    return tuple(
        GraderProgress(name, disabled_at is not None, opened, overdue, done)
        for name, disabled_at, opened, overdue, done in rows
        if opened or done
    )


def read_settled(session: Session, chosen: ScanFilter, *, limit: int = MOST_SETTLED) -> tuple[SettledScan, ...]:
    """The latest settled gradings under ``chosen``, with the graders' own grades."""
    statement = (
        select(
            Grading.id.label("grading_id"), Scan.id, Acquisition.subject_id, Site.code.label("site_code"),
            Device.code.label("device_code"), Scan.slab, Assessment.grade_ordinal, Assessment.is_abstained,
            Grading.consensus_ordinal, Grading.settlement, Grading.is_senior_check,
        )
        .join(Scan, Scan.id == Grading.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Grading.state == GradingState.SETTLED, *filter_conditions(chosen))
        .order_by(Grading.id.desc())
        .limit(limit)
    )  # fmt: skip
    last = session.scalar(select(func.max(Grading.id))) or 0
    rows = newest(
        last, lambda *borders: session.execute(statement.where(*within(Grading.id, borders))).all(), n=limit,
        first_reach=FIRST_REACH,
    )  # fmt: skip
    ordinals = _ordinals(session, [row.grading_id for row in rows])
    return tuple(
        SettledScan(
            row.grading_id, row.id, row.subject_id, row.site_code, row.device_code, Slab(row.slab),
            None if row.is_abstained else row.grade_ordinal, row.consensus_ordinal, Settlement(row.settlement),
            row.is_senior_check, tuple(sorted(ordinal for _, ordinal in ordinals[row.grading_id])),
        )
        for row in rows
    )  # fmt: skip


def read_repeats(session: Session, chosen: ScanFilter, *, limit: int = MOST_SETTLED) -> tuple[RepeatedGrade, ...]:
    """The latest scans that one person graded twice, with both grades."""
    second = GradingAssignment.__table__.alias("second")
    first = GradingAssignment
    statement = (
        select(Acquisition.subject_id, first.grader_id, first.ordinal, second.c.ordinal.label("again"))
        .join(second, second.c.repeat_of_id == first.id)
        .join(Scan, Scan.id == first.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(second.c.state == AssignmentState.DONE, *filter_conditions(chosen))
        .order_by(second.c.id.desc())
        .limit(limit)
    )
    last = session.scalar(select(func.max(GradingAssignment.id))) or 0
    rows = newest(
        last, lambda *borders: session.execute(statement.where(*within(second.c.id, borders))).all(), n=limit,
        first_reach=FIRST_REACH,
    )  # fmt: skip
    return tuple(RepeatedGrade(row.subject_id, row.grader_id, row.ordinal, row.again) for row in rows)
