"""What a click on the scan page writes: callbacks around the review's use cases. Draws only outcomes.

A callback gets the version that the person saw as an argument bound when the button was drawn. Read again at the click,
it would always be the newest one, and a colleague's decision in between would be overwritten unseen.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import streamlit as st

from core.errors import OctauditError
from core.policy.review_form import ReviewDraft
from core.store.access import current_actor
from core.store.scan_filter import ScanFilter
from core.store.scan_view import ScanView
from core.usecases.accept_in_bulk import BulkView, accept_piece, mark_sample, open_bulk, stop_bulk
from core.usecases.grade_masked import grade_masked
from core.usecases.prepare_review import keep_draft
from core.usecases.review_scan import accept_scan, override_scan, query_site, request_reacquisition
from core.usecases.undo_review import undo_review
from core.vocabulary import ReviewDecision, SampleMark
from dashboard.components.review_form.show import FormEvent
from dashboard.outcome import note_done, note_refused
from dashboard.session import open_session

_REFUSED = object()
"""What a use case that was refused returned; one that was written may well return None."""


def decide(event: FormEvent, *, scan: str) -> bool:
    """Write a decision of the review form about the scan called ``scan``; whether it was written.

    What was refused is kept as a draft, so that nothing that was typed is lost.
    """
    draft = event.draft
    about: dict[str, Any] = {"scan_id": event.scan, "seen_version": event.version, "marks": draft.marks}
    match event.do:
        case ReviewDecision.ACCEPT:
            return _write(f"Accepted. {scan}", accept_scan, **about)
        case ReviewDecision.OVERRIDE if draft.ordinal is None:
            note_refused("Choose a grade first.")
            return False
        case ReviewDecision.OVERRIDE:
            arguments = {"ordinal": draft.ordinal, "reason": draft.reason}
            return _write(f"The grade was overridden. {scan}", override_scan, **about, **arguments)
        case ReviewDecision.REQUEST_REACQUISITION:
            words = {"text": draft.text.strip(), "remedy": draft.remedy.strip()}
            return _write(f"The site was asked for a new scan. {scan}", request_reacquisition, **about, **words)
        case ReviewDecision.QUERY:
            return _write(f"The question was sent to the site. {scan}", query_site, **about, question=draft.question)
        case _:
            note_refused("This is no decision of the review form.")
            return False


def undo(review_id: int, *, reason: str = "") -> bool:
    """Take an own decision back; whether it was."""
    return _write("Undone: the scan stands as it stood before.", undo_review, review_id=review_id, reason=reason)


def keep(view: ScanView, draft: ReviewDraft) -> bool:
    """Keep the review form as it is filled in, without a word unless that fails."""
    return _write(
        "",
        keep_draft,
        scan_id=view.scan_id,
        site_id=view.site_id,
        kind=view.kind,
        seen_version=view.version,
        draft=draft,
    )


def open_list(chosen: ScanFilter, filters: Mapping[str, str], *, today: date) -> int | None:
    """Fix the list under ``chosen`` and draw its sample: the bulk acceptance's id; None where it was refused."""
    opened = _written("", open_bulk, chosen=chosen, filters=filters, today=today)
    return opened if isinstance(opened, int) else None


def mark_sampled(bulk_id: int, scan_id: int, mark: SampleMark) -> BulkView | None:
    """Agree or disagree with the acceptance of a sampled scan; the bulk acceptance as it then stands."""
    words = "" if mark is SampleMark.AGREE else "You disagreed: nothing of the list is accepted."
    marked = _written(words, mark_sample, bulk_id=bulk_id, scan_id=scan_id, mark=mark)
    return marked if isinstance(marked, BulkView) else None


def accept_piece_of(bulk_id: int) -> int | None:
    """Accept the next scans of an agreed list: how many are left; None where it was refused."""
    left = _written("", accept_piece, bulk_id=bulk_id)
    return left if isinstance(left, int) else None


def stop_list(bulk_id: int) -> None:
    """Give a bulk acceptance up."""
    _write("Given up.", stop_bulk, bulk_id=bulk_id)


def grade(scan_id: int) -> None:
    """Give the own grade, masked from the model's and from everybody's."""
    ordinal, reason = st.session_state["masked.grade"], st.session_state["masked.reason"]
    if ordinal is None:
        note_refused("Choose a grade first.")
        return
    _write("Your grade is written.", grade_masked, scan_id=scan_id, ordinal=ordinal, reason=reason.strip())


def _write(done: str, verb: Callable[..., Any], **arguments: Any) -> bool:
    """Run a use case in its own transaction as the signed-in person; whether it was written."""
    return _written(done, verb, **arguments) is not _REFUSED


def _written(done: str, verb: Callable[..., Any], **arguments: Any) -> Any:
    """The same; what the use case returned, or ``_REFUSED``. Without ``done`` nothing is said of it."""
    try:
        with open_session() as session:
            actor = current_actor(session)
            if actor is None:
                return _REFUSED  # the page that follows says that the session has ended
            result = verb(session, actor=actor, **arguments)
    except OctauditError as error:
        note_refused(str(error))
        return _REFUSED
    if done:
        note_done(done)
    return result
