"""Scans that could not be scored: a list with why, and the step of queueing them again or discarding them."""

from collections.abc import Mapping, Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.store.access import Actor
from core.store.queue_state import StuckScan
from core.usecases.requeue_scans import OPERATORS, discard_scans, requeue_scans
from core.vocabulary import ScanState
from core.wording import SLAB_NAMES, STATE_NAMES
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.markup import Html, chip, count, page_link, tag
from dashboard.components.pager import counted
from dashboard.components.panel import panel
from dashboard.installation import installation

AGAIN, DISCARD = "Queue again", "Discard"
_TO_DISCARD = "stuck.to-discard"


def stuck_table(scans: Sequence[StuckScan]) -> Html:
    """One row per scan; its number leads to the scan."""
    heads = ("Scan", "State", "Why", "Tries", "Workers lost", "Where from", "Submitted")
    numeric = {"Tries", "Workers lost"}
    head = tag(
        "thead", tag("tr", *(tag("th", each, scope="col", class_="num" if each in numeric else None) for each in heads))
    )
    return tag(
        "div", tag("table", head, tag("tbody", *(_row(scan) for scan in scans))), class_="scroll", tabindex="0",
        role="region", aria_label="Scans that could not be scored",
    )  # fmt: skip


def _row(scan: StuckScan) -> Html:
    tone = "bad" if scan.state is ScanState.QUARANTINED else "warn"
    where = f"{scan.study_code}, {scan.site_code}"
    eye = f"{scan.laterality} · {SLAB_NAMES[scan.slab]}"
    number = page_link(f"#{scan.scan_id}", "scan", {"id": scan.scan_id})
    return tag(
        "tr",
        tag(
            "th",
            number,
            tag("span", eye, class_="name"),
            scope="row",
        ),
        tag("td", chip(STATE_NAMES[scan.state], tone)),
        tag("td", tag("p", scan.failure or "no reason was kept", class_="words")),
        tag("td", count(scan.attempts), class_="num"),
        tag("td", count(scan.worker_losses), class_="num"),
        tag("td", where, tag("span", f"{scan.subject_code}, {scan.visit_code}, {scan.device_code}", class_="name")),
        tag("td", f"{scan.submitted_at:%d %b %Y %H:%M}"),
    )


def draw_stuck_steps(scans: Sequence[StuckScan], actor: Actor) -> None:
    """The form: which of the scans, what to do, and why; nothing where the person may do neither."""
    own = {
        scan.scan_id: scan for scan in scans if actor.has_role(*OPERATORS, study_id=scan.study_id, site_id=scan.site_id)
    }
    if not own:
        return
    doomed, doomed_for = st.session_state.get(fresh_key(_TO_DISCARD), ((), ""))
    if still := [own[each] for each in doomed if each in own]:
        _draw_confirmation(still, doomed_for)
    else:
        _draw_choice(own)


def _draw_choice(own: Mapping[int, StuckScan]) -> None:
    with st.form(fresh_key("stuck"), border=True):
        chosen = st.multiselect(
            "Scans", list(own), key=fresh_key("stuck.scans"), format_func=lambda each: _words(own[each]),
            placeholder="Choose from this page of the list", filter_mode="contains", select_all=False,
        )  # fmt: skip
        step = st.radio("Step", (AGAIN, DISCARD), key=fresh_key("stuck.step"), horizontal=True, help=_HELP)
        reason = st.text_input("Reason", key=fresh_key("stuck.reason"), max_chars=500, placeholder="For the record")
        is_asked = st.form_submit_button("Do it", type="primary", icon=":material/check:")
    if is_asked and step == DISCARD and chosen and reason.strip():
        st.session_state[fresh_key(_TO_DISCARD)] = tuple(chosen), reason
        st.rerun()
    elif is_asked:
        perform(lambda session, who: _do(session, who, chosen, step, reason))


def _draw_confirmation(scans: Sequence[StuckScan], reason: str) -> None:
    """Name every scan that would be closed, and close them when told so a second time."""
    number, ids = counted(len(scans), "scans"), [scan.scan_id for scan in scans]
    with st.container(border=True):
        panel(confirmation(scans, reason), key="to-discard")
        with st.container(horizontal=True):
            if st.button(f"Discard {number}", type="primary", icon=":material/delete:", key=fresh_key("stuck.discard")):
                perform(lambda session, who: _do(session, who, ids, DISCARD, reason))
            if st.button("Keep them" if len(ids) > 1 else "Keep it", key=fresh_key("stuck.keep")):
                del st.session_state[fresh_key(_TO_DISCARD)]
                st.rerun()


def confirmation(scans: Sequence[StuckScan], reason: str) -> Html:
    """What a discard would close, scan by scan, and why."""
    title = f"Discard {counted(len(scans), 'scans')} for good?"
    words = "What is discarded is never scored and this cannot be taken back; the site can send the image anew."
    named = (tag("li", _words(scan), ", ", STATE_NAMES[scan.state].lower()) for scan in scans)
    return tag(
        "section", tag("h3", title), tag("p", words), tag("ul", *named), tag("p", "Reason: ", reason), role="alert"
    )


_HELP = (
    "Queue again: the scan starts with a clean count of tries. Look at its image first: one that cost three workers "
    "may cost three more. Discard: it is closed for good and stays visible with the reason."
)


def _words(scan: StuckScan) -> str:
    return f"#{scan.scan_id} · {scan.site_code} · {scan.subject_code} {scan.visit_code} {scan.laterality}"


def _some(chosen: Sequence[int]) -> Sequence[int]:
    if not chosen:
        raise UsageError("No scan is chosen.", remedy="Choose one or more from the list.")
    return chosen


def _do(session: Session, actor: Actor, chosen: Sequence[int], step: str, reason: str) -> str:
    if step == AGAIN:
        done = requeue_scans(session, actor=actor, scan_ids=_some(chosen), bell=installation().bell, reason=reason)
        words = "queued again"
    else:
        done = discard_scans(session, actor=actor, scan_ids=_some(chosen), reason=reason)
        words = "discarded"
    left = len(chosen) - len(done)
    moved = f" {counted(left, 'scans')} had been moved by somebody else." if left else ""
    return f"{counted(len(done), 'scans')} {words}.{moved}"
