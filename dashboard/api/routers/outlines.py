"""FAZ outlines by hand: images to outline, outlines that come back, and how the model agrees with them."""

import tempfile
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from core.usecases.compare_outlines import compare_outlines
from core.usecases.outline_faz import KEEPERS, export_to_outline, import_outlines, reader_code
from dashboard.api.documents.masks import TakenDocument, TakenMasksDocument
from dashboard.api.documents.outlines import OutlinesDocument
from dashboard.api.filters import OutlineImagesQuery, OutlinesQuery
from dashboard.api.guard import Caller, RateReader, ScanReader, WorkWriter
from dashboard.api.routers.quality import DEFAULT_SLAB, DEFAULT_TYPE
from dashboard.api.routers.reports import ZIP
from dashboard.api.routers.uploads import BODY, FileName
from dashboard.api.spool import spooled
from dashboard.navigation import JUDGES

router = APIRouter(tags=["quality"])
_KEEPERS = frozenset(KEEPERS)
Asked = Annotated[OutlinesQuery, Query()]
Reader = Annotated[str, Path(max_length=40, description="Code of the person who drew, for example R1.")]


@router.get("/faz-outlines")
def read_faz_outlines(asked: Asked, caller: RateReader) -> OutlinesDocument:
    """Bland-Altman and ICC of the model and of readers. Superficial, `octa-enface 3x3`, all time unless asked."""
    caller.require_role(JUDGES)
    chosen = replace(asked.chosen(), slab=asked.slab or DEFAULT_SLAB, scan_type=asked.type or DEFAULT_TYPE)
    with caller.open_session() as session:
        return OutlinesDocument.of(compare_outlines(session, chosen, asked.metric.value))


@router.get("/faz-outlines/images.zip", response_class=Response, responses=ZIP)
def export_scans_to_outline(asked: Annotated[OutlineImagesQuery, Query()], caller: ScanReader) -> Response:
    """Images of gradable scans drawn by lot, one of a subject, without what the model drew; `study` is required."""
    caller.require_role(_KEEPERS)
    chosen = replace(asked.chosen(), slab=asked.slab or DEFAULT_SLAB, scan_type=asked.type or DEFAULT_TYPE)
    folder = tempfile.TemporaryDirectory(prefix="octaudit-export-")
    try:
        with caller.open_session() as session:
            blobs = caller.installation.blobs
            path = export_to_outline(session, blobs, chosen, FilePath(folder.name), n=asked.n, actor=caller.actor)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(
        path, media_type="application/zip", filename=path.name, headers=headers,
        background=BackgroundTask(folder.cleanup),
    )  # fmt: skip


@router.put("/faz-outlines/{reader}/files", openapi_extra=BODY)
async def send_faz_outlines(reader: Reader, name: FileName, request: Request, caller: WorkWriter) -> TakenMasksDocument:
    """Put in one outline (PNG), or all of a zip, of one reader: the body is the file itself, streamed to disk."""
    caller.require_role(_KEEPERS)
    reader_code(reader)  # asked before the body is read
    settings = caller.installation.settings
    async with spooled(request, settings, max_bytes=settings.upload_max_file_mb * 1_000_000) as path:
        taken = await run_in_threadpool(lambda: _take(caller, reader, path, name))
    return TakenMasksDocument(files=taken)


def _take(caller: Caller, reader: str, path: FilePath, name: str) -> list[TakenDocument]:
    blobs = caller.installation.blobs
    taken = import_outlines(caller.open_session, blobs, reader, path, name, actor=caller.actor)
    return [TakenDocument.of(each) for each in taken]
