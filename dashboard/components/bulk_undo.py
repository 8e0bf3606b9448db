"""The form that takes one scan of a list accepted in bulk back, while that is possible."""

from datetime import datetime

import streamlit as st

from core.store.bulk_review import BulkItem
from core.usecases.accept_in_bulk import BulkView
from core.usecases.undo_review import UNDO_WINDOW
from dashboard import decisions
from dashboard.components.bulk_table import scan_words

MAX_REASON_LENGTH = 200


def undoable_items(view: BulkView, *, at: datetime) -> list[BulkItem]:
    """The scans whose acceptance can be taken back at this moment, as far as the list tells."""
    return [
        item
        for item in view.accepted
        if not item.is_taken_back and item.accepted_at is not None and at - item.accepted_at <= UNDO_WINDOW
    ]


def draw_taking_back(view: BulkView, *, at: datetime) -> None:
    """Choose a scan and say why; it waits in the worklist again, and the others stay accepted."""
    items = undoable_items(view, at=at)
    minutes = int(UNDO_WINDOW.total_seconds()) // 60
    if not items:
        st.caption(
            f"An acceptance can be taken back for {minutes} minutes; after that, override it on the scan's page."
        )
        return
    with (
        st.popover("Take one back", icon=":material/undo:"),
        st.form(f"bulk.undo.{len(items)}", border=False),  # a new form once one was taken back: its fields are empty
    ):
        item = st.selectbox("Scan", items, format_func=scan_words)
        reason = st.text_input("Why (optional)", max_chars=MAX_REASON_LENGTH)
        st.caption(
            f"It waits in the worklist again, the others stay accepted. Possible for {minutes} minutes, and only while "
            "nobody has decided about the scan since."
        )
        if st.form_submit_button("Take it back", type="primary") and item.review_id is not None:
            decisions.undo(item.review_id, reason=reason)
            st.rerun()
