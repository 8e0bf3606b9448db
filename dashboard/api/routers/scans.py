"""Scans: lists, one with all that its page shows, and the images."""

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotFoundError
from core.scoring.pictures import media_type_of
from core.store.example import read_examples
from core.store.scan_image import ScanImages, read_scan_images
from core.store.scan_list import read_scan_list
from core.store.scan_view import AssessmentView, ScanView, read_scan
from core.store.worklist import read_worklist
from core.vocabulary import ArtifactType
from dashboard.api.answers import FILE, PNG
from dashboard.api.documents.base import Id, Page
from dashboard.api.documents.scans import (
    AssessmentDocument,
    ExampleDocument,
    ScanDocument,
    ScanLineDocument,
    WorklistItemDocument,
)
from dashboard.api.documents.work import DecidedDocument
from dashboard.api.filters import ExamplesAsked, ScanListAsked, WorklistAsked
from dashboard.api.guard import Caller, ScanReader
from dashboard.api.paging import cursor
from dashboard.images import private_blob, private_png

router = APIRouter(tags=["scans"])

ScanId = Annotated[Id, Path(description="Id of a scan.")]


@router.get("/scans")
def list_scans(asked: ScanListAsked, caller: ScanReader) -> Page[ScanLineDocument]:
    """Every scan that the caller may see, newest first.

    A page looks through 8,000 scans at most: where few of them are as asked for it is short, or empty, and yet has a
    `next`. The list has ended where `next` is null.
    """
    with caller.open_session() as session:
        found = read_scan_list(
            session,
            asked.chosen(),
            state=asked.state,
            ordinal=asked.grade,
            before_id=asked.before_id,
            limit=asked.limit,
        )
    return Page(
        items=[ScanLineDocument.model_validate(line) for line in found.items],
        next=None if found.next_id is None else cursor(found.next_id),
    )


@router.get("/worklist")
def list_worklist(asked: WorklistAsked, caller: ScanReader) -> Page[WorklistItemDocument]:
    """Scans that wait, most urgent first, by whose move it is.

    Sorted by what can still be done today, so a page begins after a number of rows: what is decided meanwhile moves
    the others up. Take the first page again after deciding.
    """
    with caller.open_session() as session:
        found = read_worklist(
            session, asked.chosen(), asked.tab, today=now().date(), page=asked.number, page_size=asked.limit
        )
    return Page(
        items=[WorklistItemDocument.model_validate(item) for item in found.items],
        next=asked.next_of(len(found.items), total=found.total),
    )


@router.get("/examples")
def list_examples(asked: ExamplesAsked, caller: ScanReader) -> Page[ExampleDocument]:
    """Scored scans with that final grade and reason, newest first; their images are those of the scan."""
    with caller.open_session() as session:
        found = read_examples(
            session,
            asked.chosen(),
            ordinal=asked.grade,
            reason=asked.reason,
            kind=asked.kind,
            wanted=asked.wanted,
            fault=asked.fault,
            page_size=asked.limit,
            before_id=asked.before_id,
        )
    return Page(
        items=[ExampleDocument.model_validate(item) for item in found.items],
        next=cursor(found.items[-1].scan_id) if found.has_more else None,
    )


@router.get("/scans/{scan_id}")
def read_one_scan(scan_id: ScanId, caller: ScanReader) -> ScanDocument:
    """All that the scan's page shows. Measures of an ungradable scan that rest on the FAZ are withheld, as there."""
    with caller.open_session() as session:
        view = read_scan(session, scan_id)
    if view is None:
        raise NotFoundError("There is no such scan, or your role does not show it to you.", remedy="See GET /scans.")
    return _document(view)


@router.get("/scans/{scan_id}/image.png", response_class=Response, responses=PNG)
def read_scan_image(scan_id: ScanId, request: Request, caller: ScanReader) -> Response:
    """The scan itself."""
    return _image(request, caller, _images(caller, scan_id).image_sha256)


@router.get("/scans/{scan_id}/faz.png", response_class=Response, responses=PNG)
def read_scan_faz(scan_id: ScanId, request: Request, caller: ScanReader) -> Response:
    """The mask of the foveal avascular zone: 255 within, else 0."""
    return _image(request, caller, _images(caller, scan_id).faz_sha256)


@router.get("/scans/{scan_id}/cam.png", response_class=Response, responses=PNG)
def read_scan_cam(scan_id: ScanId, request: Request, caller: ScanReader) -> Response:
    """The Grad-CAM as grey levels: where the model looked. It is no measurement."""
    return _image(request, caller, _images(caller, scan_id).cam_sha256)


@router.get("/scans/{scan_id}/masks/{type}.png", response_class=Response, responses=PNG)
def read_scan_mask(
    scan_id: ScanId, type_: Annotated[ArtifactType, Path(alias="type")], request: Request, caller: ScanReader
) -> Response:
    """The mask of one artifact: 255 within, else 0."""
    return _image(request, caller, _images(caller, scan_id).mask_sha256.get(type_.value))


@router.get("/scans/{scan_id}/pictures/{name}", response_class=Response, responses=FILE)
def read_scan_picture(
    scan_id: ScanId,
    name: Annotated[str, Path(max_length=100, description="One of the assessment's pictures.")],
    request: Request,
    caller: ScanReader,
) -> Response:
    """A file of the lane's findings: a mask as PNG, a map or borders as a NumPy array of float32."""
    sha256 = _images(caller, scan_id).picture_sha256.get(name)
    if sha256 is None:
        raise _no_image()
    content = caller.installation.blobs.get
    return private_blob(request, etag=sha256, content=lambda: content(sha256), media_type=media_type_of(name))


def _document(view: ScanView) -> ScanDocument:
    given = {each.name: getattr(view, each.name) for each in fields(view)}
    if view.assessment is not None:
        judged = {name: getattr(view.assessment, name) for name in AssessmentDocument.model_fields}
        judged["measures"] = _released(view.assessment, view.human_ordinal)
        given["assessment"] = AssessmentDocument.model_validate(judged, from_attributes=True)
    return ScanDocument.model_validate(given, from_attributes=True)


def _released(assessment: AssessmentView, human_ordinal: int | None) -> dict[str, object]:
    return dict(assessment.released_measures(human_ordinal))


def _images(caller: Caller, scan_id: int) -> ScanImages:
    with caller.open_session() as session:
        images = read_scan_images(session, scan_id)
    if images is None:
        raise _no_image()
    return images


def _image(request: Request, caller: Caller, sha256: str | None) -> Response:
    if sha256 is None:
        raise _no_image()
    return private_png(request, etag=sha256, content=lambda: caller.installation.blobs.get(sha256))


def _no_image() -> NotFoundError:
    """The same for no such scan, not the caller's site and no such layer: existence is not revealed."""
    return NotFoundError(
        "There is no such image, or your role does not show it to you.", remedy="See GET /scans/{scan_id}."
    )


def decided(session: Session, scan_id: int) -> DecidedDocument:
    """Where a scan stands after a step of this transaction."""
    session.flush()
    session.expire_all()
    view = read_scan(session, scan_id)
    if view is None:
        raise NotFoundError("There is no such scan, or your role does not show it to you.", remedy="See GET /scans.")
    return DecidedDocument.model_validate(view)
