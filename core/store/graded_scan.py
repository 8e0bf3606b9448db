"""Scans that people graded, with the model's probability of *ungradable*: what calibration is measured on."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Review, Scan
from core.store.blind_grade import FIRST_REACH, MOST_GRADES, read_codes
from core.store.newest import newest, within
from core.store.review import is_standing
from core.store.scan_filter import ScanFilter, filter_conditions
from core.vocabulary import CoipsGrade, ReviewDecision


class Reference(StrEnum):
    """Whose grades the model is held against."""

    MASKED = "masked"
    """Grades given without seeing the model's: of scans drawn for grading."""
    DECISIONS = "decisions"
    """Grades of deciding reviews: the reviewer saw the model's, and mostly flagged scans are reviewed."""


@dataclass(frozen=True, slots=True)
class GradedScan:
    """One scan with the grades of its people, the latest of each, and what the model that counts said of it."""

    scan_id: int
    subject_id: int
    site_code: str
    device_id: int
    device_code: str
    probability: float
    """The model's, of *ungradable*, also where it abstained."""
    ordinals: tuple[int, ...]

    @property
    def is_ungradable(self) -> bool:
        """What people say: ungradable to at least half of them, the cautious answer to a tie."""
        return 2 * sum(ordinal < CoipsGrade.GRADABLE for ordinal in self.ordinals) >= len(self.ordinals)


@dataclass(frozen=True, slots=True)
class GradedScans:
    """The scans of the latest grades, read at ``as_of``; ``is_cut`` says that there are older ones."""

    as_of: datetime
    scans: tuple[GradedScan, ...]
    is_cut: bool


def read_graded_scans(
    session: Session, chosen: ScanFilter, reference: Reference, *, limit: int = MOST_GRADES
) -> GradedScans:
    """Graded and scored scans under ``chosen``; who may see masked grades is held by row-level security."""
    statement = (
        select(
            Review.reviewer_id, Review.ordinal, Scan.id, Acquisition.subject_id, Scan.site_id, Acquisition.device_id,
            Assessment.probabilities["ungradable"].as_float().label("probability"),
        )
        .join(Scan, Scan.id == Review.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .where(
            *_given(reference), Review.ordinal.is_not(None), Acquisition.is_phantom.is_(False),
            *filter_conditions(chosen),
        )
        .order_by(Review.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    last = session.scalar(select(func.max(Review.id))) or 0
    rows = newest(
        last, lambda *borders: session.execute(statement.where(*within(Review.id, borders))).all(), n=limit + 1,
        first_reach=FIRST_REACH,
    )  # fmt: skip
    grades: dict[int, dict[int, int]] = defaultdict(dict)
    known = {}
    for row in rows[:limit]:
        if row.probability is not None:
            grades[row.id].setdefault(row.reviewer_id, row.ordinal)
            known[row.id] = row
    codes = read_codes(session)
    scans = tuple(
        GradedScan(
            id_, row.subject_id, codes.sites[row.site_id], row.device_id, codes.devices[row.device_id],
            row.probability, tuple(grades[id_].values()),
        )
        for id_, row in known.items()
    )  # fmt: skip
    as_of: datetime = session.scalars(select(func.now())).one()
    return GradedScans(as_of, scans, is_cut=len(rows) > limit)


def _given(reference: Reference) -> tuple[ColumnElement[bool], ...]:
    if reference is Reference.MASKED:
        # Without IS TRUE: as its index says it, which else is not used.
        return Review.decision == ReviewDecision.GRADE, Review.is_masked.expression
    return Review.decision != ReviewDecision.GRADE, Review.is_masked.is_(False), is_standing()
