"""The bar above a scan of a bulk acceptance's sample: its number, the neighbours, agree and disagree."""

import streamlit as st

from core.store.access import Actor
from core.usecases.accept_in_bulk import BulkView, look_at_sample
from core.vocabulary import BulkState
from dashboard import decisions
from dashboard.components.bulk_table import sample_address
from dashboard.components.panel import go_to
from dashboard.components.review_bar.show import BarState, WalkState, show_bar
from dashboard.filters import MAX_ID
from dashboard.session import open_session

SAMPLED = (
    "This scan is in the sample of a list that you accept in bulk. Agree (y) or disagree (x) in the bar above. "
    "To decide about it alone, open it from the worklist: it is then left out of the list."
)


def read_sample(actor: Actor, scan_id: int) -> BulkView | None:
    """The bulk acceptance that the address names, where the scan is in its sample; notes that it was looked at."""
    text = st.query_params.get("bulk", "")
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_ID):
        return None
    with open_session() as session:
        return look_at_sample(session, actor=actor, bulk_id=int(text), scan_id=scan_id)


def bulk_address(view: BulkView) -> str:
    """The address of the bulk acceptance itself."""
    return f"/bulk?run={view.bulk.id}"


def draw_sample_walk(view: BulkView, scan_id: int) -> None:
    """Draw the bar; a mark leads to the next scan without one, after the last and after a disagreement to the list."""
    sample = view.sample
    at = next(at for at, item in enumerate(sample) if item.scan_id == scan_id)
    walk = WalkState(
        name=f"sample of {len(view.items)} scans",
        number=at + 1,
        total=len(sample),
        previous=sample_address(view.bulk.id, sample[at - 1].scan_id) if at else None,
        next=sample_address(view.bulk.id, sample[at + 1].scan_id) if at + 1 < len(sample) else None,
        back=bulk_address(view),
    )
    is_open = view.bulk.state is BulkState.SAMPLING
    event = show_bar(BarState(scan_id, walk, undo=None, is_sample=is_open, mark=sample[at].mark), key="bar")
    if event is None:
        return
    if event.go is not None:
        go_to(event.go)
    elif event.mark is not None:
        marked = decisions.mark_sampled(view.bulk.id, scan_id, event.mark)
        if marked is not None:
            unmarked = [item for item in marked.sample if item.mark is None]
            is_on = marked.bulk.state is BulkState.SAMPLING and unmarked
            go_to(sample_address(view.bulk.id, unmarked[0].scan_id) if is_on else bulk_address(view))
        st.rerun()
