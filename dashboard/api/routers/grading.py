"""Masked grading as its manager sees it: progress, what was settled, and checks of accepted scans."""

from fastapi import APIRouter

from core.clock import now
from core.store.accepted_check import read_open_checks
from core.store.calibration_mode import read_calibrated
from core.store.grading_view import read_progress, read_settled
from core.usecases.measure_acceptance import measure_acceptance
from dashboard.api.documents.base import Id, Listing, Page
from dashboard.api.documents.grading import (
    AcceptanceCheckDocument,
    CalibratedReviewerDocument,
    GradingProgressDocument,
    OpenCheckDocument,
    SettledScanDocument,
)
from dashboard.api.filters import ChecksAsked, ScansAsked
from dashboard.api.guard import RateReader, ScanReader
from dashboard.grading.progress import DONE_DAYS
from dashboard.navigation import DECIDERS, KEEPERS

router = APIRouter(prefix="/grading", tags=["quality"])

LATEST = 500


@router.get("/progress")
def read_grading_progress(asked: ScansAsked, caller: RateReader) -> GradingProgressDocument:
    """Where the gradings stand, and how far each grader is."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        found = read_progress(session, asked.chosen(), today=now().date(), days=DONE_DAYS)
        return GradingProgressDocument.model_validate(found)


@router.get("/settled")
def read_settled_gradings(asked: ScansAsked, caller: RateReader) -> Listing[SettledScanDocument]:
    """The latest 500 scans with a consensus, the newest first."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        found = read_settled(session, asked.chosen(), limit=LATEST)
        return Listing(items=[SettledScanDocument.model_validate(each) for each in found])


@router.get("/acceptance")
def read_acceptance_checks(asked: ScansAsked, caller: RateReader) -> AcceptanceCheckDocument:
    """Shares of the accepted scans that people found ungradable, whole and by device."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        return AcceptanceCheckDocument.model_validate(measure_acceptance(session, asked.chosen()))


@router.get("/calibrated")
def list_calibrated_reviewers(study: Id, caller: RateReader) -> Listing[CalibratedReviewerDocument]:
    """Who is in calibration mode in a study, the longest first."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        found = read_calibrated(session, study)
    return Listing(items=[CalibratedReviewerDocument.model_validate(each) for each in found])


@router.get("/checks")
def list_open_checks(asked: ChecksAsked, caller: ScanReader) -> Page[OpenCheckDocument]:
    """Accepted scans that the caller may check, the oldest draw first; a page begins after a number of rows."""
    caller.require_role(DECIDERS)
    with caller.open_session() as session:
        found = read_open_checks(session, asked.chosen(), page=asked.number, page_size=asked.limit)
    return Page(
        items=[OpenCheckDocument.model_validate(check) for check in found.items],
        next=asked.next_of(len(found.items), total=found.total),
    )
