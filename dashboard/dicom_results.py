"""The route that hands out a scan's results as DICOM: behind the gate, by site through the database, audited."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.database.session import session_scope
from core.errors import NotAllowedError, NotFoundError, OctauditError, StorageError, UsageError
from core.store.access import current_actor
from dashboard.filters import MAX_ID
from dashboard.installation import Installation

if TYPE_CHECKING:
    from core.reports.export_dicom import DicomExport

_STATUS: dict[type[OctauditError], int] = {NotFoundError: 404, NotAllowedError: 403, UsageError: 409, StorageError: 503}
_NOT_KEPT = {"Cache-Control": "no-store"}


def dicom_routes(installation: Installation) -> list[BaseRoute]:
    """One route: ``/scans/{id}/dicom.zip``."""

    def dicom(request: Request) -> Response:
        scan_id = request.path_params["scan_id"]
        try:
            export = _export(installation, request.state.session_token, scan_id)
        except OctauditError as error:
            answer = {"code": type(error).__name__, "message": error.message, "remedy": error.remedy}
            return JSONResponse(
                answer, status_code=_STATUS.get(type(error), 500), headers={"Cache-Control": "no-store"}
            )
        headers = {"Content-Disposition": f'attachment; filename="{export.name}"', "Cache-Control": "no-store"}
        return Response(export.data, media_type="application/zip", headers=headers)

    return [Route("/scans/{scan_id:int}/dicom.zip", dicom)]


def _export(installation: Installation, token: str, scan_id: int) -> "DicomExport":
    from core.reports.export_dicom import export_dicom

    with session_scope(installation.database, token=token) as session:
        actor = current_actor(session)
        if actor is None or scan_id > MAX_ID:
            raise NotFoundError("There is no such scan.", remedy="Open it from the worklist.")
        return export_dicom(
            session, actor=actor, blobs=installation.blobs, settings=installation.settings, scan_id=scan_id
        )
