"""Who is in calibration mode, and the forms to begin and end it. For managers of the whole study."""

from collections.abc import Sequence

import streamlit as st

from core.store.calibration_mode import CalibratedReviewer, Reviewer
from dashboard.grading import steps

WHAT_IT_IS = (
    "In calibration mode a QC technician sees of a scan its pixels and where it is from. The model's grade, verdict, "
    "reasons, masks and Grad-CAM appear once the own grade is given, with the difference."
)


def draw_calibration(study_id: int, calibrated: Sequence[CalibratedReviewer], reviewers: Sequence[Reviewer]) -> None:
    """The reviewers in calibration mode, each with the button that ends it, and the form for another."""
    st.caption(WHAT_IT_IS)
    for each in calibrated:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{_plain(each.name)}** since {each.since:%d %b %Y}: {_plain(each.reason)}")
            st.button(
                "End", key=f"calibration.end.{each.id}", on_click=steps.end_calibration, args=(study_id, each.id),
                help=f"End the calibration of {each.name}",
            )  # fmt: skip
    names = {reviewer.id: reviewer.name for reviewer in reviewers}
    free = [id_ for id_ in names if id_ not in {each.user_id for each in calibrated}]
    if not free:
        st.caption("Every QC technician of the study is in calibration mode." if names else "No QC technician yet.")
        return
    with st.expander("Put a reviewer into calibration mode", icon=":material/visibility_off:"):
        st.selectbox("Reviewer", free, key="calibration.reviewer", format_func=names.__getitem__)
        st.text_input("Reason (required)", key="calibration.reason", max_chars=500, placeholder="New in the team")
        st.button("Begin", type="primary", key="calibration.begin", on_click=steps.calibrate, args=(study_id,))


def _plain(text: str) -> str:
    """Text that people wrote, with nothing in it that Markdown would read as its own."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~:$" else letter for letter in text)
