"""Decisions about a scan, each with the version that was seen: refused where the scan has moved on since."""

from typing import Annotated

from fastapi import APIRouter, Path

from core.usecases.review_scan import accept_scan, override_scan, query_site, request_reacquisition
from dashboard.api.documents.base import Id
from dashboard.api.documents.work import AcceptBody, DecidedDocument, OverrideBody, QueryBody, ReacquireBody
from dashboard.api.guard import DecisionWriter
from dashboard.api.routers.scans import decided

router = APIRouter(tags=["scans"])

ScanId = Annotated[Id, Path(description="Id of a scan.")]


@router.post("/scans/{scan_id}/accept")
def accept(scan_id: ScanId, body: AcceptBody, caller: DecisionWriter) -> DecidedDocument:
    """Accept a scan as it is."""
    with caller.open_session() as session:
        accept_scan(
            session,
            actor=caller.actor,
            scan_id=scan_id,
            seen_version=body.seen_version,
            ordinal=body.ordinal,
            reason=body.reason,
        )
        return decided(session, scan_id)


@router.post("/scans/{scan_id}/override")
def override(scan_id: ScanId, body: OverrideBody, caller: DecisionWriter) -> DecidedDocument:
    """Decide against the model, with the reason."""
    with caller.open_session() as session:
        override_scan(
            session,
            actor=caller.actor,
            scan_id=scan_id,
            seen_version=body.seen_version,
            ordinal=body.ordinal,
            reason=body.reason,
        )
        return decided(session, scan_id)


@router.post("/scans/{scan_id}/request-reacquisition")
def ask_for_new_scan(scan_id: ScanId, body: ReacquireBody, caller: DecisionWriter) -> DecidedDocument:
    """Ask the site to take the scan again."""
    with caller.open_session() as session:
        request_reacquisition(
            session,
            actor=caller.actor,
            scan_id=scan_id,
            seen_version=body.seen_version,
            reason_code=body.reason_code,
            text=body.text,
            remedy=body.remedy,
        )
        return decided(session, scan_id)


@router.post("/scans/{scan_id}/query")
def ask_site(scan_id: ScanId, body: QueryBody, caller: DecisionWriter) -> DecidedDocument:
    """Ask the site a question; it has the next move."""
    with caller.open_session() as session:
        query_site(session, actor=caller.actor, scan_id=scan_id, seen_version=body.seen_version, question=body.question)
        return decided(session, scan_id)
