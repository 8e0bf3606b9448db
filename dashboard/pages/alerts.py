"""Alerts: what is flagged, overdue or stalled now, what was, and how the person is told of it. Load, choose, draw."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import streamlit as st

from core.clock import now
from core.store.alert import read_ended_alerts, read_open_alerts
from core.store.alert_delivery import read_latest_sendings, read_subscriptions
from core.store.email_confirmation import read_own_address
from core.store.scan_filter import Choice, ScanFilter, read_filter_choices
from core.usecases.subscribe_to_alerts import kinds_for
from dashboard.administration.steps import draw_outcome
from dashboard.components.alert_list import alert_table
from dashboard.components.alert_subscription import Own, draw_mail, draw_webhook
from dashboard.components.panel import empty_state, panel
from dashboard.session import current_user, open_session

ENDED_FOR = timedelta(days=14)
MOST_ENDED = 100


def main() -> None:
    """Draw the page."""
    st.title("Alerts")
    draw_outcome()
    moment, actor = now(), current_user()
    with open_session() as session:
        alerts = read_open_alerts(session)
        ended = read_ended_alerts(session, after=moment - ENDED_FOR, limit=MOST_ENDED)
        choices = read_filter_choices(session, ScanFilter()).studies
        own = Own(
            read_own_address(session), partial(kinds_for, actor), read_subscriptions(session),
            read_latest_sendings(session),
        )  # fmt: skip
    if alerts:
        panel(alert_table(alerts, moment), key="open")
    else:
        empty_state(
            "Nothing is flagged, overdue or stalled",
            "Units above the red line, requests after their day and queues that do not move appear here by themselves.",
            key="none",
        )
    if ended:
        with st.expander(f"Over within the last {ENDED_FOR.days} days: {len(ended)}"):
            panel(alert_table(ended, moment), key="ended")
    studies = [study for study in choices if own.kinds(study.id)]
    if studies:
        _draw_subscriptions(studies, own)


def _draw_subscriptions(studies: Sequence[Choice], own: Own) -> None:
    st.subheader("How you are told")
    study = st.selectbox("Study", studies, format_func=lambda each: each.label) if len(studies) > 1 else studies[0]
    left, right = st.columns(2, gap="large")
    with left:
        draw_mail(study.id, own)
    with right:
        draw_webhook(study.id, own)


main()
