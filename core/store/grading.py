"""Gradings by several people: what was drawn, who got which scan, and the consensus. Rows only; knows no rule."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    Grading,
    GradingAssignment,
    ProtocolVersion,
    Scan,
    Site,
)
from core.policy.grading_plan import GradingPlan, Settlement
from core.policy.protocol import Protocol
from core.vocabulary import AssignmentState, GradingState, Role


@dataclass(frozen=True, slots=True)
class NewGrading:
    """A scan that was drawn, and the plan it was drawn by."""

    site_id: int
    scan_id: int
    protocol_version_id: int
    n_graders: int


@dataclass(frozen=True, slots=True)
class People:
    """Who may grade masked at a site, and who may settle there."""

    graders: frozenset[int]
    adjudicators: frozenset[int]


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """A scan for a grader."""

    grading_id: int
    site_id: int
    scan_id: int
    grader_id: int
    due_on: date
    is_to_repeat: bool = False
    repeat_of_id: int | None = None
    ordinal: int | None = None
    """Of a grade that was given already; the part is done as it is made."""
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueRepeat:
    """A first look that was drawn to be repeated and is done."""

    assignment_id: int
    grading_id: int
    scan_id: int
    grader_id: int
    study_id: int
    protocol_version_id: int
    done_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An open scan that was taken from a grader."""

    grading_id: int
    scan_id: int
    grader_id: int


def add_gradings(session: Session, new: Sequence[NewGrading]) -> dict[int, int]:
    """Append what was drawn; ids by scan. A scan that was drawn before is left as it is, and out of the answer."""
    rows = [
        {
            "site_id": each.site_id,
            "scan_id": each.scan_id,
            "protocol_version_id": each.protocol_version_id,
            "n_graders": each.n_graders,
            "state": GradingState.DRAWN,
        }
        for each in new
    ]
    if not rows:
        return {}
    statement = insert(Grading).values(rows).on_conflict_do_nothing(index_elements=[Grading.scan_id])
    return {row.scan_id: row.id for row in session.execute(statement.returning(Grading.id, Grading.scan_id))}


def phantoms_among(session: Session, scan_ids: Collection[int]) -> frozenset[int]:
    """Which of these scans are of device tests."""
    statement = (
        select(Scan.id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(Scan.id.in_(scan_ids), Acquisition.is_phantom)
    )
    return frozenset(session.scalars(statement)) if scan_ids else frozenset()


_HANDING_OUT = func.hashtextextended("hand out gradings", 0)


def lock_handing_out(session: Session) -> bool:
    """Whether this transaction is the one that hands out scans; False where another keeper does."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(_HANDING_OUT))))


def wait_for_handing_out(session: Session) -> None:
    """Be the transaction that hands out scans, as soon as no other is."""
    session.execute(select(func.pg_advisory_xact_lock(_HANDING_OUT)))


def people_at(session: Session, site_id: int) -> People:
    """Who may grade and settle at a site; for the worker's role, which the grants themselves are closed to."""
    rows = session.execute(text("select user_id, role from people_to_grade(:site_id)"), {"site_id": site_id}).all()
    by_role: dict[str, set[int]] = defaultdict(set)
    for user_id, role in rows:
        by_role[role].add(user_id)
    return People(frozenset(by_role[Role.GRADER]), frozenset(by_role[Role.ADJUDICATOR]))


def study_of_site(session: Session, site_id: int) -> int:
    """The study that a site belongs to."""
    return session.scalars(select(Site.study_id).where(Site.id == site_id)).one()


def sites_with_gradings(session: Session) -> list[int]:
    """Sites where a grading is not settled or somebody has an open scan or one to repeat."""
    unsettled = select(Grading.site_id).where(Grading.state != GradingState.SETTLED)
    open_parts = select(GradingAssignment.site_id).where(GradingAssignment.state == AssignmentState.OPEN)
    to_repeat = select(GradingAssignment.site_id).where(*_TO_REPEAT)
    found = unsettled.union(open_parts, to_repeat).subquery()
    return sorted(session.scalars(select(found.c.site_id)))


_Repeat = aliased(GradingAssignment)
_TO_REPEAT = (
    GradingAssignment.is_to_repeat,
    GradingAssignment.state == AssignmentState.DONE,
    ~exists().where(_Repeat.repeat_of_id == GradingAssignment.id, _Repeat.state != AssignmentState.WITHDRAWN),
)


def count_open(session: Session) -> dict[int, int]:
    """How many scans each grader has open, wherever."""
    rows = session.execute(
        select(GradingAssignment.grader_id, func.count().label("n"))
        .where(GradingAssignment.state == AssignmentState.OPEN)
        .group_by(GradingAssignment.grader_id)
    )
    return {row.grader_id: row.n for row in rows}


def count_to_settle(session: Session) -> dict[int, int]:
    """How many scans each adjudicator has to settle, wherever."""
    rows = session.execute(
        select(Grading.adjudicator_id, func.count())
        .where(Grading.state == GradingState.TO_ADJUDICATE, Grading.adjudicator_id.is_not(None))
        .group_by(Grading.adjudicator_id)
    )
    return {adjudicator_id: n for adjudicator_id, n in rows if adjudicator_id is not None}


def withdraw_open(session: Session, site_id: int, *, unless: Collection[int]) -> list[Withdrawn]:
    """Take every open scan of a site from graders who are not among these."""
    rows = session.execute(
        update(GradingAssignment)
        .where(
            GradingAssignment.site_id == site_id, GradingAssignment.state == AssignmentState.OPEN,
            GradingAssignment.grader_id.not_in(unless),
        )
        .values(state=AssignmentState.WITHDRAWN)
        .returning(GradingAssignment.grading_id, GradingAssignment.scan_id, GradingAssignment.grader_id)
    )  # fmt: skip
    return [Withdrawn(*row) for row in rows]


def read_due_repeats(
    session: Session, site_id: int, *, graders: Collection[int], done_before: datetime, limit: int
) -> list[DueRepeat]:
    """First looks of these graders at a site, drawn to be repeated and ended before this moment, the oldest first."""
    rows = session.execute(
        select(
            GradingAssignment.id.label("assignment_id"), GradingAssignment.grading_id, GradingAssignment.scan_id,
            GradingAssignment.grader_id, Site.study_id, Grading.protocol_version_id, GradingAssignment.done_at,
        )
        .join(Grading, Grading.id == GradingAssignment.grading_id)
        .join(Site, Site.id == GradingAssignment.site_id)
        .where(
            *_TO_REPEAT, GradingAssignment.site_id == site_id, GradingAssignment.done_at < done_before,
            GradingAssignment.grader_id.in_(graders),
        )
        .order_by(GradingAssignment.done_at)
        .limit(limit)
    )  # fmt: skip
    return [DueRepeat(**row._asdict()) for row in rows]


def read_plans(session: Session, version_ids: Collection[int]) -> dict[int, GradingPlan]:
    """The grading plans of these protocol versions."""
    rows = session.execute(
        select(ProtocolVersion.id, ProtocolVersion.document).where(ProtocolVersion.id.in_(version_ids))
    )
    return {id_: Protocol.model_validate(document).grading for id_, document in rows}


def add_assignments(session: Session, new: Sequence[NewAssignment]) -> None:
    """Hand these scans out."""
    if new:
        rows = [
            {name: getattr(each, name) for name in NewAssignment.__slots__}
            | {"state": AssignmentState.OPEN if each.ordinal is None else AssignmentState.DONE}
            for each in new
        ]
        session.execute(insert(GradingAssignment).values(rows))


def move_grading(
    session: Session,
    grading_id: int,
    state: GradingState,
    *,
    adjudicator_id: int | None = None,
    is_senior_check: bool = False,
) -> None:
    """Write a grading's next state, and to whom it goes where it is to be adjudicated."""
    session.execute(
        update(Grading)
        .where(Grading.id == grading_id)
        .values(state=state, adjudicator_id=adjudicator_id, is_senior_check=is_senior_check)
    )


def give_to_adjudicator(session: Session, grading_id: int, adjudicator_id: int | None) -> None:
    """Write who is to settle it."""
    session.execute(update(Grading).where(Grading.id == grading_id).values(adjudicator_id=adjudicator_id))


def settle_by_agreement(session: Session, grading_id: int, *, ordinal: int, at: datetime) -> None:
    """Write the consensus on which the graders' own grades settle."""
    session.execute(
        update(Grading)
        .where(Grading.id == grading_id)
        .values(
            state=GradingState.SETTLED, consensus_ordinal=ordinal, settlement=Settlement.AGREEMENT, settled_at=at,
        )
    )  # fmt: skip


def settle_by_adjudicator(
    session: Session, grading_id: int, *, ordinal: int, adjudicator_id: int, reason: str, at: datetime
) -> bool:
    """Write the adjudicator's grade as the consensus; False where it was settled in the meantime."""
    ended = session.scalars(
        update(Grading)
        .where(Grading.id == grading_id, Grading.state == GradingState.TO_ADJUDICATE)
        .values(
            state=GradingState.SETTLED, consensus_ordinal=ordinal, settlement=Settlement.ADJUDICATION,
            settled_by_id=adjudicator_id, settled_at=at, reason=reason,
        )
        .returning(Grading.id)
    ).all()  # fmt: skip
    return bool(ended)
