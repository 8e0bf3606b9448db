"""Completeness: what each visit should have brought, what is missing, until when it can be sent. Load, choose, draw."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.clock import now
from core.store.completeness import VisitRow, read_completeness, read_latest_visits, read_visits_with_gaps
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.completeness_table import STATE_WORDS, completeness_words, site_table, visit_table
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.filters import Field, draw_filters, url_choice
from dashboard.navigation import UPLOADERS
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
VIEWS = {"missing": "Something is missing", "all": "All visits"}
COLUMNS = {
    "site": "Code of the site",
    "subject": "Pseudonym of the subject",
    "visit": "Code of the visit",
    "window_ends_on": "Last day on which a scan still counts for the visit; empty: the window stays open",
    "window": "open or closed today",
    "eye": "OD right, OS left",
    "scan_type": "Kind and field in mm",
    "state": "What became of the expected scan: gradable, received and not decided, to be taken again, ungradable, not "
    "possible, missing",
}


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("Completeness")
    number = page_number()
    with open_session() as session:
        chosen = draw_filters(session, (Field.STUDY, Field.SITE), today=today)
        sites = read_completeness(session, chosen, today=today)
    panel(completeness_words(sites), key="words")
    if len(sites) > 1:
        panel(site_table(sites), key="sites")
    view = url_choice("Visits", "view", VIEWS)
    with open_session() as session:
        if view == "missing":
            found = read_visits_with_gaps(session, chosen, today=today, page=number, page_size=PAGE_SIZE)
        else:
            found = read_latest_visits(session, chosen, page=number, page_size=PAGE_SIZE)
    if not found.visits:
        empty_state(*_nothing(view), key="empty")
        return
    may_upload = bool(actor.roles & UPLOADERS)
    panel(visit_table(found.visits, today, may_upload=may_upload), key="visits")
    draw_pager(number, PAGE_SIZE, shown=len(found.visits), total=found.total, noun="visits")
    draw_chart_data(ChartData("completeness", _lines(found.visits, today), COLUMNS), behind="table")


def _nothing(view: str) -> tuple[str, str]:
    if view == "missing":
        return "Nothing is missing", "Every expected scan of the visits that began was received."
    return "No visits yet", "A visit appears with its first upload, together with what else is expected of it."


def _lines(visits: Sequence[VisitRow], today: date) -> list[dict[str, object]]:
    return [
        {
            "site": visit.site_code,
            "subject": visit.subject_code,
            "visit": visit.visit_code,
            "window_ends_on": visit.window_ends_on or "",
            "window": "open" if visit.is_window_open(today) else "closed",
            "eye": slot.laterality.value,
            "scan_type": slot.scan_type,
            "state": STATE_WORDS[slot.state],
        }
        for visit in visits
        for slot in visit.slots
    ]


main()
