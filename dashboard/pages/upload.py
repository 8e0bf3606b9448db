"""Upload: drop files, say what they show, see every fault with its cure, submit, follow the receipt."""

import streamlit as st

from core.errors import OctauditError
from core.store.batch import read_sites
from core.usecases.prefill_missing import MissingWanted, find_missing
from core.usecases.prefill_replacement import ReplacementWanted, find_wanted
from core.usecases.upload_rights import may_upload
from dashboard.components.panel import empty_state
from dashboard.components.upload_steps import draw_batches, draw_draft, draw_receipt, draw_start, is_draft
from dashboard.session import current_user, open_session


def main() -> None:
    """Draw the page."""
    actor = current_user()
    batch_id = _number("batch")
    st.title("Upload")
    try:
        wanted = _wanted()
        if batch_id is None:
            with open_session() as session:
                places = tuple(place for place in read_sites(session) if may_upload(actor, place))
            st.subheader("1 · Files")
            draw_start(actor, places, wanted)
            draw_batches(actor)
            return
        if is_draft(batch_id):
            draw_draft(actor, batch_id, wanted)
        else:
            draw_receipt(actor, batch_id)
    except OctauditError as error:
        empty_state(error.message, error.remedy, key="refused")
    st.button("Back to all uploads", icon=":material/arrow_back:", type="tertiary", on_click=st.query_params.clear)


def _wanted() -> ReplacementWanted | MissingWanted | None:
    """The request or the missing scan in the URL, which the worklist or Completeness puts there."""
    request_id, slot_id = _number("request"), _number("missing")
    with open_session() as session:
        if request_id is not None:
            return find_wanted(session, request_id)
        return None if slot_id is None else find_missing(session, slot_id)


def _number(name: str) -> int | None:
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None  # noqa: PLR2004 - bigint


main()
