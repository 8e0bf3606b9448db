"""What the page of a scan shows beside it: check list, visit before, before and after, and its results as DICOM."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.measures.device_index import INDEX_LIMITS
from core.store.beside_scan import read_previous
from core.store.capture_set import read_capture_set, slot_of
from core.store.scan_view import ScanView, read_scan
from core.store.tracker import read_rounds
from core.usecases.look_at_scan import check_scan
from dashboard.api.documents.base import Id
from dashboard.api.documents.captures import (
    CapturesDocument,
    CaptureSetDocument,
    CheckDocument,
    DeviceIndexDocument,
    PreviousScanDocument,
    ScanChecksDocument,
)
from dashboard.api.documents.work import RequestDocument
from dashboard.api.guard import ScanReader

router = APIRouter(tags=["scans"])

ScanId = Annotated[Id, Path(description="Id of a scan.")]
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The file.",
    }
}


@router.get("/scans/{scan_id}/checks")
def read_scan_checks(scan_id: ScanId, caller: ScanReader) -> ScanChecksDocument:
    """What the protocol asks of the capture, the device's own index with its limit, and the visit before."""
    with caller.open_session() as session:
        view = _scan(session, scan_id)
        previous = read_previous(session, scan_id)
        return ScanChecksDocument(
            scan_id=scan_id,
            checks=[CheckDocument.model_validate(check) for check in check_scan(session, view)],
            device_index=_index(view),
            previous=PreviousScanDocument.model_validate(previous) if previous is not None else None,
        )


@router.get("/scans/{scan_id}/captures")
def read_captures(scan_id: ScanId, caller: ScanReader) -> CapturesDocument:
    """Every capture of the expected scan that this one belongs to, the requests for them, and which one stands."""
    with caller.open_session() as session:
        slot_id = slot_of(session, _scan(session, scan_id).acquisition_id)
        found = read_capture_set(session, slot_id) if slot_id is not None else None
        if slot_id is None or found is None:
            raise NotFoundError("The scan counts for no expected scan: it is a phantom's.", remedy="See GET /scans.")
        return CapturesDocument(
            captures=CaptureSetDocument.model_validate(found),
            requests=[RequestDocument.model_validate(each) for each in read_rounds(session, slot_id)],
        )


@router.get("/scans/{scan_id}/dicom.zip", response_class=Response, responses=_ZIP)
def export_scan_as_dicom(scan_id: ScanId, caller: ScanReader) -> Response:
    """Masks as SEG, figures as SR and a rejection as key object, of a scan that came as DICOM. It is put on record."""
    from core.reports.export_dicom import export_dicom  # noqa: PLC0415 - takes a second to load, and few ask for it

    installation = caller.installation
    with caller.open_session() as session:
        made = export_dicom(
            session, actor=caller.actor, blobs=installation.blobs, settings=installation.settings, scan_id=scan_id
        )
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "private, no-store"}
    return Response(made.data, media_type="application/zip", headers=headers)


def _scan(session: Session, scan_id: int) -> ScanView:
    view = read_scan(session, scan_id)
    if view is None:
        raise NotFoundError("There is no such scan, or your role does not show it to you.", remedy="See GET /scans.")
    return view


def _index(view: ScanView) -> DeviceIndexDocument | None:
    if view.device_quality is None:
        return None
    name, value = view.device_quality
    limit = INDEX_LIMITS.get(name)
    return DeviceIndexDocument(
        name=name,
        value=value,
        limit=limit.limit if limit else None,
        source=limit.source if limit else None,
        is_met=limit.is_met_by(value) if limit else None,
    )
