"""Lists accepted after a look at a sample, and the own last decision taken back."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotFoundError
from core.usecases.accept_in_bulk import (
    BulkView,
    accept_piece,
    look_at_bulk,
    look_at_sample,
    mark_sample,
    open_bulk,
    stop_bulk,
)
from core.usecases.undo_review import find_undoable, undo_review
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.bulk import BulkDocument, BulkItemDocument, MarkBody, UndoableDocument, UndoBody
from dashboard.api.documents.work import DecidedDocument
from dashboard.api.filters import ScansAsked
from dashboard.api.guard import Caller, DecisionWriter, ScanReader
from dashboard.api.routers.scans import decided
from dashboard.navigation import COMPARERS, DECIDERS

router = APIRouter(tags=["scans"])

BulkId = Annotated[Id, Path(description="Id of a bulk acceptance.")]
SampledId = Annotated[Id, Path(description="Id of a scan of its sample.")]


@router.post("/bulk-acceptances", status_code=201)
def open_bulk_acceptance(asked: ScansAsked, caller: DecisionWriter) -> BulkDocument:
    """Fix the list of scans to decide under these filters, and draw the sample to look at."""
    caller.require_role(DECIDERS)
    filters = {name: str(value) for name, value in asked.model_dump(mode="json", exclude_none=True).items()}
    with caller.open_session() as session:
        bulk_id = open_bulk(session, actor=caller.actor, chosen=asked.chosen(), filters=filters, today=now().date())
        return _bulk(session, bulk_id)


@router.get("/bulk-acceptances/{bulk_id}")
def read_bulk_acceptance(bulk_id: BulkId, caller: ScanReader) -> BulkDocument:
    """How far it is."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        return _bulk(session, bulk_id)


@router.post("/bulk-acceptances/{bulk_id}/sample/{scan_id}/look")
def look_at_sampled_scan(bulk_id: BulkId, scan_id: SampledId, caller: DecisionWriter) -> BulkDocument:
    """Note that a scan of the sample was opened; what there is to see is at GET /scans/{scan_id}."""

    def look(session: Session) -> None:
        if look_at_sample(session, actor=caller.actor, bulk_id=bulk_id, scan_id=scan_id) is None:
            raise NotFoundError("The scan is in no sample of yours.", remedy="See GET /bulk-acceptances/{bulk_id}.")

    return _stepped(caller, bulk_id, look)


@router.post("/bulk-acceptances/{bulk_id}/sample/{scan_id}/mark")
def mark_sampled_scan(bulk_id: BulkId, scan_id: SampledId, body: MarkBody, caller: DecisionWriter) -> BulkDocument:
    """Agree or disagree with the acceptance of a scan that was looked at."""
    return _stepped(
        caller,
        bulk_id,
        lambda session: mark_sample(session, actor=caller.actor, bulk_id=bulk_id, scan_id=scan_id, mark=body.mark),
    )


@router.post("/bulk-acceptances/{bulk_id}/accept")
def accept_next_piece(bulk_id: BulkId, caller: DecisionWriter) -> BulkDocument:
    """Accept the next scans of an agreed list; ask again until `n_waiting` is 0."""
    return _stepped(caller, bulk_id, lambda session: accept_piece(session, actor=caller.actor, bulk_id=bulk_id))


@router.post("/bulk-acceptances/{bulk_id}/stop")
def stop_bulk_acceptance(bulk_id: BulkId, caller: DecisionWriter) -> BulkDocument:
    """Give it up; what has been accepted so far stays accepted."""
    return _stepped(caller, bulk_id, lambda session: stop_bulk(session, actor=caller.actor, bulk_id=bulk_id))


@router.get("/decisions/last")
def read_last_decision(caller: ScanReader) -> Listing[UndoableDocument]:
    """The caller's own last decision; none where it is too long ago, was made with a list or cannot be undone."""
    with caller.open_session() as session:
        found = find_undoable(session, actor=caller.actor)
    return Listing(items=[UndoableDocument.model_validate(found)] if found is not None else [])


@router.post("/decisions/undo")
def undo_decision(body: UndoBody, caller: DecisionWriter) -> DecidedDocument:
    """Take the own last decision back, or one scan of an own bulk acceptance, while nobody has moved on."""
    with caller.open_session() as session:
        scan_id = undo_review(session, actor=caller.actor, review_id=body.review_id, reason=body.reason)
        return decided(session, scan_id)


def _stepped(caller: Caller, bulk_id: int, step: Callable[[Session], object]) -> BulkDocument:
    with caller.open_session() as session:
        step(session)
        session.flush()
        return _bulk(session, bulk_id)


def _bulk(session: Session, bulk_id: int) -> BulkDocument:
    session.expire_all()
    view = look_at_bulk(session, bulk_id)
    if view is None:
        raise NotFoundError(
            "There is no such bulk acceptance, or none that you may see.", remedy="Open one: POST /bulk-acceptances."
        )
    return _document(view)


def _document(view: BulkView) -> BulkDocument:
    bulk = view.bulk
    return BulkDocument(
        id=bulk.id,
        study_id=bulk.study_id,
        reviewer_id=bulk.reviewer_id,
        state=bulk.state,
        created_at=bulk.created_at,
        ended_at=bulk.ended_at,
        is_agreed=view.is_agreed,
        n_waiting=len(view.waiting),
        sample=[BulkItemDocument.model_validate(item) for item in view.sample],
        accepted=[BulkItemDocument.model_validate(item) for item in view.accepted],
        left_out=[BulkItemDocument.model_validate(item) for item in view.items if item.left_out],
    )
