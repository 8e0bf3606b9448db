"""Re-evaluation on the Admin page: choose version and scans, see what would change, order it, follow it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import OctauditError
from core.store.access import Actor
from core.store.administration import ProtocolRow, SiteRow, StudyRow
from core.store.re_evaluation import Reach, count_outcomes, read_re_evaluations
from core.usecases.re_evaluate import Forecast, foresee_re_evaluation, order_re_evaluation, stop_re_evaluation
from dashboard.administration.steps import fresh_key, perform, popping_up
from dashboard.components.forecast_table import (
    forecast_words,
    history_table,
    move_table,
    outcome_table,
    rate_table,
)
from dashboard.components.panel import empty_state, panel
from dashboard.installation import installation
from dashboard.session import current_user, open_session

_FORECAST = "admin.re_evaluation.forecast"
REFRESH_S = 3
"""How often an open one is looked at: a step of the keeper takes about a second."""


def draw_re_evaluation(study: StudyRow, versions: Sequence[ProtocolRow], sites: Sequence[SiteRow]) -> None:
    """What was re-evaluated, and the way to do it: preview, reason, order."""
    st.caption(
        "Judges stored scores by another protocol version; no model runs. What people decided stays as it is, and so "
        "does a capture with an open request until that has ended. The earlier judgement stays on record."
    )
    is_open = _draw_history(study)
    st.subheader("Judge scans by a version")
    if not versions:
        empty_state("No protocol version", "Publish one in the part Versions.", key="no-version")
        return
    version, reach = _draw_choice(study, versions, sites)
    if st.button("Preview", icon=":material/preview:", type="primary"):
        _preview(version, reach)
    forecast: Forecast | None = st.session_state.get(_FORECAST)
    if forecast is None or (forecast.version_id, forecast.reach) != (version.id, reach):
        st.caption("The preview counts what would change and writes nothing.")
        return
    _draw_forecast(forecast)
    if is_open:
        st.info("Another re-evaluation of this study is not done yet. Wait for it, or stop it.")
    elif forecast.n_judged:
        _draw_order(forecast)


def _draw_history(study: StudyRow) -> bool:
    """The list, renewed while one is open; returns whether one is."""
    with open_session() as session:
        open_ones = [row for row in read_re_evaluations(session, study.id) if row.is_open]

    @st.fragment(run_every=REFRESH_S if open_ones else None)
    def history() -> None:
        with open_session() as session:
            rows = read_re_evaluations(session, study.id)
            counts = count_outcomes(session, [row.id for row in rows])
        if rows:
            panel(history_table(rows, counts), key="history")
        else:
            empty_state(
                "Nothing was re-evaluated", "Every scan has the version in force when it was taken.", key="no-history"
            )
        if open_ones and not any(row.is_open for row in rows):
            st.rerun()  # it is done: stop asking

    history()
    if open_ones:
        _draw_stop(open_ones[0].id)
    return bool(open_ones)


def _draw_stop(re_evaluation_id: int) -> None:
    with popping_up("Stop it", "re-evaluation.stop", icon="stop_circle"), st.form(fresh_key("stop"), border=False):
        reason = st.text_input("Reason (required)")
        st.caption("What was judged until now stays so. Judge by the earlier version to take it back.")
        if st.form_submit_button("Stop", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                stop_re_evaluation(session, actor=actor, re_evaluation_id=re_evaluation_id, reason=reason)
                return f"Re-evaluation {re_evaluation_id} is stopped."

            perform(step)


def _draw_choice(
    study: StudyRow, versions: Sequence[ProtocolRow], sites: Sequence[SiteRow]
) -> tuple[ProtocolRow, Reach]:
    left, middle, since_at, until_at = st.columns((3, 3, 2, 2))
    version = left.selectbox("By version", versions, format_func=lambda each: f"{each.number}: {each.note}")
    site = middle.selectbox(
        "Scans of", [None, *sites], format_func=lambda each: f"{each.code} · {each.name}" if each else "all sites"
    )
    since = since_at.date_input("Captured from", value=None, format="YYYY-MM-DD")
    last = until_at.date_input("Captured until", value=None, format="YYYY-MM-DD")
    reach = Reach(study.id, since=since, until=last + timedelta(days=1) if last else None)
    return version, reach if site is None else replace(reach, site_id=site.id)


def _preview(version: ProtocolRow, reach: Reach) -> None:
    bar = st.progress(0.0, "Judging stored scores …")

    def show(done: int, total: int) -> None:
        bar.progress(min(1.0, done / max(1, total)), f"Judging stored scores: {done} of {total} visits")

    try:
        with open_session() as session:
            st.session_state[_FORECAST] = foresee_re_evaluation(
                session, actor=current_user(), version_id=version.id, reach=reach, blobs=installation().blobs,
                on_progress=show,
            )  # fmt: skip
    except OctauditError as error:
        st.error(str(error), icon=":material/error:")
    bar.empty()


def _draw_forecast(forecast: Forecast) -> None:
    panel(forecast_words(forecast), key="forecast")
    if not forecast.n_by_outcome:
        empty_state("No scored scan there", "Choose another site or period.", key="no-scans")
        return
    panel(move_table(forecast), key="moves")
    left, right = st.columns(2, gap="large")
    with left:
        panel(outcome_table(forecast), key="outcomes")
    with right:
        panel(rate_table(forecast), key="rates")


def _draw_order(forecast: Forecast) -> None:
    with st.form(fresh_key("re-evaluation.order"), border=False):
        reason = st.text_input("Reason (required)", placeholder="Amendment 2 holds from the first visit on")
        n = forecast.n_judged
        if st.form_submit_button(f"Judge {n} scan{'' if n == 1 else 's'} anew", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                added = order_re_evaluation(session, actor=actor, forecast=forecast, reason=reason)
                st.session_state.pop(_FORECAST, None)
                return f"Re-evaluation {added} is ordered; it begins within seconds and goes on without this page."

            perform(step)
