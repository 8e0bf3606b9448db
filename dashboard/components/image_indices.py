"""The image indices of a scan on the Scan page, folded away, for lanes that measure no foveal avascular zone."""

import streamlit as st

from core.store.scan_view import ScanView
from dashboard.components.panel import panel
from dashboard.components.scan_facts import indices_table


def draw_indices(view: ScanView, *, note: str = "") -> None:
    """Every index, how far the network's levels agree among them; ``note`` says of what they were taken."""
    with st.expander("Image indices, and how far the network's levels agree"):
        panel(indices_table(view), key="indices")
        if note:
            st.caption(note)
