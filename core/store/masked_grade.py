"""Masked grades: the scan as a grader may see it, which is its pixels alone, and the row that a grade writes.

Until a grader has graded a scan, row-level security shows them no other row about it (migration 0008).
"""

from dataclasses import dataclass

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Review
from core.vocabulary import ReviewDecision, ScanKind, Slab


@dataclass(frozen=True, slots=True)
class ScanToGrade:
    """One scan without anything that was concluded from it."""

    scan_id: int
    site_id: int
    study_id: int
    kind: ScanKind
    slab: Slab
    image_sha256: str
    volume_sha256: str | None
    """Of a volume all its B-scans, of which the image is the middle one."""
    width_px: int
    height_px: int
    uploaded_by_id: int | None
    acquired_by_id: int | None
    """The account of the technician who took it, where that person has one."""

    @property
    def own_user_ids(self) -> frozenset[int]:
        """Whose own work the scan is: they may not grade it."""
        return frozenset(user for user in (self.uploaded_by_id, self.acquired_by_id) if user is not None)


def read_scan_to_grade(session: Session, scan_id: int) -> ScanToGrade | None:
    """The scan; None where there is none at a site where this session's person may grade."""
    row = session.execute(text("select * from scan_to_grade(:scan_id)"), {"scan_id": scan_id}).mappings().one_or_none()
    if row is None:
        return None
    values = {name: row[name] for name in ScanToGrade.__slots__}
    return ScanToGrade(**values | {"kind": ScanKind(row["kind"]), "slab": Slab(row["slab"])})


def has_graded(session: Session, *, scan_id: int, reviewer_id: int) -> bool:
    """Whether this person has already graded the scan.

    Another transaction that is just grading it for the same person is waited for, so that two clicks give one grade.
    """
    key = func.hashtextextended(f"grade:{scan_id}:{reviewer_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))
    found = select(Review.id).where(
        Review.scan_id == scan_id, Review.reviewer_id == reviewer_id, Review.decision == ReviewDecision.GRADE
    )
    return session.scalar(found.limit(1)) is not None


def add_masked_grade(session: Session, scan: ScanToGrade, *, reviewer_id: int, ordinal: int, reason: str) -> int:
    """Append the grade; it refers to no assessment, because its giver saw none. Returns the review's id."""
    return session.scalars(
        insert(Review)
        .values(
            site_id=scan.site_id,
            scan_id=scan.scan_id,
            reviewer_id=reviewer_id,
            decision=ReviewDecision.GRADE,
            ordinal=ordinal,
            reason=reason,
            is_masked=True,
            created_at=now(),
        )
        .returning(Review.id)
    ).one()
