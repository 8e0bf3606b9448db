"""Shows our own markup on a page and follows its links in place. The only door of HTML onto the pages."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from dashboard.components.markup import Html, tag
from dashboard.navigation import PAGES

FOLDER = Path(__file__).resolve().parent


def panel(markup: Html, *, key: str) -> None:
    """Show ``markup``; a click on a page link in it switches to that page with the link's query."""
    result = _component()(data={"html": markup.text}, key=key, on_opened_change=_nothing)
    if result.opened:
        go_to(result.opened)


def empty_state(title: str, what_next: str, *, key: str) -> None:
    """Say why nothing is shown and what to do next."""
    panel(tag("div", tag("h3", title), tag("p", what_next), class_="empty", role="status"), key=key)


def go_to(address: str) -> None:
    """Switch to the page of one of our addresses, e.g. ``/scan?id=7``; anything else is ignored."""
    parts = urlsplit(address)
    for page in PAGES:
        if parts.path == f"/{page.url_path}":
            st.switch_page(page.path, query_params=dict(parse_qsl(parts.query)))


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "octaudit.panel",
        css=(FOLDER / "panel.css").read_text("utf-8"),
        js=(FOLDER / "panel.js").read_text("utf-8"),
    )
