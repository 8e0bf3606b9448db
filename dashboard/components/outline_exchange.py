"""The way out and the way in of FAZ outlines by hand: images to take away, a drop zone for what was drawn."""

from urllib.parse import urlencode

import streamlit as st

from core.errors import UsageError
from core.store.scan_filter import ScanFilter
from core.usecases.log_in import csrf_token_for
from core.usecases.outline_faz import DEFAULT_SCANS, reader_code
from dashboard.components.markup import tag
from dashboard.components.panel import panel
from dashboard.components.uploader import draw_mask_drop
from dashboard.installation import installation
from dashboard.session import session_token


def draw_outline_exchange(chosen: ScanFilter, study_id: int | None) -> None:
    """Both ways, for scans of one study, slab and field."""
    st.subheader("Outline by hand")
    left, right = st.columns((2, 3), gap="large")
    with left:
        _draw_way_out(chosen, study_id)
    with right:
        _draw_way_in()


def _draw_way_out(chosen: ScanFilter, study_id: int | None) -> None:
    assert chosen.slab is not None, "the view names a slab"
    assert chosen.scan_type is not None, "and a field"
    if study_id is None:
        st.caption("Choose a study to take images: they are drawn from one.")
        return
    query = urlencode({"slab": chosen.slab.value, "type": chosen.scan_type})
    link = tag(
        "a", "Take images to outline", href=f"/outlines/{study_id}.zip?{query}", download=True,
        style="text-decoration: underline",  # told from the words beside it by more than its colour
    )  # fmt: skip
    note = tag("span", f" – up to {DEFAULT_SCANS} gradable scans of this slab and field, one of a subject.")
    panel(tag("p", link, note), key="to-outline")
    st.caption(
        "They are drawn by lot from the newest, the same ones for every reader, without what the model drew. Fill the "
        "outline: 0 outside, 255 within; keep size and name."
    )


def _draw_way_in() -> None:
    text = st.text_input(
        "Code of the reader who drew them", key="octaudit.reader", placeholder="for example R1", max_chars=40
    )
    if not text.strip():
        st.caption("With the code, the outlines can be dropped here: single PNGs or one ZIP.")
        return
    try:
        reader = reader_code(text)
    except UsageError as error:
        st.error(f"{error.message} {error.remedy}")
        return
    token = csrf_token_for(session_token() or "")
    draw_mask_drop(installation().settings, f"faz-outlines/{reader}", csrf_token=token)
