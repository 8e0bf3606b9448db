"""The certificates of one technician, for the page on which that person looks at the own work."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Certificate
from core.store.certificate import CertificateRow, read_certificate
from core.vocabulary import CertificateState

SHOWN = (
    CertificateState.CERTIFIED,
    CertificateState.RECHECK_DUE,
    CertificateState.REQUESTED,
    CertificateState.UNDER_REVIEW,
)
"""Held or asked for; what was refused or replaced stands on the page Certification."""


def read_own_certificates(session: Session, technician_id: int) -> tuple[CertificateRow, ...]:
    """What a technician holds or has asked for, the newest of each kind of scan first."""
    ids = session.scalars(
        select(Certificate.id)
        .where(Certificate.technician_id == technician_id, Certificate.state.in_(SHOWN))
        .order_by(Certificate.kind, Certificate.id.desc())
    ).all()
    rows = (read_certificate(session, id_) for id_ in ids)
    return tuple(row for row in rows if row is not None)
