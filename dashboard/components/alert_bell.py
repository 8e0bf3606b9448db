"""The page header's bell: how many alerts are open and, opened, which. Nothing where none is."""

import streamlit as st

from core.alerting.wording import counted
from core.clock import now
from core.store.alert import read_open_alerts
from dashboard.components.alert_list import header_list
from dashboard.components.panel import panel
from dashboard.session import open_session


def draw_alert_bell() -> None:
    """Draw it in the page's upper right corner (brand/frame.css)."""
    with open_session() as session:
        alerts = read_open_alerts(session)
    if not alerts:
        return
    with st.container(key="octaudit-alerts"), st.popover(counted(alerts), icon=":material/notifications:"):
        panel(header_list(alerts, now()), key="octaudit.alerts.panel")
