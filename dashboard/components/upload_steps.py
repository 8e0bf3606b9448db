"""The steps of the upload page: choose a site and drop files, fill the table in and check, submit, receipt."""

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import OctauditError
from core.store.access import Actor
from core.store.batch import SiteRef, read_batch, read_batches, read_files, read_roster
from core.usecases.check_batch import BatchCheck, check_batch
from core.usecases.log_in import csrf_token_for
from core.usecases.prefill_missing import MissingWanted, prefill_missing
from core.usecases.prefill_replacement import ReplacementWanted, prefill_replacement
from core.usecases.submit_batch import read_receipt, submit_batch
from core.vocabulary import FileState
from core.wording import scan_type_words
from dashboard.components.batch_table import draw_table, renew_table
from dashboard.components.held_file import draw_held_file
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.upload_check import (
    batch_table,
    draft_counters,
    fault_list,
    is_waiting,
    receipt_counters,
    receipt_table,
)
from dashboard.components.uploader import draw_uploader
from dashboard.installation import installation
from dashboard.session import open_session, session_token

Wanted = ReplacementWanted | MissingWanted
PAGE_SIZE = 20
REFRESH_S = 3
"""How often a receipt asks how far scoring is: a scan takes a second or so."""
SHOWN_HELD = 10
"""Held files shown at once; the next ones follow as these are decided."""


def draw_start(actor: Actor, places: tuple[SiteRef, ...], wanted: Wanted | None) -> None:
    """Step 1: for which site, and the drop zone."""
    if not places:
        empty_state(
            "No site to upload for", "Ask an administrator for the role of technician at your site.", key="no-site"
        )
        return
    if wanted is not None:
        _say_wanted(wanted)
        places = tuple(place for place in places if place == wanted.site) or places
    place = places[0]
    if len(places) > 1:
        place = st.selectbox("Study and site", places, format_func=_place_name, width=420)
    else:
        st.markdown(f"Study and site: **{_place_name(place)}**")
    _draw_drop_zone(actor, place, None, wanted)


def draw_batches(actor: Actor) -> None:
    """My uploads: drafts to go on with, and receipts."""
    st.subheader("My uploads")
    number = page_number()
    with open_session() as session:
        lines = read_batches(session, uploaded_by_id=actor.user_id, limit=PAGE_SIZE, offset=PAGE_SIZE * number)
    if not lines:
        empty_state(
            "Nothing uploaded yet", "Drop your first scans above; each batch then stays listed here.", key="none"
        )
        return
    panel(batch_table(lines), key="batches")
    draw_pager(number, PAGE_SIZE, shown=len(lines), total=None, noun="batches")


def draw_draft(actor: Actor, batch_id: int, wanted: Wanted | None) -> None:
    """Steps 2 and 3: more files, the table, what is wrong and how to cure it, submit."""
    with open_session() as session:
        check = check_batch(session, batch_id, now=now())
        roster = read_roster(session, check.head.site.site_id)
    st.caption(f"Draft {check.head.receipt} · {_place_name(check.head.site)} · kept until you submit it, for a day")
    if wanted is not None:
        _say_wanted(wanted)
    with st.expander("Add more files or a filled-in table (CSV)", expanded=not check.files):
        _draw_drop_zone(actor, check.head.site, batch_id, wanted)
    if not check.files:
        return
    st.subheader("2 · What the scans show")
    readable = [each for each in check.files if each.file.image_sha256 is not None]
    if readable:
        draw_table(actor, check.head, readable, roster)
    st.subheader("3 · Check and submit")
    panel(draft_counters(check), key="draft-counters")
    if any(each.problems for each in check.files):
        panel(fault_list(check.files), key="faults")
    _draw_submit(actor, check)


def draw_receipt(actor: Actor, batch_id: int) -> None:
    """Step 4: the receipt, live until everything is scored, and the held files."""
    with open_session() as session:
        receipt = read_receipt(session, batch_id)
    st.success(
        f"Receipt **{receipt.code}** for study {receipt.study}, site {receipt.site}: "
        f"stored on {receipt.submitted_at:%d %b %Y, %H:%M} UTC. You may close this page.",
        icon=":material/task_alt:",
    )
    _draw_progress(batch_id)
    if receipt.count(FileState.HELD):
        _draw_held(actor, batch_id)


def is_draft(batch_id: int) -> bool:
    """Whether the batch has not been submitted yet; NotFoundError where the person may not see it."""
    with open_session() as session:
        return read_batch(session, batch_id).submitted_at is None


def _draw_drop_zone(actor: Actor, place: SiteRef, batch_id: int | None, wanted: Wanted | None) -> None:
    def go_on(uploaded_id: int) -> None:
        if wanted is not None:
            with open_session() as session:
                _prefill(session, actor, uploaded_id, wanted)
        renew_table(uploaded_id)
        st.query_params["batch"] = str(uploaded_id)
        st.rerun()

    csrf_token = csrf_token_for(session_token() or "")
    draw_uploader(installation().settings, place, batch_id=batch_id, csrf_token=csrf_token, on_uploaded=go_on)


def _prefill(session: Session, actor: Actor, batch_id: int, wanted: Wanted) -> None:
    """Give the files what is known of what they are for."""
    if isinstance(wanted, MissingWanted):
        prefill_missing(session, actor=actor, batch_id=batch_id, slot_id=wanted.slot.slot_id)
    else:
        prefill_replacement(session, actor=actor, batch_id=batch_id, request_id=wanted.awaited.request_id)


def _draw_submit(actor: Actor, check: BatchCheck) -> None:
    ready, faulty, held = (len(check.with_outcome(state)) for state in FileState)
    if faulty:
        what, they, them = ("file", "it stands", "it") if faulty == 1 else ("files", "they stand", "them")
        st.caption(f"{faulty} {what} will be rejected as {they}. Correct {them} above, or submit without {them}.")
    words = f"Submit {ready + held} file{'s' if ready + held != 1 else ''}"
    if st.button(words, type="primary", icon=":material/send:", disabled=ready + held == 0):
        try:
            with open_session() as session:
                submit_batch(
                    session,
                    actor=actor,
                    blobs=installation().blobs,
                    bell=installation().bell,
                    batch_id=check.head.id,
                )
        except OctauditError as error:
            st.error(str(error))
            return
        st.rerun()


def _draw_progress(batch_id: int) -> None:
    with open_session() as session:
        is_live = any(is_waiting(line) for line in read_receipt(session, batch_id).lines)

    @st.fragment(run_every=REFRESH_S if is_live else None)
    def progress() -> None:
        with open_session() as session:
            receipt = read_receipt(session, batch_id)
        panel(receipt_counters(receipt), key="receipt-counters")
        panel(receipt_table(receipt), key="receipt-lines")
        if is_live and not any(is_waiting(line) for line in receipt.lines):
            st.rerun()  # the last score is in: stop asking

    progress()


def _draw_held(actor: Actor, batch_id: int) -> None:
    with open_session() as session:
        files = [file for file in read_files(session, batch_id) if file.state is FileState.HELD]
    st.subheader("Held: possible burned-in text")
    for file in files[:SHOWN_HELD]:
        draw_held_file(actor, file)
    if len(files) > SHOWN_HELD:
        st.caption(f"{len(files) - SHOWN_HELD} more follow as you decide these.")


def _say_wanted(wanted: Wanted) -> None:
    if isinstance(wanted, MissingWanted):
        slot = wanted.slot
        st.info(
            f"Missing scan: subject {slot.subject_code}, visit {slot.visit_code}, {slot.laterality}, "
            f"{scan_type_words(slot.scan_type)}. These are filled in for you.",
            icon=":material/fact_check:",
        )
        return
    awaited = wanted.awaited
    st.info(
        f"Replacement for request {awaited.request_id}: subject {awaited.subject}, visit {awaited.visit}, "
        f"{awaited.laterality}, {scan_type_words(awaited.scan_type)}. These are filled in for you.",
        icon=":material/sync:",
    )


def _place_name(place: SiteRef) -> str:
    return f"{place.study} · {place.site} · {place.site_name}"
