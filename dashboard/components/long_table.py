"""Shows the first rows of a long table, the worst ones, and all of them on demand.

What can be downloaded from a table always holds every row.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from dashboard.components.markup import count

FIRST_ROWS = 50
PARAMETER = "all"
"""In the URL: the key of a table that is shown whole, so that a link shows what its sender saw."""

Row = TypeVar("Row")


def draw_long(rows: Sequence[Row], draw: Callable[[Sequence[Row]], object], *, key: str, noun: str) -> None:
    """Draw the first 50 rows with ``draw`` and offer the rest below; ``key`` names the table on its page."""
    whole = st.query_params.get_all(PARAMETER)
    shown = rows if key in whole else rows[:FIRST_ROWS]
    draw(shown)
    if len(shown) < len(rows):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{count(len(shown))} of {count(len(rows))} {noun}", width="content")
            label = f"Show all {count(len(rows))}"
            st.button(label, key=f"all-{key}", help=f"Every one of the {noun}", on_click=_show, args=(key,))


def _show(key: str) -> None:
    st.query_params[PARAMETER] = [*st.query_params.get_all(PARAMETER), key]
