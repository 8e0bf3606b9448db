"""Scans that could show what a technician or device can do: those shown for a certificate, and those that might be."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, CertificateEvidence, Scan, Subject, Visit
from core.store.certificate import Holder
from core.vocabulary import CoipsGrade, Laterality, ScanKind, ScanState, Slab


@dataclass(frozen=True, slots=True)
class EvidenceScan:
    """A scan with what a certificate asks of it. ``ordinal`` is the grade that counts; None: nobody has decided."""

    scan_id: int
    acquisition_id: int
    site_id: int
    device_id: int
    technician_id: int | None
    kind: ScanKind
    scan_type: str
    slab: Slab
    laterality: Laterality
    subject_code: str
    visit_code: str
    acquired_at: datetime
    software_version: str
    ordinal: int | None

    @property
    def is_gradable(self) -> bool:
        """Whether a person or the model found it gradable."""
        return self.ordinal is not None and self.ordinal >= CoipsGrade.GRADABLE


def read_scans_shown(session: Session, certificate_ids: Iterable[int]) -> dict[int, tuple[EvidenceScan, ...]]:
    """What was shown for each of these certificates, oldest capture first."""
    rows = session.execute(
        _scans(CertificateEvidence.certificate_id.label("certificate_id"))
        .join(CertificateEvidence, CertificateEvidence.scan_id == Scan.id)
        .where(CertificateEvidence.certificate_id.in_(tuple(certificate_ids)))
        .order_by(CertificateEvidence.certificate_id, Acquisition.acquired_at, Scan.id)
    )
    shown: dict[int, list[EvidenceScan]] = defaultdict(list)
    for row in rows:
        shown[row.certificate_id].append(_scan(row))
    return {id_: tuple(found) for id_, found in shown.items()}


def read_candidates(session: Session, scan_ids: Iterable[int]) -> dict[int, EvidenceScan]:
    """These scans, by id; those that the session's person does not see are absent."""
    rows = session.execute(_scans().where(Scan.id.in_(tuple(scan_ids))))
    return {row.id: _scan(row) for row in rows}


def list_candidates(session: Session, holder: Holder, kind: ScanKind, *, limit: int = 30) -> tuple[EvidenceScan, ...]:
    """Gradable scans of the holder's latest captures of a kind, newest first; of a device those by its software."""
    own: ColumnElement[bool] = Acquisition.technician_id == holder.technician_id
    if holder.device_id is not None:
        own = and_(Acquisition.device_id == holder.device_id, Acquisition.software_version == holder.software_version)
    latest = (
        select(Acquisition.id)
        .where(own, Acquisition.kind == kind)
        .order_by(Acquisition.acquired_at.desc())
        .limit(4 * limit)
        .scalar_subquery()
    )
    rows = session.execute(
        _scans()
        .where(Acquisition.id.in_(latest), Scan.state == ScanState.ACCEPTED)
        .order_by(Acquisition.acquired_at.desc(), Scan.id)
    )
    return tuple(scan for scan in map(_scan, rows) if scan.is_gradable)[:limit]


def _scans(*more: Any) -> Select[*tuple[Any, ...]]:
    model = case((Assessment.is_abstained, None), else_=Assessment.grade_ordinal)
    return (
        select(
            Scan.id, Scan.acquisition_id, Scan.site_id, Acquisition.device_id, Acquisition.technician_id, Scan.kind,
            Acquisition.scan_type, Scan.slab, Acquisition.laterality, Subject.code.label("subject_code"),
            Visit.code.label("visit_code"), Acquisition.acquired_at, Acquisition.software_version,
            func.coalesce(Scan.human_ordinal, model).label("ordinal"), *more,
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
    )  # fmt: skip


def _scan(row: Any) -> EvidenceScan:
    return EvidenceScan(
        scan_id=row.id,
        acquisition_id=row.acquisition_id,
        site_id=row.site_id,
        device_id=row.device_id,
        technician_id=row.technician_id,
        kind=ScanKind(row.kind),
        scan_type=row.scan_type,
        slab=Slab(row.slab),
        laterality=Laterality(row.laterality),
        subject_code=row.subject_code,
        visit_code=row.visit_code,
        acquired_at=row.acquired_at,
        software_version=row.software_version,
        ordinal=row.ordinal,
    )
