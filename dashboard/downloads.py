"""Files to save: reports that were made, receipts, tip sheets and exports. Rights are the database's, by the session.

Every answer is `private, no-store`. A link on another host's page gets nothing, for some of these write a row.
"""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.database.session import session_scope
from core.errors import NotAllowedError, NotFoundError, OctauditError, StorageError
from core.reports.export import ExportKind, write_export
from core.reports.make_report import MEDIA_TYPE, make_receipt, make_tip_sheet
from core.store.access import Actor, current_actor
from core.store.report import ReportRow, read_report
from core.store.scan_filter import ScanFilter
from core.usecases.exchange_masks import export_round
from core.usecases.note_export import note_export
from core.usecases.outline_faz import export_to_outline
from core.vocabulary import ReasonCode, Slab
from dashboard.filters import MAX_ID
from dashboard.installation import Installation

_FROM_HERE = {"same-origin", "none"}
"""Values of Sec-Fetch-Site for our own pages and for an address that a person typed."""
_STATUSES = {NotFoundError: 404, NotAllowedError: 403, StorageError: 503}
Found = tuple[ReportRow, bytes]


def download_routes(installation: Installation) -> list[BaseRoute]:
    """Paths end in what is saved, so that no page of ours has the same."""
    door = _Door(installation)
    return [
        Route("/reports/{report_id:int}.pdf", door.report),
        Route("/receipts/{batch_id:int}.pdf", door.receipt),
        Route("/tips/{study_id:int}/{reason}.pdf", door.tip_sheet),
        Route("/exports/{kind}.zip", door.export),
        Route("/annotate/{round_id:int}.zip", door.masks),
        Route("/outlines/{study_id:int}.zip", door.outlines),
    ]


class _Door:
    """Handlers of the routes; plain functions, so Starlette runs them in its thread pool."""

    def __init__(self, installation: Installation) -> None:
        self._database = installation.database
        self._blobs = installation.blobs

    def report(self, request: Request) -> Response:
        """A report as it was made."""

        def find(session: Session, _: Actor) -> Found:
            row = read_report(session, _number(request, "report_id"))
            if row.made is None:
                raise NotFoundError(f"Report {row.id} is not made yet.", remedy="Wait a few seconds.")
            return row, self._blobs.get(row.made.pdf_sha256)

        return self._answer(request, find)

    def receipt(self, request: Request) -> Response:
        """The receipt of a batch, its scans as they stand now."""
        batch_id = _number(request, "batch_id")
        return self._answer(request, lambda session, actor: make_receipt(session, self._blobs, batch_id, actor=actor))

    def tip_sheet(self, request: Request) -> Response:
        """The sheet about one cause in the words of a study."""
        study_id, reason = _number(request, "study_id"), request.path_params["reason"]

        def make(session: Session, actor: Actor) -> Found:
            if reason not in list(ReasonCode):
                raise NotFoundError(f"There is no cause {reason!r}.", remedy="Choose one on the page Reports.")
            return make_tip_sheet(session, self._blobs, study_id, ReasonCode(reason), actor=actor)

        return self._answer(request, make)

    def export(self, request: Request) -> Response:
        """A ZIP, written to disk in chunks and removed once it is sent."""
        folder = tempfile.TemporaryDirectory(prefix="octaudit-export-")
        try:
            kind, chosen = ExportKind(request.path_params["kind"]), _chosen(request)
            with self._scope(request) as session:
                written = write_export(session, chosen, kind, Path(folder.name), actor=_actor(session))
        except (OctauditError, ValueError) as error:
            folder.cleanup()
            return _refusal(error)
        except BaseException:
            folder.cleanup()
            raise
        headers = {"Cache-Control": "private, no-store"}
        return FileResponse(
            written.path, media_type="application/zip", filename=written.file_name, headers=headers,
            background=BackgroundTask(folder.cleanup),
        )  # fmt: skip

    def masks(self, request: Request) -> Response:
        """A round's images and masks in the layout of training."""
        round_id = _number(request, "round_id")

        def write(session: Session, place: Path, actor: Actor) -> Path:
            return export_round(session, self._blobs, round_id, place, actor=actor)

        return self._archive(request, write)

    def outlines(self, request: Request) -> Response:
        """Images of scans whose FAZ is to be outlined by hand."""
        query = request.query_params
        slab = Slab(query["slab"]) if query.get("slab") in list(Slab) else None
        chosen = ScanFilter(study_id=_number(request, "study_id"), slab=slab, scan_type=query.get("type"))

        def write(session: Session, place: Path, actor: Actor) -> Path:
            return export_to_outline(session, self._blobs, chosen, place, actor=actor)

        return self._archive(request, write)

    def _archive(self, request: Request, write: Callable[[Session, Path, Actor], Path]) -> Response:
        """A ZIP that ``write`` makes in a folder of its own, removed once it is sent."""
        folder = tempfile.TemporaryDirectory(prefix="octaudit-export-")
        try:
            with self._scope(request) as session:
                path = write(session, Path(folder.name), _actor(session))
        except OctauditError as error:
            folder.cleanup()
            return _refusal(error)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            path, media_type="application/zip", filename=path.name, headers={"Cache-Control": "private, no-store"},
            background=BackgroundTask(folder.cleanup),
        )  # fmt: skip

    def _answer(self, request: Request, find: Callable[[Session, Actor], Found]) -> Response:
        try:
            with self._scope(request) as session:
                actor = _actor(session)
                row, pdf = find(session, actor)
                note_export(session, actor=actor, what=row.file_name, study_id=row.study_id, site_id=row.site_id)
        except OctauditError as error:
            return _refusal(error)
        disposition = f"attachment; filename*=UTF-8''{quote(row.file_name)}"
        headers = {"Cache-Control": "private, no-store", "Content-Disposition": disposition}
        return Response(pdf, media_type=MEDIA_TYPE, headers=headers)

    def _scope(self, request: Request) -> AbstractContextManager[Session]:
        if request.headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            raise NotAllowedError("Files are given to our own pages alone.", remedy="Open octaudit and save it there.")
        return session_scope(self._database, token=request.state.session_token)


def _actor(session: Session) -> Actor:
    actor = current_actor(session)
    if actor is None:
        raise NotAllowedError("There is no session.", remedy="Sign in at /login.")
    return actor


def _chosen(request: Request) -> ScanFilter:
    """The filter of the query: study, maybe a site, maybe days; ValueError where it is none."""
    query = request.query_params
    days = [date.fromisoformat(query[name]) if query.get(name) else None for name in ("since", "until")]
    ids = [int(query[name]) if query.get(name) else None for name in ("study", "site")]
    if ids[0] is None or any(each is not None and not 0 < each <= MAX_ID for each in ids):
        raise ValueError("the query names no study")
    return ScanFilter(study_id=ids[0], site_id=ids[1], since=days[0], until=days[1])


def _number(request: Request, name: str) -> int:
    return min(int(request.path_params[name]), MAX_ID)


def _refusal(error: Exception) -> Response:
    if not isinstance(error, OctauditError):
        error = NotFoundError("There is no such export.", remedy="Choose one on the page Reports.")
    body = {"code": type(error).__name__, "message": error.message, "remedy": error.remedy}
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 409)
    return JSONResponse(body, status, headers={"Cache-Control": "private, no-store"})
