"""Worklist: flagged scans, most urgent first, each with its reason in words and what cures it. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.store.action import read_open_actions
from core.store.worklist import TAB_STATES, WorklistPage, WorklistTab, read_worklist
from core.vocabulary import Role
from dashboard.components.action_table import actions_line
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.worklist_rows import worklist_rows
from dashboard.filters import SCAN_FIELDS, draw_filters
from dashboard.navigation import CENTRE
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
TAB_WORDS = {
    WorklistTab.TO_DECIDE: "To decide",
    WorklistTab.REACQUIRE: "To be taken again",
    WorklistTab.QUERIED: "Questions to the site",
    WorklistTab.WAITING: "Waiting for a score",
    WorklistTab.STUCK: "Could not be scored",
}
SITE_TAB_WORDS = {
    WorklistTab.REACQUIRE: "Take again",
    WorklistTab.QUERIED: "Needs my answer",
    WorklistTab.WAITING: "Waiting for a score",
    WorklistTab.TO_DECIDE: "With the reading centre",
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
    WorklistTab.QUERIED: (
        "No open questions",
        "No question to a site is open in this selection. Ask one on a scan's page, under Ask the site.",
    ),
    WorklistTab.WAITING: (
        "Nothing is waiting",
        "Every scan received so far has been scored. Send more on the page Upload.",
    ),
    WorklistTab.STUCK: ("Nothing is stuck", "No scan failed or was set aside in this selection."),
}

FOR_GRADERS = (
    "The scans to grade reach you as links from the reading centre. Here stand those that you have graded and that "
    "wait for somebody else's move."
)


def main() -> None:
    """Draw the page."""
    today = now().date()
    roles = current_user().roles
    is_site = not roles & CENTRE
    st.title("Worklist")
    if roles == {Role.GRADER}:
        st.caption(FOR_GRADERS)
    number = page_number()
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS, today=today)
        tab = _chosen_tab(is_site=is_site)
        found = read_worklist(session, chosen, tab, today=today, page=number, page_size=PAGE_SIZE)
        actions = read_open_actions(session, study_id=chosen.study_id, site_id=chosen.site_id) if is_site else ()
    if actions:
        panel(actions_line(actions, today), key="actions")
    _draw_tabs(found, tab, is_site=is_site)
    if not found.items:
        title, what_next = EMPTY_WORDS[tab]
        empty_state(title, what_next, key="empty")
        return
    panel(worklist_rows(found.items, today), key="rows")
    draw_pager(number, PAGE_SIZE, shown=len(found.items), total=found.total, noun="scans")


def _chosen_tab(*, is_site: bool) -> WorklistTab:
    """The list in the URL; without one, what the person can act on: a site takes again, the centre decides."""
    asked = st.query_params.get("tab", "")
    if asked in list(WorklistTab):
        return WorklistTab(asked)
    return WorklistTab.REACQUIRE if is_site else WorklistTab.TO_DECIDE


def _draw_tabs(found: WorklistPage, tab: WorklistTab, *, is_site: bool) -> None:
    # A list that nothing can get into yet would only be noise; it appears with its first scan.
    tabs = [each for each in TAB_STATES if each is not WorklistTab.QUERIED or found.totals[each] or each is tab]
    words = TAB_WORDS | (SITE_TAB_WORDS if is_site else {})
    if is_site:
        tabs.sort(key=lambda each: each is WorklistTab.TO_DECIDE)
    st.session_state["worklist.tab"] = tab
    st.segmented_control(
        "List",
        tabs,
        key="worklist.tab",
        format_func=lambda each: f"{words[each]} · {found.totals[each]}",
        label_visibility="collapsed",
        required=True,
        on_change=_choose_tab,
    )


def _choose_tab() -> None:
    st.query_params["tab"] = st.session_state["worklist.tab"]
    st.query_params.pop("page", None)


main()
