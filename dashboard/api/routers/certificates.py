"""Certificates of devices and technicians: asked for, shown evidence for, granted, refused."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from core.errors import NotFoundError, UsageError
from core.store.certificate import find_holder, read_certificate, read_steps
from core.store.evidence import read_scans_shown
from core.usecases.certify import (
    grant_certificate,
    refuse_certificate,
    request_certificate,
    review_evidence,
    show_evidence,
)
from dashboard.api.documents.base import Id
from dashboard.api.documents.certificates import (
    AskBody,
    CertificateCourseDocument,
    CertificateStepDocument,
    EvidenceBody,
    GrantBody,
    ShownScanDocument,
)
from dashboard.api.documents.places import CertificateDocument
from dashboard.api.documents.work import NoteBody, NotPossibleBody
from dashboard.api.guard import Caller, CertificateWriter, PlaceReader

router = APIRouter(tags=["places"])

CertificateId = Annotated[Id, Path(description="Id of a certificate.")]


@router.get("/certificates/{certificate_id}")
def read_one_certificate(certificate_id: CertificateId, caller: PlaceReader) -> CertificateCourseDocument:
    """One certificate with every step of it."""
    with caller.open_session() as session:
        return _course(session, certificate_id)


@router.post("/certificates", status_code=201)
def ask_for_certificate(body: AskBody, caller: CertificateWriter) -> CertificateCourseDocument:
    """Ask for a certificate of a device or a technician, with the first scans that show what it can do."""
    if (body.device_id is None) is (body.technician_id is None):
        raise UsageError(
            "A certificate is of one device or of one technician.", remedy="Give device_id or technician_id."
        )
    with caller.open_session() as session:
        holder = find_holder(session, device_id=body.device_id, technician_id=body.technician_id)
        if holder is None:
            raise NotFoundError(
                "There is no such device or technician, or none that you may see.",
                remedy="See GET /studies/{study_id}/devices.",
            )
        certificate_id = request_certificate(
            session, actor=caller.actor, holder=holder, kind=body.kind, scan_ids=body.scan_ids, note=body.note
        )
        return _course(session, certificate_id)


@router.post("/certificates/{certificate_id}/evidence")
def show_more_evidence(
    certificate_id: CertificateId, body: EvidenceBody, caller: CertificateWriter
) -> CertificateCourseDocument:
    """Show more scans for one that was asked for."""
    return _moved(
        caller,
        certificate_id,
        lambda session: show_evidence(
            session, actor=caller.actor, certificate_id=certificate_id, scan_ids=body.scan_ids
        ),
    )


@router.post("/certificates/{certificate_id}/review")
def review_certificate(
    certificate_id: CertificateId, body: NoteBody, caller: CertificateWriter
) -> CertificateCourseDocument:
    """Put its evidence under review."""
    return _moved(
        caller,
        certificate_id,
        lambda session: review_evidence(session, actor=caller.actor, certificate_id=certificate_id, note=body.note),
    )


@router.post("/certificates/{certificate_id}/grant")
def grant_one_certificate(
    certificate_id: CertificateId, body: GrantBody, caller: CertificateWriter
) -> CertificateCourseDocument:
    """Grant it, until the day that the protocol or the body says."""
    return _moved(
        caller,
        certificate_id,
        lambda session: grant_certificate(
            session, actor=caller.actor, certificate_id=certificate_id, note=body.note, expires_on=body.expires_on
        ),
    )


@router.post("/certificates/{certificate_id}/refuse")
def refuse_one_certificate(
    certificate_id: CertificateId, body: NotPossibleBody, caller: CertificateWriter
) -> CertificateCourseDocument:
    """Refuse it, with the reason."""
    return _moved(
        caller,
        certificate_id,
        lambda session: refuse_certificate(
            session, actor=caller.actor, certificate_id=certificate_id, reason=body.reason
        ),
    )


def _moved(caller: Caller, certificate_id: int, move: Callable[[Session], object]) -> CertificateCourseDocument:
    with caller.open_session() as session:
        move(session)
        session.flush()
        return _course(session, certificate_id)


def _course(session: Session, certificate_id: int) -> CertificateCourseDocument:
    session.expire_all()
    found = read_certificate(session, certificate_id)
    if found is None:
        raise NotFoundError("There is no such certificate, or none that you may see.", remedy="See GET /certificates.")
    return CertificateCourseDocument(
        certificate=CertificateDocument.model_validate(found),
        steps=[CertificateStepDocument.model_validate(step) for step in read_steps(session, certificate_id)],
        evidence=[
            ShownScanDocument.model_validate(scan)
            for scan in read_scans_shown(session, [certificate_id]).get(certificate_id, ())
        ],
    )
