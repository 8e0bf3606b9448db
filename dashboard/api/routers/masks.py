"""Masks to draw next: rounds of a study, their images, the masks that come back."""

import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from core.store.mask import list_rounds, read_round, read_wanted
from core.usecases.choose_masks import choose_masks
from core.usecases.exchange_masks import export_round, find_round, import_masks
from core.vocabulary import Role
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.masks import (
    RoundDocument,
    RoundRequest,
    TakenDocument,
    TakenMasksDocument,
    WantedDocument,
    WholeRoundDocument,
)
from dashboard.api.guard import Caller, ScanReader, WorkReader, WorkWriter
from dashboard.api.routers.reports import ZIP
from dashboard.api.routers.uploads import BODY, FileName
from dashboard.api.spool import spooled

router = APIRouter(tags=["masks"])

KEEPERS = frozenset({Role.MANAGER, Role.ADMIN})
RoundId = Annotated[Id, Path(description="Id of a round of masks.")]


@router.get("/mask-rounds")
def list_mask_rounds(caller: WorkReader, study: Annotated[Id | None, Query()] = None) -> Listing[RoundDocument]:
    """Rounds, newest first."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        return Listing(items=[RoundDocument.of(row) for row in list_rounds(session, study)])


@router.post("/mask-rounds", status_code=201)
def create_mask_round(wanted: RoundRequest, caller: WorkWriter) -> RoundDocument:
    """Choose the scans of a study and lane whose masks should be drawn next."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        round_id = choose_masks(session, actor=caller.actor, study_id=wanted.study, kind=wanted.kind)
        row = read_round(session, round_id)
        assert row is not None  # written a moment ago in this very transaction
        return RoundDocument.of(row)


@router.get("/mask-rounds/{round_id}")
def read_mask_round(round_id: RoundId, caller: WorkReader) -> WholeRoundDocument:
    """One round with its scans, the most wanted first."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        row = find_round(session, round_id, caller.actor)
        scans = [WantedDocument.of(scan) for scan in read_wanted(session, round_id)]
    return WholeRoundDocument(**RoundDocument.of(row).model_dump(), scans=scans)


@router.get("/mask-rounds/{round_id}/images.zip", response_class=Response, responses=ZIP)
def export_mask_round(round_id: RoundId, caller: ScanReader) -> Response:
    """Images, masks that are there, and a manifest, in the layout that training reads."""
    caller.require_role(KEEPERS)
    folder = tempfile.TemporaryDirectory(prefix="octaudit-export-")
    try:
        with caller.open_session() as session:
            blobs = caller.installation.blobs
            path = export_round(session, blobs, round_id, FilePath(folder.name), actor=caller.actor)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(
        path,
        media_type="application/zip",
        filename=path.name,
        headers=headers,
        background=BackgroundTask(folder.cleanup),
    )


@router.put("/mask-rounds/{round_id}/files", openapi_extra=BODY)
async def send_masks(round_id: RoundId, name: FileName, request: Request, caller: WorkWriter) -> TakenMasksDocument:
    """Put in one mask (PNG), or all masks of a zip: the body is the file itself, streamed to disk."""
    caller.require_role(KEEPERS)
    settings = caller.installation.settings
    # Asked before the body is read: nobody should send 500 MB to be told that the round is not theirs.
    await run_in_threadpool(_require_visible, caller, round_id)
    async with spooled(request, settings, max_bytes=settings.upload_max_file_mb * 1_000_000) as path:
        taken = await run_in_threadpool(lambda: _take(caller, round_id, path, name))
    return TakenMasksDocument(files=taken)


def _take(caller: Caller, round_id: int, path: FilePath, name: str) -> list[TakenDocument]:
    blobs = caller.installation.blobs
    taken = import_masks(caller.open_session, blobs, round_id, path, name, actor=caller.actor)
    return [TakenDocument.of(each) for each in taken]


def _require_visible(caller: Caller, round_id: int) -> None:
    with caller.open_session() as session:
        find_round(session, round_id, caller.actor)
