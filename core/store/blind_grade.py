"""Scans that people graded without seeing the model's or each other's grade: what agreement is measured on."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, Review, Scan, Site
from core.store.newest import newest, within
from core.store.scan_filter import ScanFilter, filter_conditions
from core.vocabulary import ReviewDecision, Slab

MOST_GRADES = 2_000
"""The latest masked grades: enough for any interval, and bounded work."""
FIRST_REACH = 6_000
"""So many of the latest reviews are looked through at first."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of all sites and devices that the session sees, by id: fewer rows than a look-up for each of thousands."""

    sites: Mapping[int, str]
    devices: Mapping[int, str]


def read_codes(session: Session) -> Codes:
    """Read both."""
    sites = session.execute(select(Site.id, Site.code)).all()
    devices = session.execute(select(Device.id, Device.code)).all()
    return Codes(dict(sites), dict(devices))


@dataclass(frozen=True, slots=True)
class MaskedScan:
    """One scan with its masked grades, the first of each person, in order of time.

    ``model_ordinal`` is None where the model abstained or has not scored it.
    """

    scan_id: int
    subject_id: int
    site_code: str
    device_code: str
    slab: Slab
    model_ordinal: int | None
    grades: tuple[tuple[int, int], ...]
    """(person, ordinal)."""


@dataclass(frozen=True, slots=True)
class MaskedGrades:
    """The latest masked grades by scan, read at ``as_of``; ``is_cut`` says that there are older ones."""

    as_of: datetime
    scans: tuple[MaskedScan, ...]
    is_cut: bool


def read_masked_grades(session: Session, chosen: ScanFilter, *, limit: int = MOST_GRADES) -> MaskedGrades:
    """Masked grades under ``chosen``; who may see them is held by row-level security."""
    statement = (
        select(
            Review.reviewer_id, Review.ordinal, Scan.id, Scan.slab, Scan.site_id, Acquisition.subject_id,
            Acquisition.device_id, Assessment.grade_ordinal, Assessment.is_abstained,
        )
        .join(Scan, Scan.id == Review.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(
            Review.decision == ReviewDecision.GRADE, Review.is_masked, Review.ordinal.is_not(None),
            Acquisition.is_phantom.is_(False), *filter_conditions(chosen),
        )
        .order_by(Review.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    last = session.scalar(select(func.max(Review.id))) or 0
    rows = newest(
        last, lambda *borders: session.execute(statement.where(*within(Review.id, borders))).all(), n=limit + 1,
        first_reach=FIRST_REACH,
    )  # fmt: skip
    codes = read_codes(session)
    by_scan = defaultdict(list)
    for row in reversed(rows[:limit]):
        by_scan[row.id].append(row)
    scans = []
    for scan_id, found in by_scan.items():
        first = found[0]
        grades: dict[int, int] = {}
        for row in found:
            grades.setdefault(row.reviewer_id, row.ordinal)
        scans.append(
            MaskedScan(
                scan_id, first.subject_id, codes.sites[first.site_id], codes.devices[first.device_id],
                Slab(first.slab), None if first.is_abstained else first.grade_ordinal, tuple(grades.items()),
            )
        )  # fmt: skip
    as_of = session.execute(select(func.now())).scalar_one()
    return MaskedGrades(as_of, tuple(scans), is_cut=len(rows) > limit)
