"""Accept in bulk: a filtered list is accepted after a look at a random sample of it. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.store.access import Actor
from core.usecases.accept_in_bulk import BulkView, Proposal, look_at_bulk, propose_bulk
from core.vocabulary import BulkState
from dashboard import decisions, outcome
from dashboard.components.bulk_table import (
    accepted_table,
    left_out_table,
    proposal_words,
    sample_table,
    standing_words,
)
from dashboard.components.bulk_undo import draw_taking_back
from dashboard.components.long_table import draw_long
from dashboard.components.panel import empty_state, panel
from dashboard.filters import MAX_ID, SCAN_FIELDS, draw_filters, url_filters
from dashboard.session import current_user, open_session

RUN = "run"
"""The bulk acceptance's name in the address."""


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Accept in bulk")
    outcome.draw_outcome()
    run = _asked_run()
    if run is None:
        _draw_proposal(actor)
        return
    with open_session() as session:
        view = look_at_bulk(session, run)
    if view is None:
        empty_state(
            "No such list", "There is no bulk acceptance under this address. Start one from the worklist.", key="e"
        )
        return
    _draw_run(view, actor)


def _draw_proposal(actor: Actor) -> None:
    today = now().date()
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS, today=today)
        proposal = propose_bulk(session, actor=actor, chosen=chosen, today=today)
    if not proposal.listed:
        empty_state("Nothing to accept", "No scan in this selection waits for a decision.", key="empty")
        return
    panel(proposal_words(proposal), key="proposal")
    if st.button(
        f"Draw a sample of {proposal.n_sample}", type="primary", icon=":material/casino:",
        disabled=not proposal.eligible or proposal.is_cut,
    ):  # fmt: skip
        opened = decisions.open_list(chosen, url_filters(), today=today)
        if opened is not None:
            st.query_params[RUN] = str(opened)
        st.rerun()
    _draw_left_out(proposal)


def _draw_left_out(proposal: Proposal) -> None:
    if proposal.left_out:
        st.subheader("Left out, to be decided one by one")
        named = [
            (scan, proposal.left_out[scan.scan_id]) for scan in proposal.listed if scan.scan_id in proposal.left_out
        ]
        panel(left_out_table(named), key="left-out")


def _draw_run(view: BulkView, actor: Actor) -> None:
    panel(standing_words(view), key="standing")
    is_own = view.bulk.reviewer_id == actor.user_id
    if is_own and view.bulk.state in {BulkState.SAMPLING, BulkState.ACCEPTING}:
        _draw_steps(view)
    st.subheader("The sample")
    panel(sample_table(view), key="sample")
    if view.accepted:
        st.subheader("Accepted")
        draw_long(
            view.accepted, lambda shown: panel(accepted_table(shown), key="accepted"), key="accepted", noun="scans"
        )
        if is_own:
            draw_taking_back(view, at=now())
    left_out = [(item, item.left_out) for item in view.items if item.left_out]
    if left_out:
        st.subheader("Left out, to be decided one by one")
        panel(left_out_table(left_out), key="left-out")


def _draw_steps(view: BulkView) -> None:
    n = len(view.waiting)
    with st.container(horizontal=True, gap="small"):
        is_begun = view.bulk.state is BulkState.ACCEPTING
        label = f"Accept the {n} that are left" if is_begun else f"Accept the {n} scans"
        if st.button(label, type="primary", icon=":material/done_all:", disabled=not view.is_agreed):
            _accept_all(view)
        if st.button("Give up", icon=":material/block:"):
            decisions.stop_list(view.bulk.id)
            st.rerun()


def _accept_all(view: BulkView) -> None:
    """Piece by piece, each written for itself: a closed window leaves a list that goes on where it stopped."""
    total = len(view.waiting)
    bar = st.progress(0.0, text=f"0 of {total} accepted")
    left: int | None = total
    while left:
        left = decisions.accept_piece_of(view.bulk.id)
        if left is not None:
            bar.progress((total - left) / total, text=f"{total - left} of {total}")
    st.rerun()


def _asked_run() -> int | None:
    text = st.query_params.get(RUN, "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= MAX_ID else None


main()
