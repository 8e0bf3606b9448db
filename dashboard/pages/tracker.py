"""Tracker: every request to take a scan again, who owes what until when, and what comes of it. Load, choose, draw."""

from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.store.scan_filter import ScanFilter
from core.store.tracker import TrackerFilter, read_board, read_tracker
from core.usecases.follow_requests import follow_requests
from core.usecases.judge_units import visit_factor
from dashboard.administration.steps import draw_outcome
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.tracker_detail import draw_detail
from dashboard.components.tracker_figures import draw_figures
from dashboard.components.tracker_filters import asked_request, draw_tracker_filters, kept_query
from dashboard.components.tracker_table import CARDS, LANES, board, tracker_table, tracker_words
from dashboard.filters import Field, Period, draw_filters, url_choice
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
FIELDS = (Field.STUDY, Field.SITE, Field.TYPE, Field.EYE, Field.PERIOD)
VIEWS = {"table": "Table", "board": "Board"}


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("Tracker")
    draw_outcome()
    with open_session() as session:
        chosen = draw_filters(session, FIELDS, today=today, period=Period.WEEKS_26)
        wanted = draw_tracker_filters(session, chosen)
    request_id = asked_request()
    if request_id is not None:
        draw_detail(request_id, actor, today=today)
    view = url_choice("View", "view", VIEWS)
    with open_session() as session:
        _draw_list(session, chosen, wanted, view, today)
        figures = follow_requests(session, chosen, now=now(), factor=visit_factor(session, chosen))
    st.subheader("What comes of it")
    draw_figures(figures)


def _draw_list(session: Session, chosen: ScanFilter, wanted: TrackerFilter, view: str, today: date) -> None:
    number = page_number() if view == "table" else 0
    found = read_tracker(session, chosen, wanted, today=today, page=number, page_size=PAGE_SIZE)
    panel(tracker_words(found), key="words")
    if view == "board":
        lanes = read_board(session, chosen, wanted, today=today, states=LANES, n=CARDS)
        markup = board(lanes, found.by_state, today, kept_query(), chosen_id=asked_request())
        panel(markup, key="board")
    elif found.items:
        panel(tracker_table(found.items, today, kept_query()), key="table")
        draw_pager(number, PAGE_SIZE, shown=len(found.items), total=found.total, noun="requests")
    else:
        empty_state(
            "No request in this selection",
            "Choose a longer period or another state. A request begins on a scan's page, with Ask for a new scan.",
            key="empty",
        )


main()
