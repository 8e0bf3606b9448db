"""A B-scan on the Scan page: its class, what is marked, its signal. Lesion mask and heat map are the viewer's."""

import streamlit as st

from core.store.scan_view import ScanView
from dashboard.components.bscan_words import classes_table, lesions_table, quality_table
from dashboard.components.image_indices import draw_indices
from dashboard.components.panel import panel


def draw(view: ScanView) -> None:
    """Class probabilities, lesions, quality of the signal, indices."""
    st.subheader("What it shows")
    panel(classes_table(view), key="bscan-classes")
    st.subheader("Lesions")
    panel(lesions_table(view), key="bscan-lesions")
    st.subheader("Signal")
    panel(quality_table(view), key="bscan-quality")
    draw_indices(view)
