"""The upload API as an ASGI application, mounted at /api/v1. Thin: every route calls one use case.

Uploads stream to disk; everything that blocks (PostgreSQL, decoding) runs in a thread. Documentation pages are off,
because theirs load from another host; the schema is at openapi.json.
"""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from core.clock import now
from core.errors import NotFoundError
from core.intake.manifest_csv import MAX_MANIFEST_BYTES, manifest_template
from core.store.batch import read_batch, read_file
from core.usecases.check_batch import BatchCheck, check_batch
from core.usecases.log_in import csrf_token_for
from core.usecases.open_batch import fill_in, open_batch, take_out
from core.usecases.release_held import discard_held, release_held
from core.usecases.stage_files import ManifestOutcome, StagedFile, Staging, apply_manifest, stage_upload
from core.usecases.submit_batch import read_receipt, submit_batch
from dashboard.api.documents import (
    BatchDocument,
    BatchRequest,
    DiscardRequest,
    ErrorDocument,
    ManifestDocument,
    ReceiptDocument,
    ReleaseRequest,
    StagedDocument,
    UploadDocument,
)
from dashboard.api.errors import install_error_handlers
from dashboard.api.guard import Caller, CallerOf
from dashboard.api.spool import spooled
from dashboard.installation import Installation

FileName = Annotated[str, Query(min_length=1, max_length=1000)]


def build_api(installation: Installation) -> FastAPI:
    """The API over an opened installation. Expects the gate to have put actor and session token into the state."""
    api = FastAPI(
        title="octaudit upload API",
        version="1",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ErrorDocument}, "5XX": {"model": ErrorDocument}},
    )
    api.state.installation = installation
    install_error_handlers(api)
    _add_session_routes(api)
    _add_draft_routes(api)
    _add_upload_routes(api)
    _add_file_routes(api)
    return api


def _add_session_routes(api: FastAPI) -> None:
    @api.get("/session")
    def session(request: Request, caller: CallerOf) -> dict[str, str]:
        """Who is signed in, and the token that changing requests carry in X-Octaudit-CSRF."""
        return {"name": caller.actor.name, "csrf_token": csrf_token_for(request.state.session_token)}

    @api.get("/manifest-template.csv")
    def template(_: CallerOf) -> Response:
        """The manifest's columns with one example row."""
        headers = {"Content-Disposition": 'attachment; filename="octaudit-manifest.csv"'}
        # With a byte order mark: else Excel reads the file in the computer's own code page.
        return Response(manifest_template().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


def _add_draft_routes(api: FastAPI) -> None:
    @api.post("/batches", status_code=201)
    def create(wanted: BatchRequest, caller: CallerOf) -> BatchDocument:
        """Open a draft for one site."""
        with caller.open_session() as session:
            head = open_batch(session, actor=caller.actor, study=wanted.study, site=wanted.site)
            return BatchDocument.of(BatchCheck(head, ()))

    @api.get("/batches/{batch_id}")
    def show(batch_id: int, caller: CallerOf) -> BatchDocument:
        """The batch as it stands, every file with what would become of it."""
        with caller.open_session() as session:
            return BatchDocument.of(check_batch(session, batch_id, now=now()))

    @api.put("/batches/{batch_id}/entries")
    def fill(batch_id: int, entries: dict[int, dict[str, str | float | None]], caller: CallerOf) -> BatchDocument:
        """Store table rows by file id, and answer with the check."""
        with caller.open_session() as session:
            fill_in(session, actor=caller.actor, batch_id=batch_id, entries=entries)
            return BatchDocument.of(check_batch(session, batch_id, now=now()))

    @api.delete("/batches/{batch_id}/files/{file_id}", status_code=204)
    def remove(batch_id: int, file_id: int, caller: CallerOf) -> None:
        """Take one file out of a draft."""
        with caller.open_session() as session:
            take_out(session, actor=caller.actor, batch_id=batch_id, file_ids=[file_id])

    @api.post("/batches/{batch_id}/submit")
    def submit(batch_id: int, caller: CallerOf) -> ReceiptDocument:
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

    @api.get("/batches/{batch_id}/receipt")
    def receipt(batch_id: int, caller: CallerOf) -> ReceiptDocument:
        """The receipt, each scan as it stands now."""
        with caller.open_session() as session:
            return ReceiptDocument.of(read_receipt(session, batch_id))


def _add_upload_routes(api: FastAPI) -> None:
    @api.put("/batches/{batch_id}/files")
    @api.post("/batches/{batch_id}/files")
    async def upload(batch_id: int, name: FileName, request: Request, caller: CallerOf) -> UploadDocument:
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

    @api.post("/batches/{batch_id}/manifest")
    async def manifest(batch_id: int, request: Request, caller: CallerOf) -> ManifestDocument:
        """Fill the draft's table in from a manifest CSV."""
        async with spooled(request, caller.installation.settings, max_bytes=MAX_MANIFEST_BYTES) as path:
            return ManifestDocument.of(
                await run_in_threadpool(lambda: apply_manifest(_staging(caller, batch_id), path.read_bytes()))
            )


def _add_file_routes(api: FastAPI) -> None:
    @api.get("/files/{file_id}/image.png")
    def image(file_id: int, caller: CallerOf) -> Response:
        """An uploaded file's image, for whoever may see its name: to look at suspected lettering."""
        with caller.open_session() as session:
            sha256 = read_file(session, file_id).image_sha256
        if sha256 is None:
            raise NotFoundError("This file has no image.", remedy="It could not be read; see its problems.")
        headers = {"Cache-Control": "private, no-store"}
        return Response(caller.installation.blobs.get(sha256), media_type="image/png", headers=headers)

    @api.post("/files/{file_id}/release")
    def release(file_id: int, wanted: ReleaseRequest, caller: CallerOf) -> dict[str, str]:
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
        return {"state": state.value}

    @api.post("/files/{file_id}/discard")
    def discard(file_id: int, wanted: DiscardRequest, caller: CallerOf) -> dict[str, str]:
        """Reject a held file, because it names a person."""
        with caller.open_session() as session:
            discard_held(session, actor=caller.actor, file_id=file_id, reason=wanted.reason)
        return {"state": "rejected"}


def _staging(caller: Caller, batch_id: int) -> Staging:
    installation = caller.installation
    return Staging(caller.open_session, installation.blobs, installation.settings, caller.actor, batch_id)


def _require_visible(caller: Caller, batch_id: int) -> None:
    with caller.open_session() as session:
        read_batch(session, batch_id)
