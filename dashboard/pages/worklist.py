"""Worklist: flagged scans, most urgent first, each with its reason in words and what cures it. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.store.action import read_open_actions
from core.store.worklist import SITE_TABS, TAB_STATES, WorklistPage, WorklistTab, read_worklist
from core.vocabulary import Role
from dashboard import outcome
from dashboard.administration.steps import draw_outcome
from dashboard.components.action_table import actions_line
from dashboard.components.bulk_table import bulk_link
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.worklist_moves import draw_rows_with_moves
from dashboard.components.worklist_rows import worklist_rows
from dashboard.filters import SCAN_FIELDS, draw_filters, url_filters
from dashboard.navigation import CENTRE, DECIDERS
from dashboard.scan_list import ScanList
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
ACTED_PAGE_SIZE = 10
"""Rows with buttons: each has some, and a page of forms is slow to load."""
TAB_WORDS = {
    WorklistTab.TO_DECIDE: "To decide",
    WorklistTab.REACQUIRE: "To be taken again",
    WorklistTab.QUERIED: "Questions to the site",
    WorklistTab.WAITING: "Waiting for a score",
    WorklistTab.STUCK: "Could not be scored",
}
SITE_TAB_WORDS = {
    WorklistTab.REACQUIRE: "Reacquire now",
    WorklistTab.QUERIED: "Needs my answer",
    WorklistTab.RESULT: "Waiting for result",
    WorklistTab.STUCK: "Could not be scored",
}
AS_A_SITE_SEES_IT = {WorklistTab.WAITING: WorklistTab.RESULT, WorklistTab.TO_DECIDE: WorklistTab.RESULT}
"""Lists of the reading centre that links may name, and where their scans stand for a site."""
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
SITE_EMPTY_WORDS = {
    WorklistTab.REACQUIRE: (
        "Nothing to reacquire",
        "The reading centre asks for no new scan in this selection. When it does, it stands here with its reason.",
    ),
    WorklistTab.QUERIED: (
        "Nobody waits for your answer",
        "The reading centre has no open question to your site in this selection.",
    ),
    WorklistTab.RESULT: (
        "Nothing waits for its result",
        "Every scan that your site has sent is scored and decided. Send more on the page Upload.",
    ),
}

FOR_GRADERS = (
    "Your scans to grade stand on the page Grading. Here stand those that you have graded and that wait for somebody "
    "else's move."
)


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    roles = actor.roles
    is_site = not roles & CENTRE
    st.title("Worklist")
    draw_outcome()
    outcome.draw_outcome()  # of the last scan of a list, whose reviewer comes back here
    if roles == {Role.GRADER}:
        st.caption(FOR_GRADERS)
    number = page_number()
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS, today=today)
        tab = _chosen_tab(is_site=is_site)
        is_acted_on = is_site and tab is WorklistTab.REACQUIRE
        page_size = ACTED_PAGE_SIZE if is_acted_on else PAGE_SIZE
        found = read_worklist(
            session, chosen, tab, today=today, page=number, page_size=page_size, is_site=is_site,
            reader_id=actor.user_id,
        )  # fmt: skip
        actions = read_open_actions(session, study_id=chosen.study_id, site_id=chosen.site_id) if is_site else ()
    if actions:
        panel(actions_line(actions, today), key="actions")
    _draw_tabs(found, tab, is_site=is_site)
    if not found.items:
        title, what_next = (EMPTY_WORDS | (SITE_EMPTY_WORDS if is_site else {}))[tab]
        empty_state(title, what_next, key="empty")
        return
    if tab is WorklistTab.TO_DECIDE and roles & DECIDERS:
        panel(bulk_link(found.total, url_filters()), key="bulk")
    if is_acted_on:
        draw_rows_with_moves(found.items, actor, today)
    else:
        panel(worklist_rows(found.items, today, within=ScanList(tab, url_filters()).query), key="rows")
    draw_pager(number, page_size, shown=len(found.items), total=found.total, noun="scans")


def _chosen_tab(*, is_site: bool) -> WorklistTab:
    """The list in the URL; without one, what the person can act on: a site takes again, the centre decides."""
    asked = st.query_params.get("tab", "")
    if asked not in list(WorklistTab):
        return WorklistTab.REACQUIRE if is_site else WorklistTab.TO_DECIDE
    tab = WorklistTab(asked)
    if is_site:
        return AS_A_SITE_SEES_IT.get(tab, tab)
    return WorklistTab.WAITING if tab is WorklistTab.RESULT else tab


def _draw_tabs(found: WorklistPage, tab: WorklistTab, *, is_site: bool) -> None:
    offered = SITE_TABS if is_site else TAB_STATES
    rare = {WorklistTab.STUCK} if is_site else {WorklistTab.QUERIED}
    # A list that hardly ever holds anything would only be noise; it appears with its first scan.
    tabs = [each for each in offered if each not in rare or found.totals[each] or each is tab]
    words = SITE_TAB_WORDS if is_site else TAB_WORDS
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
