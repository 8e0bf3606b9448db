"""The adjudicator's list: a scan with the graders' grades side by side, without names, and the keys to settle it."""

import streamlit as st

from core.store.grading_view import ToSettle
from core.wording import SLAB_NAMES
from dashboard.components.markup import chip
from dashboard.components.pager import counted
from dashboard.components.panel import empty_state, panel
from dashboard.grading import steps
from dashboard.grading.keys import draw_grade_keys, draw_picture, draw_save, grade_table

LETTERS = "ABC"


def draw_adjudication(items: tuple[ToSettle, ...], total: int) -> None:
    """The next scan to settle."""
    if not items:
        empty_state(
            "Nothing to settle",
            "The graders agree on every scan that they have finished. Those on which they differ come here.",
            key="settle-empty",
        )
        return
    item, following = items[0], items[1] if len(items) > 1 else None
    subject = f"settle-{item.id}"
    st.caption(f"{counted(total, 'scans')} to settle, the oldest first.")
    image, form = st.columns([8, 5], gap="medium")
    with image:
        draw_picture(
            item.scan_id, following.scan_id if following else None, key="settle-picture",
            caption=f"Scan {item.scan_id}, {SLAB_NAMES[item.slab].lower()}, {item.width_px} × {item.height_px} px. "
            f"Drawn on {item.drawn_at:%d %b %Y}.",
        )  # fmt: skip
    with form:
        why = "Senior check: the graders agree" if item.is_senior_check else "The graders differ"
        panel(chip(why, "info" if item.is_senior_check else "warn"), key="settle-why")
        panel(
            grade_table(
                [(f"Grader {letter}", ordinal) for letter, ordinal in zip(LETTERS, item.ordinals, strict=False)]
            ),
            key="settle-grades",
        )
        st.caption("The letters change from scan to scan: A is not always the same person.")
        draw_grade_keys(subject)
        draw_save(subject, "Settle and next", steps.settle, (subject, item.id))
        st.text_area(
            "Reason (required for a grade that nobody gave)", key=steps.remark_key(subject), max_chars=1000, height=90
        )
