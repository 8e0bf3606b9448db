"""Calibration mode on the Scan page: the own grade first, and how it compares with the model's afterwards."""

import streamlit as st

from core.store.scan_view import ScanView
from core.vocabulary import ScanKind
from core.wording import grade_name
from dashboard.components.markup import Html, chip, join, tag
from dashboard.components.panel import panel
from dashboard.grading import steps
from dashboard.grading.keys import draw_grade_keys, draw_save

APART = (("equal", "good"), ("one step apart", "warn"), ("two steps apart", "bad"), ("three steps apart", "bad"))
"""Words and tone by the number of steps between two grades."""


def draw_own_first(view: ScanView) -> None:
    """The keys for the own grade, in the place where the model's grade and reasons appear afterwards."""
    subject = f"own-first-{view.scan_id}"
    st.subheader("Your grade first")
    st.caption("Calibration mode: what the model says of this scan appears once you have graded it.")
    draw_grade_keys(subject, view.kind)
    graded = (subject, view.scan_id, view.kind)
    draw_save(subject, "Save and show the model's grade", steps.grade_first, graded, onward=False)
    st.text_area("Remark (optional)", key=steps.remark_key(subject), max_chars=1000, height=90)


def draw_difference(view: ScanView) -> None:
    """The own masked grade beside the model's, where the person has given one and may see both."""
    if view.own_grade is not None and view.assessment is not None:
        panel(difference(view.own_grade, view.assessment.ordinal, view.kind), key="own-grade")


def difference(own: int, model: int, kind: ScanKind = ScanKind.OCTA_ENFACE) -> Html:
    """In words, and how many steps lie between the two."""
    steps_apart = abs(own - model)
    words, tone = APART[steps_apart]
    text = f"Your masked grade {grade_name(own, kind)}, the model's {grade_name(model, kind)}"
    return tag("p", join([text, chip(words, tone)], " "), class_="verdict", role="status")
