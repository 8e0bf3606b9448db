"""One request of the tracker: what it asks for, what this person may do, and all captures of its expected scan."""

from datetime import date

import streamlit as st

from core.store.access import Actor
from core.store.capture_set import CaptureSet, read_capture_set
from core.store.tracker import TrackedRequest, read_tracked
from core.wording import EYE_NAMES, REQUEST_NAMES, scan_words
from dashboard.components.capture_choice import draw_captures
from dashboard.components.markup import Html, chip, page_link, tag
from dashboard.components.open_request import movable_of, open_request
from dashboard.components.panel import empty_state, panel
from dashboard.components.request_moves import draw_moves
from dashboard.session import open_session


def draw_detail(request_id: int, actor: Actor, *, today: date) -> None:
    """Draw the request with its buttons; says so where there is none that the person may see."""
    with open_session() as session:
        request = read_tracked(session, [request_id]).get(request_id)
        captures = read_capture_set(session, request.expected_scan_id) if request is not None else None
    if request is None:
        empty_state("No such request", "It belongs to another site, or was taken back. Choose one below.", key="gone")
        return
    with st.container(border=True, key="octaudit-request-detail"):
        panel(_title(request), key="detail-title")
        if request.is_open:
            panel(open_request(request, today, is_linked=False), key="detail")
            draw_moves(movable_of(request), actor, today=today, where="detail", later=_later(captures, request))
        draw_captures(request.acquisition_id, actor, today=today, is_quiet=False)
        st.button("Close this view", icon=":material/close:", type="tertiary", on_click=_close)


def _later(captures: CaptureSet | None, request: TrackedRequest) -> tuple[tuple[int, str], ...]:
    """Captures that came after the one asked for again and answer no request yet."""
    known = captures.captures if captures is not None else ()
    asked = next((each for each in known if each.acquisition_id == request.acquisition_id), None)
    return tuple(
        (each.acquisition_id, f"{each.code} · {each.acquired_at:%d %b %Y, %H:%M}")
        for each in known
        if asked is not None and each.replaces_id is None and each.acquired_at > asked.acquired_at
    )


def _title(request: TrackedRequest) -> Html:
    eye = tag("div", request.laterality, tag("small", EYE_NAMES[request.laterality]), class_="eye")
    what = scan_words(request.scan_type, request.slab)
    scan = page_link(f"scan {request.scan_id}", "scan", {"id": request.scan_id})
    words = tag(
        "div",
        tag("h2", f"{request.subject_code} · {request.visit_code} · {what}"),
        tag("p", f"{request.study_code}, {request.site_code} · request {request.id} for ", scan, class_="sub"),
    )
    states = tag("div", chip(REQUEST_NAMES[request.state], "info"), class_="states")
    return tag("header", eye, words, states, class_="title")


def _close() -> None:
    st.query_params.pop("request", None)
