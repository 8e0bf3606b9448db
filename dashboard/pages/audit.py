"""Audit: who did what, when, from which value to which and why, and whether the chain is unbroken."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.store.access import Actor
from core.store.audit_check import read_chain_status
from core.store.audit_trail import Place, TrailFilter, TrailRow, read_people, read_trail
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.vocabulary import Role
from dashboard.audit_filters import chosen_trail, draw_trail_filters, kept_query, place_of_url, write_place
from dashboard.components.audit_table import audit_table, chain_words, trail_csv
from dashboard.components.panel import empty_state, panel
from dashboard.noted_export import noted
from dashboard.session import current_user, open_session

AT_ONCE = 50
MOST_EXPORTED = 20_000
"""Rows of one CSV; a longer trail is taken away in periods."""


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Audit")
    if not actor.roles & {Role.MANAGER, Role.ADMIN}:
        empty_state("For managers and administrators", "Ask your reading centre for the role.", key="closed")
        return
    with open_session() as session:
        status = read_chain_status(session)
        choices = read_filter_choices(session, ScanFilter())
        people = read_people(session)
    if status is not None:
        panel(chain_words(status), key="chain")
    draw_trail_filters(choices, people, is_global=_is_global(actor))
    chosen = chosen_trail(choices, is_global=_is_global(actor), today=now().date())
    with open_session() as session:
        rows = read_trail(session, chosen, limit=AT_ONCE + 1, after=place_of_url())
    _draw(rows, chosen)


def _draw(rows: Sequence[TrailRow], chosen: TrailFilter) -> None:
    if not rows:
        empty_state("Nothing is on record here", "Choose another period or clear the filters.", key="none")
    else:
        panel(audit_table(rows[:AT_ONCE], kept_query()), key="trail")
    with st.container(horizontal=True, vertical_alignment="center"):
        if place_of_url() is not None:
            st.button("Newest", icon=":material/first_page:", on_click=write_place, args=(None,))
        if len(rows) > AT_ONCE:
            last = rows[AT_ONCE - 1].place
            st.button("Older", icon=":material/chevron_right:", on_click=write_place, args=(last,))
        if rows:
            _draw_download(chosen)


def _draw_download(chosen: TrailFilter) -> None:
    def write(session: Session) -> str:
        return trail_csv(_all_rows(session, chosen))

    st.download_button(
        "Export (CSV)", noted("audit-trail.csv", write, study_id=chosen.study_id, chosen=kept_query()),
        file_name="audit-trail.csv", mime="text/csv", on_click="ignore", icon=":material/download:",
        help=f"What the filters choose, at most {MOST_EXPORTED:,} events. The export itself is on record.",
    )  # fmt: skip


def _all_rows(session: Session, chosen: TrailFilter) -> list[TrailRow]:
    rows: list[TrailRow] = []
    after: Place | None = None
    while len(rows) < MOST_EXPORTED:
        more = read_trail(session, chosen, limit=2_000, after=after)
        rows += more
        if not more:
            break
        after = more[-1].place
    return rows[:MOST_EXPORTED]


def _is_global(actor: Actor) -> bool:
    return any(grant.role is Role.ADMIN and grant.study_id is None for grant in actor.grants)


main()
