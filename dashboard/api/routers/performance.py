"""What comes of requests, what visits still owe, and a technician's own feedback."""

from datetime import timedelta

from fastapi import APIRouter

from core.charts.requests import receipt_rows
from core.clock import now
from core.statistics.survival import DurationQuantile, TurnAround
from core.store.completeness import read_completeness, read_latest_visits, read_planned_visits, read_visits_with_gaps
from core.store.first_pass import OwnPlace, StudyMedian, read_own_places
from core.usecases.follow_requests import follow_requests
from core.usecases.give_feedback import Feedback, give_feedback
from core.usecases.judge_units import visit_factor
from core.values import NotComputable
from core.vocabulary import Role
from dashboard.api.documents.base import Listing, Page
from dashboard.api.documents.rates import FIRST_CAPTURES, as_rate
from dashboard.api.documents.work import (
    FeedbackDocument,
    QuantileDocument,
    ReceiptPointDocument,
    RequestFiguresDocument,
    SiteCompletenessDocument,
    SiteQueriesDocument,
    VisitDocument,
)
from dashboard.api.filters import FeedbackAsked, PlacesAsked, RequestsAsked, VisitsAsked
from dashboard.api.guard import RateReader, WorkReader
from dashboard.api.paging import cursor
from dashboard.api.routers.quality import cause_counts
from dashboard.api.routers.work import TRACKERS
from dashboard.filters import Period

router = APIRouter(tags=["work"])

SCORED_SCANS = "scored scans of first captures"


@router.get("/requests-figures")
def read_request_figures(asked: RequestsAsked, caller: RateReader) -> RequestFiguresDocument:
    """How many requests end well, in time, and how long they take. 26 weeks unless asked."""
    caller.require_role(TRACKERS)
    chosen = asked.chosen(period=Period.WEEKS_26)
    with caller.open_session() as session:
        found = follow_requests(session, chosen, now=now(), factor=visit_factor(session, chosen))
    times = found.to_receipt
    return RequestFiguresDocument(
        as_of=found.as_of,
        n_requests=found.n_requests,
        n_cases=found.n_cases,
        n_open=found.n_open,
        success=found.success,
        within_window=found.within_window,
        n_received=times.n if isinstance(times, TurnAround) else None,
        median_to_receipt_days=_quantile(times.median) if isinstance(times, TurnAround) else None,
        p90_to_receipt_days=_quantile(times.p90) if isinstance(times, TurnAround) else None,
        not_computable=times.reason if isinstance(times, NotComputable) else None,
        receipt=_curve(times) if isinstance(times, TurnAround) else [],
        queries=[
            SiteQueriesDocument(
                site_id=each.site_id,
                site_code=each.site_code,
                rate=as_rate(each.rate.k, each.rate.n, SCORED_SCANS, each.rate),
            )
            for each in found.queries
        ],
        all_queries=found.all_queries,
    )


@router.get("/completeness")
def list_completeness(asked: PlacesAsked, caller: WorkReader) -> Listing[SiteCompletenessDocument]:
    """What every site was expected to send, and what of it is missing."""
    caller.require_role(TRACKERS)
    with caller.open_session() as session:
        found = read_completeness(session, asked.narrowed(), today=now().date())
    return Listing(items=[SiteCompletenessDocument.model_validate(each) for each in found])


@router.get("/completeness/visits")
def list_visits(asked: VisitsAsked, caller: WorkReader) -> Page[VisitDocument]:
    """Visits with what each owes: those with gaps, the soonest to close ahead; those planned ahead; or all.

    Sorted by what can still be sent, so a page begins after a number of rows.
    """
    caller.require_role(TRACKERS)
    today = now().date()
    with caller.open_session() as session:
        if asked.planned:
            found = read_planned_visits(
                session, asked.narrowed(), today=today, page=asked.number, page_size=asked.limit
            )
        elif asked.gaps:
            found = read_visits_with_gaps(
                session, asked.narrowed(), today=today, page=asked.number, page_size=asked.limit
            )
        else:
            found = read_latest_visits(session, asked.narrowed(), page=asked.number, page_size=asked.limit)
    is_full = len(found.visits) == asked.limit
    return Page(
        items=[VisitDocument.model_validate(visit) for visit in found.visits],
        next=cursor((asked.number + 1) * asked.limit) if is_full else None,
    )


@router.get("/feedback")
def list_feedback(asked: FeedbackAsked, caller: RateReader) -> Listing[FeedbackDocument]:
    """The caller's own first-pass rate at each site where they take scans, beside the study's median."""
    today = now().date()
    until = today + timedelta(days=7 - today.weekday())
    since = until - timedelta(weeks=asked.weeks)
    own = [g.site_id for g in caller.actor.grants if g.role is Role.SITE_TECHNICIAN and g.site_id is not None]
    with caller.open_session() as session:
        places = read_own_places(session, caller.actor.user_id or 0, own)
        found = [(place, give_feedback(session, place, since=since, until=until)) for place in places]
    return Listing(items=[_feedback(place, each) for place, each in found])


def _feedback(place: OwnPlace, found: Feedback) -> FeedbackDocument:
    median: StudyMedian | None = found.median
    return FeedbackDocument(
        study_code=place.study_code,
        site_code=place.site_code,
        technician_code=place.technician_code,
        since=found.since,
        until=found.until,
        gradable=as_rate(
            found.rate.k if found.rate else 0, found.rate.n if found.rate else 0, FIRST_CAPTURES, found.rate
        ),
        n_received=found.received,
        n_patients=found.patients,
        is_judged=found.is_judged,
        study_median={"value": median.median, "low": median.low, "high": median.high, "not_computable": None}
        if median
        else NotComputable("fewer than five units have enough captures"),
        n_units=median.n_units if median else None,
        causes=cause_counts(found.causes),
    )


def _curve(found: TurnAround) -> list[ReceiptPointDocument]:
    """The curve as the page draws it and gives it away."""
    return [ReceiptPointDocument.model_validate(row) for row in receipt_rows(found)]


def _quantile(found: DurationQuantile | NotComputable) -> QuantileDocument | None:
    return QuantileDocument.model_validate(found) if isinstance(found, DurationQuantile) else None
