"""Gradings that wait for a move, with everything the move rests on: who has them, what was given, who may not."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Batch, Grading, GradingAssignment, Review, Scan, Site, Technician
from core.vocabulary import AssignmentState, GradingState


@dataclass(frozen=True, slots=True)
class Part:
    """One grader's first look at a scan."""

    id: int
    grader_id: int
    state: AssignmentState
    ordinal: int | None


@dataclass(frozen=True, slots=True)
class GivenGrade:
    """A masked grade of a person who was not asked for it."""

    grader_id: int
    ordinal: int
    given_at: datetime


@dataclass(frozen=True, slots=True)
class PendingGrading:
    """A grading that waits for a move, with everything the move rests on."""

    id: int
    site_id: int
    study_id: int
    scan_id: int
    state: GradingState
    n_graders: int
    protocol_version_id: int
    adjudicator_id: int | None
    partial_to: frozenset[int]
    """Who uploaded or acquired the scan, or has decided about it: they can no longer judge it unknowing."""
    given: tuple["GivenGrade", ...]
    """Masked grades that people gave before the scan was handed to them, each person's first."""
    parts: tuple[Part, ...]
    """First looks that were not withdrawn."""

    @property
    def graders(self) -> frozenset[int]:
        """Who has it or has had it."""
        return frozenset(part.grader_id for part in self.parts)

    @property
    def ordinals(self) -> tuple[int, ...]:
        """The grades that were given."""
        return tuple(part.ordinal for part in self.parts if part.ordinal is not None)


def read_waiting(session: Session, site_id: int, *, limit: int) -> list[PendingGrading]:
    """Gradings of a site that wait for somebody to be given to, or whose graders are all done; the oldest first.

    What waits for graders alone, who have it, is not among them.
    """
    part = GradingAssignment
    first_looks = (part.grading_id == Grading.id, part.repeat_of_id.is_(None), part.state != AssignmentState.WITHDRAWN)
    n_parts = select(func.count()).where(*first_looks).correlate(Grading).scalar_subquery()
    is_graded = ~exists().where(*first_looks, part.state == AssignmentState.OPEN)
    is_waiting = and_(Grading.state == GradingState.ASSIGNED, or_(n_parts < Grading.n_graders, is_graded))
    drawn = select(Grading.id).where(Grading.site_id == site_id, Grading.state == GradingState.DRAWN)
    moved = select(Grading.id).where(Grading.site_id == site_id, is_waiting)
    ids = [
        id_ for each in (drawn, moved) for id_ in session.scalars(each.order_by(Grading.id).limit(limit)).all()
    ]  # fmt: skip
    return _pending(session, Grading.id.in_(ids)) if ids else []


def read_without_adjudicator(
    session: Session, site_id: int, able: Collection[int], *, limit: int
) -> list[PendingGrading]:
    """Gradings of a site to be adjudicated that nobody of ``able`` has."""
    return _pending(
        session,
        Grading.site_id == site_id, Grading.state == GradingState.TO_ADJUDICATE,
        or_(Grading.adjudicator_id.is_(None), Grading.adjudicator_id.not_in(able)), limit=limit,
    )  # fmt: skip


def _pending(session: Session, *conditions: ColumnElement[bool], limit: int | None = None) -> list[PendingGrading]:
    rows = session.execute(_pending_rows().where(*conditions).order_by(Grading.id).limit(limit)).all()
    parts = _parts(session, [row.id for row in rows])
    deciders, given = _reviews(session, [row.scan_id for row in rows])
    return [
        PendingGrading(
            row.id, row.site_id, row.study_id, row.scan_id, GradingState(row.state), row.n_graders,
            row.protocol_version_id, row.adjudicator_id,
            frozenset({row.uploaded_by_id, row.user_id, *deciders[row.scan_id]} - {None}),
            tuple(given[row.scan_id].values()), tuple(parts[row.id]),
        )
        for row in rows
    ]  # fmt: skip


def _pending_rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Grading.id, Grading.site_id, Site.study_id, Grading.scan_id, Grading.state, Grading.n_graders,
            Grading.protocol_version_id, Grading.adjudicator_id, Batch.uploaded_by_id, Technician.user_id,
        )
        .join(Site, Site.id == Grading.site_id)
        .join(Scan, Scan.id == Grading.scan_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
    )  # fmt: skip


def _parts(session: Session, grading_ids: Sequence[int]) -> Mapping[int, list[Part]]:
    parts: dict[int, list[Part]] = defaultdict(list)
    rows = session.scalars(
        select(GradingAssignment)
        .where(
            GradingAssignment.grading_id.in_(grading_ids), GradingAssignment.repeat_of_id.is_(None),
            GradingAssignment.state != AssignmentState.WITHDRAWN,
        )
        .order_by(GradingAssignment.id)
    )  # fmt: skip
    for row in rows:
        parts[row.grading_id].append(Part(row.id, row.grader_id, AssignmentState(row.state), row.ordinal))
    return parts


def _reviews(
    session: Session, scan_ids: Sequence[int]
) -> tuple[Mapping[int, set[int]], Mapping[int, dict[int, GivenGrade]]]:
    """By scan: who has decided about it, and the first masked grade of each person."""
    deciders: dict[int, set[int]] = defaultdict(set)
    given: dict[int, dict[int, GivenGrade]] = defaultdict(dict)
    rows = session.scalars(select(Review).where(Review.scan_id.in_(scan_ids)).order_by(Review.id))
    for row in rows:
        if not row.is_masked:
            deciders[row.scan_id].add(row.reviewer_id)
        elif row.ordinal is not None:
            grade = GivenGrade(row.reviewer_id, row.ordinal, row.created_at)
            given[row.scan_id].setdefault(row.reviewer_id, grade)
    return deciders, given
