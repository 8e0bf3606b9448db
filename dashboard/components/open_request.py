"""The open request of a scan, on the scan's page: what is asked, how long is left, who owns it, and its buttons."""

from datetime import date

from core.store.access import Actor
from core.store.tracker import TrackedRequest, read_tracked
from core.wording import REQUEST_NAMES
from dashboard.components.countdown import countdown
from dashboard.components.markup import Html, chip, page_link, tag
from dashboard.components.panel import panel
from dashboard.components.request_moves import Movable, draw_moves
from dashboard.session import open_session


def draw_open_request(request_id: int, actor: Actor, *, today: date) -> None:
    """Show the request and what this person may do with it; nothing where it has ended or cannot be seen."""
    with open_session() as session:
        request = read_tracked(session, [request_id]).get(request_id)
    if request is None or not request.is_open:
        return
    panel(open_request(request, today), key="request")
    draw_moves(movable_of(request), actor, today=today, where="request", is_small=True)


def open_request(request: TrackedRequest, today: date, *, is_linked: bool = True) -> Html:
    """What is asked for, as it was written, never as markup; ``is_linked``: with the way to its course."""
    more = tag(
        "div",
        chip(REQUEST_NAMES[request.state], "info"),
        chip(f"Round {request.round_number}", "warn") if request.round_number > 1 else None,
        chip(f"Owner {request.owner}" if request.owner else "No owner yet", "calm" if request.owner else "warn"),
        class_="more",
    )
    left = countdown(request.days_left(today), request.due_on) if request.is_owed else None
    return tag(
        "section",
        tag("p", "A new scan is asked for", class_="lead"),
        tag("p", request.reason_words),
        tag("p", tag("b", "What to do: "), request.remedy, class_="remedy") if request.remedy else None,
        left,
        more,
        tag("p", page_link("Its course in the tracker", "tracker", {"request": request.id}), class_="small")
        if is_linked
        else None,
        class_="asked reason warn",
    )


def movable_of(request: TrackedRequest) -> Movable:
    """A request of the tracker, as its buttons need it."""
    return Movable(
        id=request.id,
        version=request.version,
        state=request.state,
        study_id=request.study_id,
        site_id=request.site_id,
        owner_id=request.owner_id,
        name=f"{request.subject_code} {request.visit_code} {request.laterality}",
    )
