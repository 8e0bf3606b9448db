"""OCTA en face on the Scan page: artifacts and metrics. The masks are the viewer's."""

import streamlit as st

from core.store.scan_view import ScanView
from dashboard.components.panel import panel
from dashboard.components.scan_facts import measures_table
from dashboard.components.scan_grade import artifacts_table


def draw(view: ScanView) -> None:
    """Artifacts with their severity, and every measure."""
    st.subheader("Artifacts")
    panel(artifacts_table(view), key="artifacts")
    st.subheader("Metrics")
    panel(measures_table(view), key="measures")
