"""What is open between the reading centre and the site about a scan: the request for a new one, and the questions."""

from datetime import date

from core.store.access import Actor
from core.store.scan_view import ScanView
from dashboard.administration.steps import draw_outcome
from dashboard.components.open_request import draw_open_request
from dashboard.components.query_thread import draw_query_thread


def draw_exchange(view: ScanView, actor: Actor, *, today: date) -> None:
    """The open request and the thread of questions; who may answer for the site gets the means to."""
    draw_outcome()  # of the buttons below; the review form says its own at the top of the page
    if view.request is not None and view.request.is_open:
        draw_open_request(view.request.id, actor, today=today)
    draw_query_thread(view, actor)
