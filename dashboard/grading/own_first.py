"""Calibration mode on the Scan page: the own grade first, and how it compares with the model's afterwards."""

import streamlit as st

from core.store.scan_view import ScanView
from core.wording import GRADE_NAMES
from dashboard.components.markup import Html, chip, join, tag
from dashboard.components.panel import panel
from dashboard.grading import steps
from dashboard.grading.keys import draw_grade_keys, draw_save


def draw_own_first(view: ScanView) -> None:
    """The keys for the own grade, in the place where the model's grade and reasons appear afterwards."""
    subject = f"own-first-{view.scan_id}"
    st.subheader("Your grade first")
    st.caption("Calibration mode: what the model says of this scan appears once you have graded it.")
    draw_grade_keys(subject)
    draw_save(subject, "Save and show the model's grade", steps.grade_first, (subject, view.scan_id), onward=False)
    st.text_area("Remark (optional)", key=steps.remark_key(subject), max_chars=1000, height=90)


def draw_difference(view: ScanView) -> None:
    """The own masked grade beside the model's, where the person has given one and may see both."""
    if view.own_grade is not None and view.assessment is not None:
        panel(difference(view.own_grade, view.assessment.ordinal), key="own-grade")


def difference(own: int, model: int) -> Html:
    """In words, and how many steps lie between the two."""
    steps_apart = abs(own - model)
    words, tone = {0: ("equal", "good"), 1: ("one step apart", "warn")}.get(steps_apart, ("two steps apart", "bad"))
    text = f"Your masked grade {GRADE_NAMES[own]}, the model's {GRADE_NAMES[model]}"
    return tag("p", join([text, chip(words, tone)], " "), class_="verdict", role="status")
