"""Batches from draft to receipt. Uploads stream to disk; what blocks (PostgreSQL, decoding) runs in a thread."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from core.clock import now
from core.errors import NotFoundError
from core.intake.manifest_csv import MAX_MANIFEST_BYTES, manifest_template
from core.store.batch import read_batch, read_batches, read_file
from core.usecases.check_batch import BatchCheck, check_batch
from core.usecases.open_batch import fill_in, open_batch, take_out
from core.usecases.release_held import discard_held, release_held
from core.usecases.stage_files import ManifestOutcome, StagedFile, Staging, apply_manifest, stage_upload
from core.usecases.submit_batch import read_receipt, submit_batch
from core.vocabulary import FileState
from dashboard.api.answers import PNG
from dashboard.api.documents.base import Id, Page
from dashboard.api.documents.uploads import (
    BatchDocument,
    BatchLineDocument,
    BatchRequest,
    Cell,
    ColumnName,
    DiscardRequest,
    HeldDocument,
    ManifestDocument,
    ReceiptDocument,
    ReleaseRequest,
    StagedDocument,
    UploadDocument,
)
from dashboard.api.guard import Caller, UploadReader, UploadWriter
from dashboard.api.paging import Paged, cursor
from dashboard.api.spool import spooled

router = APIRouter(tags=["uploads"])

FileName = Annotated[str, Query(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
BatchId = Annotated[Id, Path(description="Id of a batch.")]
FileId = Annotated[Id, Path(description="Id of a file of a batch.")]
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "Columns and an example row."}
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/manifest-template.csv", response_class=Response, responses=CSV)
def read_manifest_template(_: UploadReader) -> Response:
    """The manifest's columns with one example row."""
    headers = {"Content-Disposition": 'attachment; filename="octaudit-manifest.csv"'}
    # With a byte order mark: else Excel reads the file in the computer's own code page.
    return Response(manifest_template().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/batches")
def list_batches(asked: Annotated[Paged, Query()], caller: UploadReader) -> Page[BatchLineDocument]:
    """Batches with how many files they brought and what became of them, newest first."""
    with caller.open_session() as session:
        lines = read_batches(session, limit=asked.limit + 1, before_id=asked.before_id)
    shown = lines[: asked.limit]
    return Page(
        items=[BatchLineDocument.of(line) for line in shown],
        next=cursor(shown[-1].head.id) if len(lines) > asked.limit else None,
    )


@router.post("/batches", status_code=201)
def create_batch(wanted: BatchRequest, caller: UploadWriter) -> BatchDocument:
    """Open a draft for one site."""
    with caller.open_session() as session:
        head = open_batch(session, actor=caller.actor, study=wanted.study, site=wanted.site)
        return BatchDocument.of(BatchCheck(head, ()))


@router.get("/batches/{batch_id}")
def read_one_batch(batch_id: BatchId, caller: UploadReader) -> BatchDocument:
    """The batch as it stands, every file with what would become of it."""
    with caller.open_session() as session:
        return BatchDocument.of(check_batch(session, batch_id, now=now()))


@router.put("/batches/{batch_id}/entries")
def write_entries(batch_id: BatchId, entries: dict[Id, dict[ColumnName, Cell]], caller: UploadWriter) -> BatchDocument:
    """Store table rows by file id, and answer with the check."""
    with caller.open_session() as session:
        fill_in(session, actor=caller.actor, batch_id=batch_id, entries=entries)
        return BatchDocument.of(check_batch(session, batch_id, now=now()))


@router.delete("/batches/{batch_id}/files/{file_id}", status_code=204)
def delete_file(batch_id: BatchId, file_id: FileId, caller: UploadWriter) -> None:
    """Take one file out of a draft."""
    with caller.open_session() as session:
        take_out(session, actor=caller.actor, batch_id=batch_id, file_ids=[file_id])


@router.post("/batches/{batch_id}/submit")
def submit(batch_id: BatchId, caller: UploadWriter) -> ReceiptDocument:
    """Submit; the answer is sent after the commit. Submitting twice gives the same receipt."""
    with caller.open_session() as session:
        receipt = submit_batch(
            session,
            actor=caller.actor,
            blobs=caller.installation.blobs,
            bell=caller.installation.bell,
            batch_id=batch_id,
        )
    return ReceiptDocument.of(receipt)


@router.get("/batches/{batch_id}/receipt")
def read_batch_receipt(batch_id: BatchId, caller: UploadReader) -> ReceiptDocument:
    """The receipt, each scan as it stands now."""
    with caller.open_session() as session:
        return ReceiptDocument.of(read_receipt(session, batch_id))


@router.put("/batches/{batch_id}/files", operation_id="put_file", openapi_extra=BODY)
@router.post("/batches/{batch_id}/files", operation_id="post_file", openapi_extra=BODY)
async def upload(batch_id: BatchId, name: FileName, request: Request, caller: UploadWriter) -> UploadDocument:
    """Take in one file, or all members of a zip: the body is the file itself, streamed to disk."""
    settings = caller.installation.settings
    staging = _staging(caller, batch_id)
    # Asked before the body is read: nobody should send 500 MB to be told that the batch is not theirs.
    await run_in_threadpool(_require_visible, caller, batch_id)
    async with spooled(request, settings, max_bytes=settings.upload_max_file_mb * 1_000_000) as path:
        outcomes = await run_in_threadpool(lambda: list(stage_upload(staging, path, name)))
    return UploadDocument(
        files=[StagedDocument.of(outcome) for outcome in outcomes if isinstance(outcome, StagedFile)],
        manifests=[ManifestDocument.of(outcome) for outcome in outcomes if isinstance(outcome, ManifestOutcome)],
    )


@router.post("/batches/{batch_id}/manifest", openapi_extra=BODY)
async def send_manifest(batch_id: BatchId, request: Request, caller: UploadWriter) -> ManifestDocument:
    """Fill the draft's table in from a manifest CSV."""
    async with spooled(request, caller.installation.settings, max_bytes=MAX_MANIFEST_BYTES) as path:
        return ManifestDocument.of(
            await run_in_threadpool(lambda: apply_manifest(_staging(caller, batch_id), path.read_bytes()))
        )


@router.get("/files/{file_id}/image.png", response_class=Response, responses=PNG)
def read_file_image(file_id: FileId, caller: UploadReader) -> Response:
    """An uploaded file's image, for whoever may see its name: to look at suspected lettering."""
    with caller.open_session() as session:
        sha256 = read_file(session, file_id).image_sha256
    if sha256 is None:
        raise NotFoundError("This file has no image.", remedy="It could not be read; see its problems.")
    headers = {"Cache-Control": "private, no-store"}
    return Response(caller.installation.blobs.get(sha256), media_type="image/png", headers=headers)


@router.post("/files/{file_id}/release")
def release_file(file_id: FileId, wanted: ReleaseRequest, caller: UploadWriter) -> HeldDocument:
    """Release a held file: confirmed, cropped or painted over."""
    with caller.open_session() as session:
        state = release_held(
            session,
            actor=caller.actor,
            blobs=caller.installation.blobs,
            bell=caller.installation.bell,
            file_id=file_id,
            reason=wanted.reason,
            crop=wanted.crop.as_region() if wanted.crop else None,
            blacken=[region.as_region() for region in wanted.blacken],
        )
    return HeldDocument(state=state)


@router.post("/files/{file_id}/discard")
def discard_file(file_id: FileId, wanted: DiscardRequest, caller: UploadWriter) -> HeldDocument:
    """Reject a held file, because it names a person."""
    with caller.open_session() as session:
        discard_held(session, actor=caller.actor, file_id=file_id, reason=wanted.reason)
    return HeldDocument(state=FileState.REJECTED)


def _staging(caller: Caller, batch_id: int) -> Staging:
    installation = caller.installation
    return Staging(caller.open_session, installation.blobs, installation.settings, caller.actor, batch_id)


def _require_visible(caller: Caller, batch_id: int) -> None:
    with caller.open_session() as session:
        read_batch(session, batch_id)
