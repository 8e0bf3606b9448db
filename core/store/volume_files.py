"""Which blobs a volume is made of, where its fovea was marked, and the volumes beside it. Reads hashes, never bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, AssessmentPicture, Scan, Visit
from core.store.calibration_mode import hidden_scans
from core.store.fovea_mark import FoveaPoint, read_fovea_marks
from core.vocabulary import Laterality, ScanKind, ScanState

BORDERS = "boundaries.npy"
"""The picture of an assessment that holds a volume's layer borders: float32 (B-scan, border, A-scan), rows."""

MOST_BESIDE = 12
"""Volumes offered for comparison: the fellow eye and the visits of three years, the nearest first."""


@dataclass(frozen=True, slots=True)
class VolumeFiles:
    """One volume by its blobs. ``borders_sha256`` is None where the model drew none or the person must not see them."""

    scan_id: int
    laterality: Laterality
    visit_code: str
    acquired_at: datetime
    volume_sha256: str
    borders_sha256: str | None
    fovea: FoveaPoint | None
    """Where a person marked it last; None where nobody did."""


def read_volume_files(session: Session, scan_id: int) -> VolumeFiles | None:
    """The volume of a scan; None where it is none or the session's person may not see it."""
    found = _files(session, _volumes().where(Scan.id == scan_id))
    return found[0] if found else None


def read_volumes_beside(session: Session, scan_id: int) -> tuple[VolumeFiles, ...]:
    """What this volume can be compared with: the fellow eye at the same visit, then the eye's other visits.

    The nearest in time come first. What a newer scan has replaced is passed over: its visit is shown by the one that
    counts.
    """
    own_scan, own = aliased(Scan), aliased(Acquisition)
    beside = (
        _volumes()
        .join(own, (own.subject_id == Acquisition.subject_id) & (own.id != Acquisition.id))
        .join(own_scan, own_scan.acquisition_id == own.id)
        .where(
            own_scan.id == scan_id,
            Scan.state != ScanState.SUPERSEDED,
            Acquisition.scan_type == own.scan_type,
            or_(
                and_(Acquisition.visit_id == own.visit_id, Acquisition.laterality != own.laterality),
                and_(Acquisition.visit_id != own.visit_id, Acquisition.laterality == own.laterality),
            ),
        )
        .order_by((Acquisition.visit_id == own.visit_id).desc(), Acquisition.acquired_at.desc(), Scan.id.desc())
        .limit(MOST_BESIDE)
    )
    return _files(session, beside)


def _volumes() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Scan.id, Scan.volume_sha256, Acquisition.laterality, Acquisition.acquired_at, Visit.code,
            AssessmentPicture.sha256.label("borders_sha256"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(
            AssessmentPicture,
            (AssessmentPicture.assessment_id == Scan.assessment_id) & (AssessmentPicture.name == BORDERS),
        )
        .where(Scan.kind == ScanKind.VOLUME, Scan.volume_sha256.is_not(None))
    )  # fmt: skip


def _files(session: Session, asked: Select[*tuple[Any, ...]]) -> tuple[VolumeFiles, ...]:
    rows = session.execute(asked).all()
    ids = [row.id for row in rows]
    hidden, marks = hidden_scans(session, ids), read_fovea_marks(session, ids)
    return tuple(
        VolumeFiles(
            scan_id=row.id,
            laterality=Laterality(row.laterality),
            visit_code=row.code,
            acquired_at=row.acquired_at,
            volume_sha256=row.volume_sha256,
            borders_sha256=None if row.id in hidden else row.borders_sha256,
            fovea=marks.get(row.id),
        )
        for row in rows
    )
