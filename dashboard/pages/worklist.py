"""Worklist: flagged scans, most urgent first, each with its reason in words and what cures it. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.store.worklist import TAB_STATES, WorklistPage, WorklistTab, read_worklist
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.worklist_rows import worklist_rows
from dashboard.filters import SCAN_FIELDS, draw_filters
from dashboard.session import open_session

PAGE_SIZE = 25
TAB_WORDS = {
    WorklistTab.TO_DECIDE: "To decide",
    WorklistTab.REACQUIRE: "To be taken again",
    WorklistTab.QUERIED: "Questions to the site",
    WorklistTab.WAITING: "Waiting for a score",
    WorklistTab.STUCK: "Could not be scored",
}
EMPTY_WORDS = {
    WorklistTab.TO_DECIDE: (
        "Nothing to decide",
        "Every flagged scan in this selection has been decided. New ones appear here as soon as they are scored.",
    ),
    WorklistTab.REACQUIRE: (
        "Nothing to be taken again",
        "No site has an open request in this selection. Request one on a scan's page, under Ask for a new scan.",
    ),
    WorklistTab.QUERIED: ("No open questions", "No question to a site is open in this selection."),
    WorklistTab.WAITING: (
        "Nothing is waiting",
        "Every scan received so far has been scored. Send more on the page Upload.",
    ),
    WorklistTab.STUCK: ("Nothing is stuck", "No scan failed or was set aside in this selection."),
}


def main() -> None:
    """Draw the page."""
    today = now().date()
    st.title("Worklist")
    number = page_number()
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS, today=today)
        tab = _chosen_tab()
        found = read_worklist(session, chosen, tab, page=number, page_size=PAGE_SIZE)
    _draw_tabs(found, tab)
    if not found.items:
        title, what_next = EMPTY_WORDS[tab]
        empty_state(title, what_next, key="empty")
        return
    panel(worklist_rows(found.items, today), key="rows")
    draw_pager(number, PAGE_SIZE, shown=len(found.items), total=found.total, noun="scans")


def _chosen_tab() -> WorklistTab:
    asked = st.query_params.get("tab", "")
    return WorklistTab(asked) if asked in list(WorklistTab) else WorklistTab.TO_DECIDE


def _draw_tabs(found: WorklistPage, tab: WorklistTab) -> None:
    # A list that nothing can get into yet would only be noise; it appears with its first scan.
    tabs = [each for each in TAB_STATES if each is not WorklistTab.QUERIED or found.totals[each] or each is tab]
    st.session_state["worklist.tab"] = tab
    st.segmented_control(
        "List",
        tabs,
        key="worklist.tab",
        format_func=lambda each: f"{TAB_WORDS[each]} · {found.totals[each]}",
        label_visibility="collapsed",
        required=True,
        on_change=_choose_tab,
    )


def _choose_tab() -> None:
    st.query_params["tab"] = st.session_state["worklist.tab"]
    st.query_params.pop("page", None)


main()
