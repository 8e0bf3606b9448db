"""Decisions about a scan, each with the version that was seen: refused where the scan has moved on since."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path

from core.usecases.review_scan import accept_scan, override_scan, query_site, request_reacquisition
from dashboard.api.documents.base import Body, Id
from dashboard.api.documents.work import AcceptBody, DecidedDocument, OverrideBody, QueryBody, ReacquireBody
from dashboard.api.guard import DecisionWriter
from dashboard.api.routers.scans import decided

router = APIRouter(tags=["scans"])

ScanId = Annotated[Id, Path(description="Id of a scan.")]


@router.post("/scans/{scan_id}/accept")
def accept(scan_id: ScanId, body: AcceptBody, caller: DecisionWriter) -> DecidedDocument:
    """Accept a scan as it is."""
    return _decide(accept_scan, scan_id, body, caller)


@router.post("/scans/{scan_id}/override")
def override(scan_id: ScanId, body: OverrideBody, caller: DecisionWriter) -> DecidedDocument:
    """Decide against the model, with the reason."""
    return _decide(override_scan, scan_id, body, caller)


@router.post("/scans/{scan_id}/request-reacquisition")
def ask_for_new_scan(scan_id: ScanId, body: ReacquireBody, caller: DecisionWriter) -> DecidedDocument:
    """Ask the site to take the scan again."""
    return _decide(request_reacquisition, scan_id, body, caller)


@router.post("/scans/{scan_id}/query")
def ask_site(scan_id: ScanId, body: QueryBody, caller: DecisionWriter) -> DecidedDocument:
    """Ask the site a question; it has the next move."""
    return _decide(query_site, scan_id, body, caller)


def _decide(verb: Callable[..., object], scan_id: int, body: Body, caller: DecisionWriter) -> DecidedDocument:
    """Run a use case whose arguments are the body's fields, and say where the scan stands then."""
    with caller.open_session() as session:
        verb(session, actor=caller.actor, scan_id=scan_id, **dict(body))
        return decided(session, scan_id)
