"""ONH en face on the Scan page: artifacts, nerve head, the grade in every grouping. The masks are the viewer's."""

import streamlit as st

from core.store.scan_view import ScanView
from dashboard.components.image_indices import draw_indices
from dashboard.components.onh_words import groupings_table, nerve_head_table
from dashboard.components.panel import panel
from dashboard.components.scan_grade import artifacts_table


def draw(view: ScanView) -> None:
    """Signal loss and motion with their severity, the nerve head's size and place, groupings of the grade, indices."""
    st.subheader("Signal loss and motion")
    panel(artifacts_table(view), key="artifacts")
    st.subheader("Optic nerve head")
    panel(nerve_head_table(view), key="nerve-head")
    with st.expander("The grade with neighbouring grades put together"):
        panel(groupings_table(view), key="groupings")
    draw_indices(view)
