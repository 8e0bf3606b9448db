"""Studies, sites, devices, technicians, certificates, protocol and model versions."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.store import administration as store
from core.store.certificate import read_certificates
from core.store.model_version import read_last_model
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.places import (
    CertificateDocument,
    DeviceDocument,
    ModelVersionDocument,
    ProtocolVersionDocument,
    SiteDocument,
    StudyDocument,
    TechnicianDocument,
)
from dashboard.api.filters import CertificatesAsked
from dashboard.api.guard import PlaceReader

router = APIRouter(tags=["places"])

StudyId = Annotated[Id, Path(description="Id of a study.")]


@router.get("/studies")
def list_studies(caller: PlaceReader) -> Listing[StudyDocument]:
    """The studies that the caller has a role in."""
    with caller.open_session() as session:
        return Listing(items=[StudyDocument.model_validate(each) for each in store.list_studies(session)])


@router.get("/studies/{study_id}/sites")
def list_sites(study_id: StudyId, caller: PlaceReader) -> Listing[SiteDocument]:
    """The study's sites that the caller has a role at."""
    with caller.open_session() as session:
        require_study(session, study_id)
        return Listing(items=[SiteDocument.model_validate(each) for each in store.list_sites(session, study_id)])


@router.get("/studies/{study_id}/devices")
def list_devices(study_id: StudyId, caller: PlaceReader) -> Listing[DeviceDocument]:
    """The devices at those sites."""
    with caller.open_session() as session:
        require_study(session, study_id)
        return Listing(items=[DeviceDocument.model_validate(each) for each in store.list_devices(session, study_id)])


@router.get("/studies/{study_id}/technicians")
def list_technicians(study_id: StudyId, caller: PlaceReader) -> Listing[TechnicianDocument]:
    """The technicians at those sites."""
    with caller.open_session() as session:
        require_study(session, study_id)
        found = store.list_technicians(session, study_id)
    return Listing(items=[TechnicianDocument.model_validate(each) for each in found])


@router.get("/studies/{study_id}/protocol-versions")
def list_protocol_versions(study_id: StudyId, caller: PlaceReader) -> Listing[ProtocolVersionDocument]:
    """Every version of the study's protocol."""
    with caller.open_session() as session:
        require_study(session, study_id)
        found = store.list_protocol_versions(session, study_id)
    return Listing(items=[ProtocolVersionDocument.model_validate(each) for each in found])


@router.get("/certificates")
def list_certificates(asked: CertificatesAsked, caller: PlaceReader) -> Listing[CertificateDocument]:
    """What devices and technicians are certified for; with `history` also what has ended. The latest 500 at most."""
    with caller.open_session() as session:
        found = read_certificates(session, study_id=asked.study, site_id=asked.site, is_history=asked.history)
    return Listing(items=[CertificateDocument.model_validate(each) for each in found])


@router.get("/model-versions/latest")
def read_model_version(caller: PlaceReader) -> ModelVersionDocument:
    """The model that scored last, with the card that describes it."""
    with caller.open_session() as session:
        model = read_last_model(session)
    if model is None:
        raise NotFoundError("No model has scored anything yet.", remedy="Send scans and wait for their score.")
    return ModelVersionDocument.model_validate(model)


def require_study(session: Session, study_id: int) -> None:
    """Raise NotFoundError where the caller has no role in the study, or there is none."""
    if all(study.id != study_id for study in store.list_studies(session)):
        raise NotFoundError("There is no such study, or none that you have a role in.", remedy="See GET /studies.")
