"""Calibration mode: of which scans a reviewer may know nothing of the model's yet, and who is in that mode.

Row-level security cannot hold this: a reviewer's decision recounts the capture and its slot from the assessments of all
their slabs, in the reviewer's own transaction. So whatever reads single scans for people asks here (docs/adr/0031).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, cast, exists, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from core.database.tables import Review, ReviewerCalibration, Scan, User


@dataclass(frozen=True, slots=True)
class CalibratedReviewer:
    """One reviewer in calibration mode."""

    id: int
    user_id: int
    name: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A quality-control technician of a study."""

    id: int
    name: str


def is_model_shown() -> ColumnElement[bool]:
    """Condition on Scan: the session's person is not in calibration mode there, or has given the own grade.

    The own grade is a masked one or that of a decision. Graders are masked by row-level security instead.
    """
    # The cast makes one array of it; without one PostgreSQL compares the site with every row of the subquery.
    calibrated = cast(select(func.calibrated_sites()).scalar_subquery(), ARRAY(BigInteger))
    is_graded = exists().where(
        Review.scan_id == Scan.id, Review.reviewer_id == func.current_user_id(), Review.ordinal.is_not(None)
    )
    return or_(~(Scan.site_id == any_(calibrated)), is_graded)


def hidden_scans(session: Session, scan_ids: Collection[int]) -> frozenset[int]:
    """Those of these scans of which the session's person may know nothing of the model's yet."""
    if not scan_ids or not session.scalar(select(func.cardinality(func.calibrated_sites()))):
        return frozenset()
    return frozenset(session.scalars(select(Scan.id).where(Scan.id.in_(scan_ids), ~is_model_shown())))


def read_own_grade(session: Session, scan_id: int) -> int | None:
    """The masked grade that the session's person gave this scan; None where there is none."""
    return session.scalar(
        select(Review.ordinal).where(
            Review.scan_id == scan_id, Review.reviewer_id == func.current_user_id(), Review.is_masked
        )
    )


def reviewers_of_study(session: Session, study_id: int) -> tuple[Reviewer, ...]:
    """The study's quality-control technicians; for its managers and administrators alone."""
    rows = session.execute(text("select id, display_name from reviewers_of_study(:study_id)"), {"study_id": study_id})
    return tuple(Reviewer(*row) for row in rows)


def read_calibrated(session: Session, study_id: int) -> tuple[CalibratedReviewer, ...]:
    """Who is in calibration mode in a study, the longest first."""
    rows = session.execute(
        select(
            ReviewerCalibration.id, ReviewerCalibration.user_id, User.display_name, ReviewerCalibration.created_at,
            ReviewerCalibration.reason,
        )
        .join(User, User.id == ReviewerCalibration.user_id)
        .where(ReviewerCalibration.study_id == study_id, ReviewerCalibration.ended_at.is_(None))
        .order_by(ReviewerCalibration.id)
    )  # fmt: skip
    return tuple(CalibratedReviewer(*row) for row in rows)


def begin_calibration(
    session: Session, *, study_id: int, user_id: int, started_by_id: int, reason: str, at: datetime
) -> int:
    """Put a reviewer into calibration mode."""
    values = {
        "study_id": study_id,
        "user_id": user_id,
        "started_by_id": started_by_id,
        "reason": reason,
        "created_at": at,
    }
    return session.scalars(insert(ReviewerCalibration).values(values).returning(ReviewerCalibration.id)).one()


def end_calibration(session: Session, calibration_id: int, *, at: datetime) -> bool:
    """Take a reviewer out of it; False where that has happened before."""
    ended = session.scalars(
        update(ReviewerCalibration)
        .where(ReviewerCalibration.id == calibration_id, ReviewerCalibration.ended_at.is_(None))
        .values(ended_at=at)
        .returning(ReviewerCalibration.id)
    ).all()
    return bool(ended)
