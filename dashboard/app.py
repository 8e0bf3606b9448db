"""The script that Streamlit runs for every page: who is there, which pages, then the page. Draws nothing itself."""

from html import escape
from itertools import groupby
from pathlib import Path

import streamlit as st

from core.store.access import Actor
from core.store.capture_count import TooManyCapturesError
from core.usecases.subscribe_to_alerts import ALERTED
from core.wording import ROLE_NAMES
from dashboard.components.alert_bell import draw_alert_bell
from dashboard.components.panel import empty_state
from dashboard.navigation import Page, pages_for
from dashboard.session import current_user

FOLDER = Path(__file__).resolve().parent
SIDEBAR_WIDTH_PX = 208
"""Narrow enough that 1024 px leave 800 for images and tables."""


def main() -> None:
    """Set the frame, draw the sidebar and run the chosen page."""
    st.set_page_config(
        page_title="octaudit",
        page_icon=str(FOLDER / "brand" / "mark.svg"),
        layout="wide",
        initial_sidebar_state=SIDEBAR_WIDTH_PX,
    )
    st.html(FOLDER / "brand" / "frame.css")
    actor = current_user()
    pages = pages_for(actor)
    st.logo(str(FOLDER / "brand" / "logo.svg"), icon_image=str(FOLDER / "brand" / "mark.svg"), size="large")
    if not pages:
        _say_no_role(actor)
        st.stop()
    chosen = st.navigation(_sections(pages), expanded=True)  # else the pages beyond the tenth hide behind "View more"
    with st.sidebar:
        _draw_person(actor)
    if actor.roles & ALERTED:
        draw_alert_bell()
    try:
        chosen.run()
    except TooManyCapturesError as error:
        empty_state(error.message, error.remedy, key="too-many")


def _sections(pages: tuple[Page, ...]) -> dict[str, list[st.Page]]:
    ordered = sorted(pages, key=lambda page: [other.section for other in pages].index(page.section))
    default = next(page for page in pages if page.is_listed)
    return {
        section: [
            st.Page(
                FOLDER / page.path,
                title=page.title,
                icon=page.icon,
                url_path=page.url_path,
                default=page is default,
                visibility="visible" if page.is_listed else "hidden",
            )
            for page in group
        ]
        for section, group in groupby(ordered, key=lambda page: page.section)
    }


def _draw_person(actor: Actor) -> None:
    roles = ", ".join(ROLE_NAMES[role] for role in sorted(actor.roles))
    st.html(
        f'<div class="octa-person"><strong>{escape(actor.display_name)}</strong><span>{escape(roles)}</span>'
        '<nav><a href="/account" target="_self">Account</a> <a href="/logout" target="_self">Sign out</a></nav></div>'
    )


def _say_no_role(actor: Actor) -> None:
    st.title("No role yet")
    st.write(
        f"You are signed in as {actor.display_name}, but no study or site has been given to you. "
        "Ask your reading centre's administrator for a role, then reload this page."
    )


main()
