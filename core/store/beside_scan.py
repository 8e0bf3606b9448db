"""What stands beside a scan on its page: the same eye at the visit before, the device as registered. Reads only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, Device, Scan, Visit
from core.store.calibration_mode import is_model_shown
from core.vocabulary import ScanState


@dataclass(frozen=True, slots=True)
class PreviousScan:
    """The latest scan of the same eye, type and slab from an earlier visit. ``ordinal`` None: nobody graded it."""

    scan_id: int
    visit_code: str
    acquired_at: datetime
    width_px: int
    height_px: int
    state: ScanState
    ordinal: int | None
    is_by_person: bool


def read_previous(session: Session, scan_id: int) -> PreviousScan | None:
    """The scan before ``scan_id``; None where it is the eye's first, or the earlier ones may not be seen.

    A scan that a newer one has replaced is passed over: its visit is shown by the one that counts.
    """
    its_scan, its_capture = aliased(Scan), aliased(Acquisition)
    row = session.execute(
        select(
            Scan.id, Visit.code, Acquisition.acquired_at, Scan.width_px, Scan.height_px, Scan.state,
            Scan.human_ordinal, Assessment.grade_ordinal, Assessment.is_abstained,
        )
        .select_from(its_scan)
        .join(its_capture, its_capture.id == its_scan.acquisition_id)
        .join(
            Acquisition,
            (Acquisition.subject_id == its_capture.subject_id)
            & (Acquisition.laterality == its_capture.laterality)
            & (Acquisition.scan_type == its_capture.scan_type)
            & (Acquisition.visit_id != its_capture.visit_id)
            & (Acquisition.acquired_at < its_capture.acquired_at),
        )
        .join(Scan, (Scan.acquisition_id == Acquisition.id) & (Scan.slab == its_scan.slab))
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(Assessment, and_(Assessment.id == Scan.assessment_id, is_model_shown()))
        .where(its_scan.id == scan_id, Scan.state != ScanState.SUPERSEDED)
        .order_by(Acquisition.acquired_at.desc(), Scan.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    by_model = None if row.is_abstained else row.grade_ordinal
    return PreviousScan(
        row.id, row.code, row.acquired_at, row.width_px, row.height_px, ScanState(row.state),
        by_model if row.human_ordinal is None else row.human_ordinal, row.human_ordinal is not None,
    )  # fmt: skip


def read_registered_software(session: Session, acquisition_id: int) -> str:
    """The software version that the study has on record for the device of a capture; empty: none."""
    found = session.scalar(
        select(Device.software_version)
        .join(Acquisition, Acquisition.device_id == Device.id)
        .where(Acquisition.id == acquisition_id)
    )
    return found or ""
