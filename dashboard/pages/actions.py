"""Actions: what was agreed with which site, what is overdue, and how it ended. Load, choose, draw."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.charts.dictionaries import ACTION_COLUMNS
from core.clock import now
from core.store.action import ActionRow, read_closed_actions, read_open_actions
from core.usecases.acknowledge_flag import KEEPERS
from dashboard.administration.steps import draw_outcome, popping_up
from dashboard.components.action_table import action_rows, action_table
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.closing_form import draw_closing
from dashboard.components.markup import Html, tag
from dashboard.components.panel import empty_state, panel
from dashboard.filters import Field, draw_filters
from dashboard.navigation import COMPARERS
from dashboard.session import current_user, open_session

MOST_CLOSED = 50


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("Actions")
    draw_outcome()
    with open_session() as session:
        chosen = draw_filters(session, (Field.STUDY, Field.SITE), today=today)
        within = {"study_id": chosen.study_id, "site_id": chosen.site_id}
        actions = read_open_actions(session, **within)
        closed = read_closed_actions(session, **within, limit=MOST_CLOSED)
    is_comparing = actor.has_role(*COMPARERS)
    if actions:
        panel(_words(actions, today), key="words")
        panel(action_table(actions, today, is_linked=is_comparing), key="open")
    else:
        what_next = (
            "Open one on the page Sites & devices: choose a unit below its table."
            if is_comparing
            else "What the reading centre agrees with your site appears here."
        )
        empty_state("No open actions", what_next, key="empty")
    own = [each for each in actions if actor.has_role(*KEEPERS, study_id=each.study_id, site_id=each.site_id)]
    if own:
        with popping_up("Close an action", "closing", icon="task_alt"):
            draw_closing(own, "closing")
    if closed:
        with st.expander(f"Closed: {'the last ' if len(closed) == MOST_CLOSED else ''}{len(closed)}"):
            panel(action_table(closed, today, is_linked=is_comparing), key="closed")
    if actions or closed:
        rows = action_rows([*actions, *closed], today)
        draw_chart_data(ChartData("actions", rows, ACTION_COLUMNS), behind="tables")


def _words(actions: Sequence[ActionRow], today: date) -> Html:
    n_overdue = sum(action.is_overdue(today) for action in actions)
    lead = f"{len(actions)} open, {n_overdue} overdue."
    return tag("p", tag("b", lead), class_="verdict", role="status")


main()
