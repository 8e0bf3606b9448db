"""Turns pages of a list that is paged in SQL; the number is held in the URL, from 1."""

import streamlit as st

from dashboard.components.markup import count

MAX_PAGE = 10_000
"""An offset beyond this is a typing error or worse, and costs the database."""


def page_number() -> int:
    """The page asked for in the URL, from 0."""
    text = st.query_params.get("page", "1")
    return min(MAX_PAGE, max(1, int(text))) - 1 if text.isascii() and text.isdecimal() else 0


def draw_pager(number: int, page_size: int, *, shown: int, total: int | None, noun: str) -> None:
    """Say which part is shown and offer the pages beside it; ``total`` None: more is known only by ``shown``."""
    first = number * page_size + 1
    words = f"{count(first)} – {count(first + shown - 1)}"
    has_next = shown == page_size if total is None else first + shown - 1 < total
    if number == 0 and not has_next:
        st.caption(f"{words} {noun}" if total is None else counted(total, noun))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words + (f" of {count(total)} {noun}" if total is not None else f" {noun}"), width="content")
        _turn("Previous", ":material/chevron_left:", number - 1, is_possible=number > 0)
        _turn("Next", ":material/chevron_right:", number + 1, is_possible=has_next)


def counted(n: int, noun: str) -> str:
    """``1 scan``, ``24 scans``; the noun is given in the plural."""
    return f"{count(n)} {noun if n != 1 else noun.removesuffix('s')}"


def _turn(label: str, icon: str, number: int, *, is_possible: bool) -> None:
    st.button(label, icon=icon, disabled=not is_possible, on_click=_go, args=(number,), width="content")


def _go(number: int) -> None:
    st.query_params["page"] = str(number + 1)
