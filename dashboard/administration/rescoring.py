"""Scoring a study again on the page Models: order it, follow it, compare, and let the scores count, signed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import OctauditError
from core.store.access import Actor
from core.store.administration import SiteRow
from core.store.model_version import ModelRow
from core.store.re_evaluation import Reach
from core.store.rescored_pair import read_rescored_pairs
from core.store.rescoring import RescoringRow, count_scans, list_failures, read_rescorings
from core.usecases.adopt_scores import adopt_scores, foresee_adoption
from core.usecases.compare_findings import compare_findings
from core.usecases.compare_versions import compare_pairs
from core.usecases.order_rescoring import RescoringOrder, foresee_rescoring, order_rescoring, stop_rescoring
from core.vocabulary import RescoredState, ScanKind
from core.wording import KIND_NAMES
from dashboard.administration.models import draw_signature
from dashboard.administration.steps import adding_freely, fresh_key, perform, perform_apart, popping_up
from dashboard.components.panel import empty_state, panel
from dashboard.components.rescoring_table import failure_list, findings_table, order_table, outcome_table
from dashboard.components.version_panel import draw_comparison
from dashboard.installation import installation
from dashboard.session import current_user, open_session

_FORESEEN = "models.adoption.foreseen"
FINDINGS_CAPTION = (
    "**What both measured.** Scans on which both versions gave a figure; differences are the compared version's minus "
    "the counting one's. Figures are scans, not patients."
)
REFRESH_S = 3
"""How often an open order is looked at: a batch takes a second or two."""


def draw_rescorings(study_id: int, *, is_admin: bool) -> None:
    """The orders of a study, and what stands beside what counts."""
    st.caption(
        "Scores scans again with another model, beside normal work and behind it. Nothing counts by that: the new "
        "scores stand beside those that count, to be compared. To let them count is an act of its own, which never "
        "goes over what people decided."
    )
    with open_session() as session:
        rows = read_rescorings(session, study_id)
    if not rows:
        empty_state("Nothing was scored again", "An administrator orders it below.", key="no-orders")
        return
    _draw_orders(study_id, is_any_open=any(_is_moving(row) for row in rows))
    if is_admin and (open_one := next((row for row in rows if row.is_open), None)):
        _draw_stop(open_one.id)
    _draw_comparison(rows, is_admin=is_admin)


def _is_moving(row: RescoringRow) -> bool:
    return row.is_open or (row.adopted_at is not None and row.adoption_ended_at is None)


def _draw_orders(study_id: int, *, is_any_open: bool) -> None:
    @st.fragment(run_every=REFRESH_S if is_any_open else None)
    def orders() -> None:
        with open_session() as session:
            rows = read_rescorings(session, study_id)
            counts = count_scans(session, [row.id for row in rows])
        panel(order_table(rows, counts), key="orders")
        if is_any_open and not any(_is_moving(row) for row in rows):
            st.rerun()  # all are done: stop asking

    orders()


def _draw_stop(rescoring_id: int) -> None:
    with popping_up("Stop it", "rescoring.stop", icon="stop_circle"), st.form(fresh_key("stop"), border=False):
        reason = st.text_input("Reason (required)")
        if st.form_submit_button("Stop", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                stop_rescoring(session, actor=actor, rescoring_id=rescoring_id, reason=reason)
                return f"Order {rescoring_id} is stopped."

            perform(step)


def _draw_comparison(rows: Sequence[RescoringRow], *, is_admin: bool) -> None:
    st.subheader("Side by side")
    order = st.selectbox(
        "Order", rows,
        format_func=lambda row: f"{row.id}: {row.model}, {KIND_NAMES[row.kind]}, {row.requested_at:%d %b %Y}",
        key="octaudit.rescoring.order",
    )  # fmt: skip
    with open_session() as session:
        found = compare_pairs(read_rescored_pairs(session, order.id))
        moves = compare_findings(session, order.id, order.kind)
        failures = list_failures(session, order.id)
        n_failed = count_scans(session, [order.id])
    if order.adopted_at is not None:
        st.caption("These scores were adopted: what is said to count here counted until then.")
    for place, each in enumerate(found.comparisons):
        draw_comparison(each, place)
    if moves and found.comparisons:
        first = found.comparisons[0]
        panel(findings_table(moves, first.champion, first.challenger), key="findings")
        st.caption(FINDINGS_CAPTION)
    if not found.comparisons:
        empty_state("Nothing to compare yet", "As soon as scans of it are scored, they stand here.", key="no-pairs")
    else:
        st.caption(
            f"As of {found.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scans (slabs), the newest "
            f"{found.per_device:,} of the order at most; intervals are over patients."
        )
    if failures:
        panel(failure_list(failures), key="failures")
        total = n_failed[order.id].states.get(RescoredState.FAILED, 0)
        if total > len(failures):
            st.caption(f"The first {len(failures)} of {total}.")
    if is_admin and order.may_be_adopted and found.comparisons:
        _draw_adoption(order)


def _draw_adoption(order: RescoringRow) -> None:
    with adding_freely("Let these scores count", f"rescoring.adopt.{order.id}", icon="published_with_changes"):
        if st.button("Preview", icon=":material/preview:", key=f"octaudit.rescoring.preview.{order.id}"):
            with st.spinner("Looking at every scan of the order …"), open_session() as session:
                outcomes = foresee_adoption(session, actor=current_user(), rescoring_id=order.id)
            st.session_state[_FORESEEN] = order.id, outcomes
        foreseen_id, outcomes = st.session_state.get(_FORESEEN, (None, {}))
        if foreseen_id != order.id:
            st.caption("The preview says what would become of each scan and writes nothing.")
            return
        panel(outcome_table(outcomes), key="outcomes")
        st.caption("What counted until now stays on record. Scans that come later need an activation as well.")
        with st.form(fresh_key(f"adopt.{order.id}"), border=False):
            reason, password = draw_signature()
            if st.form_submit_button("Sign and let them count", type="primary"):
                perform_apart(lambda token: _adopt(token, order, password=password, reason=reason))


def _adopt(token: str, order: RescoringRow, *, password: str, reason: str) -> str:
    adopt_scores(installation().database, token=token, rescoring_id=order.id, password=password, reason=reason)
    return f"The scores of order {order.id} count within seconds; the table says how far it is."


def draw_order(study_id: int, lanes: Sequence[ScanKind], models: Sequence[ModelRow], sites: Sequence[SiteRow]) -> None:
    """The form that orders a study's scans to be scored again."""
    with adding_freely("Score again with another model", "rescoring.order", icon="replay"):
        left, middle = st.columns((2, 3))
        kind = left.selectbox("Lane", lanes, format_func=lambda each: KIND_NAMES[each], key=fresh_key("order.lane"))
        choosable = [each for each in models if each.kind is kind and each.may_be_chosen]
        if not choosable:
            st.caption("No model of this lane can be chosen: the operator registers one with `octaudit model add`.")
            return
        model = middle.selectbox(
            "With", choosable, format_func=lambda each: each.label, key=fresh_key(f"order.model.{kind}")
        )
        order = RescoringOrder(kind, _draw_reach(study_id, sites), model.id)
        try:
            with open_session() as session:
                n_scans = foresee_rescoring(session, actor=current_user(), order=order)
        except OctauditError as error:
            st.error(str(error), icon=":material/error:")
            return
        if not n_scans:
            st.caption(f"{model.label} counts already for every scored scan there, or there is none.")
            return
        with st.form(fresh_key("order"), border=False):
            reason = st.text_input("Reason (required)", placeholder="To compare both versions before we switch")
            label = f"Score {n_scans:,} scan{'' if n_scans == 1 else 's'} again"
            if st.form_submit_button(label, type="primary"):
                perform_apart(lambda _: _order(order, model, reason))


def _draw_reach(study_id: int, sites: Sequence[SiteRow]) -> Reach:
    at_site, since_at, until_at = st.columns((3, 2, 2))
    site = at_site.selectbox(
        "Scans of", [None, *sites], key=fresh_key("order.site"),
        format_func=lambda each: f"{each.code} · {each.name}" if each else "all sites",
    )  # fmt: skip
    since = since_at.date_input("Captured from", value=None, format="YYYY-MM-DD", key=fresh_key("order.since"))
    last = until_at.date_input("Captured until", value=None, format="YYYY-MM-DD", key=fresh_key("order.until"))
    reach = Reach(study_id, since=since, until=last + timedelta(days=1) if last else None)
    return reach if site is None else replace(reach, site_id=site.id)


def _order(order: RescoringOrder, model: ModelRow, reason: str) -> str:
    with open_session() as session:
        added, n_scans = order_rescoring(session, actor=current_user(), order=order, reason=reason)
    installation().bell.ring(order.kind)
    return f"Order {added}: {n_scans:,} scans are scored again with {model.label}, while no other scan waits."
