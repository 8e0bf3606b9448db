"""Requests for new scans, questions to sites, actions, alerts; and what a site does about them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotFoundError
from core.store.action import read_closed_actions, read_open_actions
from core.store.alert import read_ended_alerts, read_open_alerts
from core.store.alert_delivery import read_latest_sendings, read_subscriptions
from core.store.query_thread import read_thread
from core.store.scan_view import read_scan
from core.store.tracker import TrackerFilter, read_course, read_tracked, read_tracker
from core.usecases.answer_query import answer_query
from core.usecases.reacquire import acknowledge_request, mark_not_possible, schedule_request
from core.usecases.subscribe_to_alerts import ALERTED
from core.vocabulary import ActionState, Role
from dashboard.api.documents.base import Id, Listing, Page
from dashboard.api.documents.work import (
    ActionDocument,
    AlertDocument,
    AnswerBody,
    DecidedDocument,
    LatestSendingDocument,
    NoteBody,
    NotPossibleBody,
    RequestCourseDocument,
    RequestDocument,
    RequestStepDocument,
    ScheduleBody,
    SubscriptionDocument,
    ThreadDocument,
)
from dashboard.api.filters import ActionsAsked, AlertsAsked, RequestListAsked
from dashboard.api.guard import Caller, WorkReader, WorkWriter
from dashboard.api.routers.scans import decided
from dashboard.navigation import COMPARERS

router = APIRouter(tags=["work"])

TRACKERS = COMPARERS | {Role.SITE_TECHNICIAN}
"""Who sees requests and what visits owe."""
RequestId = Annotated[Id, Path(description="Id of a request.")]
ScanId = Annotated[Id, Path(description="Id of a scan.")]


@router.get("/requests")
def list_requests(asked: RequestListAsked, caller: WorkReader) -> Page[RequestDocument]:
    """Requests to take scans again: what sites owe first, the soonest due on top; then answered ones; the ended last.

    Sorted by what is due, so a page begins after a number of rows.
    """
    caller.require_role(TRACKERS)
    wanted = TrackerFilter(
        states=(asked.state,) if asked.state else (),
        owner_id=asked.owner,
        reason=asked.reason,
        only_overdue=asked.overdue,
    )
    with caller.open_session() as session:
        found = read_tracker(
            session,
            asked.chosen(),
            wanted,
            today=now().date(),
            page=asked.number,
            page_size=asked.limit,
        )
    return Page(
        items=[RequestDocument.model_validate(item) for item in found.items],
        next=asked.next_of(len(found.items), total=found.total),
    )


@router.get("/requests/{request_id}")
def read_request(request_id: RequestId, caller: WorkReader) -> RequestCourseDocument:
    """One request with every step of it."""
    with caller.open_session() as session:
        return _course(session, request_id)


@router.post("/requests/{request_id}/acknowledge")
def acknowledge(request_id: RequestId, body: NoteBody, caller: WorkWriter) -> RequestCourseDocument:
    """The site has seen the request."""
    return _moved(
        caller,
        request_id,
        lambda session: acknowledge_request(session, actor=caller.actor, request_id=request_id, note=body.note),
    )


@router.post("/requests/{request_id}/schedule")
def schedule(request_id: RequestId, body: ScheduleBody, caller: WorkWriter) -> RequestCourseDocument:
    """The site has made an appointment."""
    return _moved(
        caller,
        request_id,
        lambda session: schedule_request(
            session, actor=caller.actor, request_id=request_id, planned_on=body.planned_on, note=body.note
        ),
    )


@router.post("/requests/{request_id}/not-possible")
def give_up(request_id: RequestId, body: NotPossibleBody, caller: WorkWriter) -> RequestCourseDocument:
    """The scan cannot be taken again; its scans are closed as not possible."""
    return _moved(
        caller,
        request_id,
        lambda session: mark_not_possible(session, actor=caller.actor, request_id=request_id, reason=body.reason),
    )


@router.get("/scans/{scan_id}/questions")
def read_questions(scan_id: ScanId, caller: WorkReader) -> ThreadDocument:
    """The questions between reading centre and site about one scan."""
    with caller.open_session() as session:
        if read_scan(session, scan_id) is None:
            raise NotFoundError("There is no such scan, or your role does not show it.", remedy="See GET /scans.")
        return ThreadDocument.model_validate(read_thread(session, scan_id))


@router.post("/scans/{scan_id}/answer")
def answer(scan_id: ScanId, body: AnswerBody, caller: WorkWriter) -> DecidedDocument:
    """Answer the reading centre's question; the scan goes back under review."""
    with caller.open_session() as session:
        answer_query(session, actor=caller.actor, scan_id=scan_id, answer=body.answer)
        return decided(session, scan_id)


@router.get("/actions")
def list_actions(asked: ActionsAsked, caller: WorkReader) -> Listing[ActionDocument]:
    """What was agreed with sites: open ones, or with `state` the last 500 that were done or dropped."""
    caller.require_role(ALERTED)
    within = {"study_id": asked.study, "site_id": asked.site}
    with caller.open_session() as session:
        if asked.state is ActionState.OPEN:
            found = read_open_actions(session, **within)
        else:
            closed = read_closed_actions(session, **within, limit=500)
            found = tuple(action for action in closed if action.state is asked.state)
    return Listing(items=[ActionDocument.model_validate(action) for action in found])


@router.get("/alerts")
def list_alerts(asked: AlertsAsked, caller: WorkReader) -> Listing[AlertDocument]:
    """What is flagged, overdue or stalled now; with `ended_within_days` also what is over, 500 at most."""
    caller.require_role(ALERTED)
    with caller.open_session() as session:
        found = read_open_alerts(session)
        if asked.ended_within_days:
            after = now() - timedelta(days=asked.ended_within_days)
            found += read_ended_alerts(session, after=after, limit=500)
    return Listing(items=[AlertDocument.model_validate(alert) for alert in found])


@router.get("/alerts/subscriptions")
def list_subscriptions(caller: WorkReader) -> Listing[SubscriptionDocument]:
    """How the caller is told of alerts; a webhook's address is not given."""
    caller.require_role(ALERTED)
    with caller.open_session() as session:
        latest = read_latest_sendings(session)
        found = [(each, latest.get(each.id)) for each in read_subscriptions(session)]
    return Listing(
        items=[
            SubscriptionDocument.model_validate(each).model_copy(
                update={"latest": LatestSendingDocument.model_validate(told) if told is not None else None}
            )
            for each, told in found
        ]
    )


def _moved(caller: Caller, request_id: int, move: Callable[[Session], None]) -> RequestCourseDocument:
    with caller.open_session() as session:
        move(session)
        session.flush()
        return _course(session, request_id)


def _course(session: Session, request_id: int) -> RequestCourseDocument:
    found = read_tracked(session, [request_id]).get(request_id)
    if found is None:
        raise NotFoundError("There is no such request, or none that you may see.", remedy="See GET /requests.")
    return RequestCourseDocument(
        request=RequestDocument.model_validate(found),
        steps=[RequestStepDocument.model_validate(step) for step in read_course(session, [request_id])],
    )
