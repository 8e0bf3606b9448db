"""My uploads: every batch with how far it is, what was wrong with which file and what to do. Load, choose, draw."""

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import OctauditError
from core.store.access import Actor
from core.store.batch import BatchLine, read_batch, read_batches
from core.store.batch_page import FileFilter, read_file_page
from core.usecases.retry_scans import retry_batch
from core.usecases.submit_batch import receipt_line
from dashboard.administration.steps import draw_outcome, perform
from dashboard.components.held_file import draw_held_file
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.upload_check import line_table
from dashboard.components.upload_overview import upload_table
from dashboard.filters import MAX_ID, url_choice
from dashboard.installation import installation
from dashboard.session import current_user, open_session

PAGE_SIZE, FILES_PER_PAGE = 20, 100
SHOWN_HELD = 10
REFRESH_S = 3
"""How often the page asks how far scoring is while something is in work: a scan takes a second or so."""
FILTER_WORDS = {
    FileFilter.ALL: "All files", FileFilter.REJECTED: "Rejected", FileFilter.HELD: "Held",
    FileFilter.WAITING: "In work", FileFilter.FAILED: "Failed",
}  # fmt: skip


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("My uploads")
    draw_outcome()
    batch_id = _batch_id()
    if batch_id is None:
        _draw_batches(actor)
        return
    try:
        _draw_batch(actor, batch_id)
    except OctauditError as error:
        empty_state(error.message, error.remedy, key="refused")
    st.button("Back to all uploads", icon=":material/arrow_back:", type="tertiary", on_click=st.query_params.clear)


def _draw_batches(actor: Actor) -> None:
    number = page_number()

    def read() -> tuple[BatchLine, ...]:
        with open_session() as session:
            return read_batches(session, uploaded_by_id=actor.user_id, limit=PAGE_SIZE, offset=PAGE_SIZE * number)

    is_live = any(line.waiting for line in read())

    @st.fragment(run_every=REFRESH_S if is_live else None)
    def batches() -> None:
        lines = read()
        if not lines:
            empty_state("Nothing uploaded yet", "Start on the page Upload; each batch then stays here.", key="none")
            return
        panel(upload_table(lines), key="batches")
        draw_pager(number, PAGE_SIZE, shown=len(lines), total=None, noun="batches")
        if is_live and not any(line.waiting for line in lines):
            st.rerun()  # the last score is in: stop asking

    batches()


def _draw_batch(actor: Actor, batch_id: int) -> None:
    wanted = FileFilter(url_choice("Files", "files", {each.value: FILTER_WORDS[each] for each in FileFilter}))
    number = page_number()

    def read_line() -> BatchLine:
        with open_session() as session:
            read_batch(session, batch_id)  # says so where there is none that the person may see
            return read_batches(session, batch_id=batch_id, limit=1)[0]

    is_live = bool(read_line().waiting)

    @st.fragment(run_every=REFRESH_S if is_live else None)
    def files() -> None:
        line = read_line()
        panel(upload_table([line]), key="batch")
        with open_session() as session:
            found = read_file_page(
                session, batch_id, wanted=wanted, limit=FILES_PER_PAGE, offset=FILES_PER_PAGE * number
            )
        if found:
            panel(line_table([receipt_line(file) for file in found]), key="files")
            draw_pager(number, FILES_PER_PAGE, shown=len(found), total=None, noun="files")
        else:
            st.caption(f"No file of this batch is here: {FILTER_WORDS[wanted].lower()}.")
        if is_live and not line.waiting:
            st.rerun()

    files()
    _draw_retry(read_line())
    _draw_held(actor, batch_id)


def _draw_retry(line: BatchLine) -> None:
    if not line.failed:
        return
    if st.button("Try failed scans again", icon=":material/replay:", key=f"retry-{line.head.id}"):

        def step(session: Session, who: Actor) -> str:
            n = retry_batch(session, actor=who, bell=installation().bell, batch_id=line.head.id)
            noun = "scan waits for its" if n == 1 else "scans wait for their"
            return f"{n} {noun} score again: batch {line.head.receipt}."

        perform(step)


def _draw_held(actor: Actor, batch_id: int) -> None:
    with open_session() as session:
        held = read_file_page(session, batch_id, wanted=FileFilter.HELD, limit=SHOWN_HELD + 1, offset=0)
    if not held:
        return
    st.subheader("Held: possible burned-in text")
    for file in held[:SHOWN_HELD]:
        draw_held_file(actor, file)
    if len(held) > SHOWN_HELD:
        st.caption("More follow as you decide these.")


def _batch_id() -> int | None:
    text = st.query_params.get("batch", "")
    return min(int(text), MAX_ID) if text.isascii() and text.isdecimal() else None


main()
