"""Completeness: what each visit should have brought, what is missing, until when it can be sent. Load, choose, draw."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.clock import now
from core.store.completeness import (
    VisitPage,
    VisitRow,
    read_completeness,
    read_latest_visits,
    read_planned_visits,
    read_visits_with_gaps,
)
from core.store.scan_filter import ScanFilter
from core.usecases.plan_visits import may_plan
from dashboard.administration.steps import draw_outcome, popping_up
from dashboard.components.calendar_forms import draw_calling_off, draw_import
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.completeness_table import completeness_words, site_table, state_words, visit_table
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.filters import Field, draw_filters, url_choice
from dashboard.navigation import UPLOADERS
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
VIEWS = {"missing": "Something is missing", "planned": "Planned ahead", "all": "All visits"}
COLUMNS = {
    "site": "Code of the site",
    "subject": "Pseudonym of the subject",
    "visit": "Code of the visit",
    "planned_on": "Day on which the visit was planned; empty: nobody planned it",
    "called_off": "Why the visit does not take place; empty: it does",
    "window_ends_on": "Last day on which a scan still counts for the visit; empty: the window stays open",
    "window": "open or closed today",
    "eye": "OD right, OS left",
    "scan_type": "Kind and field in mm",
    "state": "What became of the expected scan: gradable, received and not decided, to be taken again, ungradable, not "
    "possible, missing, planned (its day is still to come), called off",
}


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("Completeness")
    draw_outcome()
    number = page_number()
    with open_session() as session:
        chosen = draw_filters(session, (Field.STUDY, Field.SITE), today=today)
        sites = read_completeness(session, chosen, today=today)
    panel(completeness_words(sites), key="words")
    if len(sites) > 1:
        panel(site_table(sites), key="sites")
    view = url_choice("Visits", "view", VIEWS)
    found = _read(view, chosen, number, today)
    if planned := [site for site in sites if may_plan(actor, site.study_id, site.site_id)]:
        draw_import({site.study_id: site.study_code for site in planned})
    if not found.visits:
        empty_state(*_nothing(view), key="empty")
        return
    may_upload = bool(actor.roles & UPLOADERS)
    panel(visit_table(found.visits, today, may_upload=may_upload), key="visits")
    if own := [visit for visit in found.visits if visit.site_id in {site.site_id for site in planned}]:
        with popping_up("Call a visit off", "visit.call-off", icon="event_busy"):
            draw_calling_off(own)
    draw_pager(number, PAGE_SIZE, shown=len(found.visits), total=found.total, noun="visits")
    draw_chart_data(ChartData("completeness", _lines(found.visits, today), COLUMNS), behind="table")


def _read(view: str, chosen: ScanFilter, number: int, today: date) -> VisitPage:
    at = {"page": number, "page_size": PAGE_SIZE}
    with open_session() as session:
        if view == "missing":
            return read_visits_with_gaps(session, chosen, today=today, **at)
        if view == "planned":
            return read_planned_visits(session, chosen, today=today, **at)
        return read_latest_visits(session, chosen, **at)


def _nothing(view: str) -> tuple[str, str]:
    if view == "missing":
        return "Nothing is missing", "Every expected scan of the visits that began was received."
    if view == "planned":
        return "No visit is planned from today on", "The reading centre imports the calendar of visits on this page."
    return "No visits yet", "A visit appears with its first upload, together with what else is expected of it."


def _lines(visits: Sequence[VisitRow], today: date) -> list[dict[str, object]]:
    return [
        {
            "site": visit.site_code,
            "subject": visit.subject_code,
            "visit": visit.visit_code,
            "planned_on": visit.planned_on or "",
            "called_off": visit.called_off_reason,
            "window_ends_on": visit.window_ends_on or "",
            "window": "open" if visit.is_window_open(today) else "closed",
            "eye": slot.laterality.value,
            "scan_type": slot.scan_type,
            "state": state_words(slot, visit, today),
        }
        for visit in visits
        for slot in visit.slots
    ]


main()
