"""A reviewer takes an own decision back, as a move of its own: nothing is erased.

It is possible for ``UNDO_WINDOW``, for the latest decision and for each scan of a list accepted in bulk, and only while
nobody has moved on: the scan is as the decision left it, the site has not acknowledged the request that came of it, and
the decision has not closed one. The scan stands again as it stood before, the counts follow, the request is withdrawn
with the reason, and the form comes back as a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotFoundError
from core.policy.review_form import ReviewDraft
from core.store.access import Actor
from core.store.query_thread import add_message
from core.store.reacquisition import Request, open_request_for, scan_states
from core.store.review import (
    MadeReview,
    ReviewedScan,
    add_review,
    find_bulk_part,
    has_closed_request,
    latest_review_of,
    read_marks_of,
)
from core.store.review_draft import put_draft
from core.usecases.reacquire import withdraw_request
from core.usecases.review_scan import Decision, apply_decision, own_reviewable, reviewer_id_of
from core.vocabulary import QueryAct, QuerySide, RequestState, ReviewDecision, ScanState, Verdict

UNDO_WINDOW = timedelta(minutes=15)
"""Long enough to notice a slip, too short for a site to plan by what is then taken back."""
_UNDONE = frozenset(
    {ReviewDecision.ACCEPT, ReviewDecision.OVERRIDE, ReviewDecision.REQUEST_REACQUISITION, ReviewDecision.QUERY}
)
_DRAFT_FIELD = {
    ReviewDecision.OVERRIDE: "reason",
    ReviewDecision.REQUEST_REACQUISITION: "text",
    ReviewDecision.QUERY: "question",
}
_REMEDY = "Override the grade, or ask for a new scan, on the scan's page."


@dataclass(frozen=True, slots=True)
class Undoable:
    """The own last decision, as long as it can be taken back as far as one can tell without trying."""

    review_id: int
    scan_id: int
    decision: ReviewDecision
    until: datetime


def find_undoable(session: Session, *, actor: Actor, scan_id: int | None = None) -> Undoable | None:
    """What ``undo_review`` would take back; None where there is nothing recent enough.

    That is the own acceptance of ``scan_id`` as one of a list, else the latest decision, unless it was made with a
    list: nobody can tell which scan of a list came last.
    """
    if actor.user_id is None:
        return None
    part = find_bulk_part(session, actor.user_id, scan_id=scan_id) if scan_id is not None else None
    latest = latest_review_of(session, actor.user_id)
    alone = latest if latest is not None and latest.bulk_review_id is None else None
    for review in (part, alone):
        if review is not None and _why_not(review) is None:
            return Undoable(review.id, review.scan_id, review.decision, review.created_at + UNDO_WINDOW)
    return None


def undo_review(session: Session, *, actor: Actor, review_id: int, reason: str = "") -> int:
    """Take the decision ``review_id`` back; return the id of its scan.

    Raises
    ------
    NotFoundError, IllegalMoveError
        It is neither this person's latest decision nor one made with a list; or somebody has moved on, as it says.
    """
    review = _own_review(session, reviewer_id_of(actor), review_id)
    if why := _why_not(review):
        raise IllegalMoveError(why, remedy=_REMEDY)
    scan = own_reviewable(session, actor, review.scan_id)
    if scan.version != review.scan_version:
        raise IllegalMoveError("Somebody has moved on with the scan since, so it cannot be undone.", remedy=_REMEDY)
    if has_closed_request(session, scan.acquisition_id, since=review.created_at):
        raise IllegalMoveError(
            "The decision closed the site's request for this scan, so it cannot be undone.", remedy=_REMEDY
        )
    words = reason.strip() or "Undone by the reviewer."
    if review.decision is ReviewDecision.REQUEST_REACQUISITION:
        # Before the scan is restored: the counts, which follow then, name a capture's failure by its request.
        _withdraw(session, _unanswered_request(session, scan), actor=actor, reason=words)
    _restore(session, scan, review, actor=actor, reason=words)
    if review.decision is ReviewDecision.QUERY:
        add_message(
            session, scan_id=scan.scan_id, site_id=scan.site_id, author_id=reviewer_id_of(actor),
            side=QuerySide.CENTRE, act=QueryAct.RESOLVED, text=words,
        )  # fmt: skip
    _bring_form_back(session, scan, review)
    return scan.scan_id


def _own_review(session: Session, reviewer_id: int, review_id: int) -> MadeReview:
    """The decision, where it is this person's latest one or was made with a list."""
    latest = latest_review_of(session, reviewer_id)
    if latest is None:
        raise NotFoundError("You have not decided anything that could be undone.", remedy="Decide about a scan first.")
    if latest.id == review_id:
        return latest
    part = find_bulk_part(session, reviewer_id, review_id=review_id)
    if part is None:
        raise IllegalMoveError(
            "Only your latest decision can be undone, or one that you made with a list; this is neither.",
            remedy=_REMEDY,
        )
    return part


def _why_not(review: MadeReview) -> str | None:
    """Why this decision cannot be taken back, as far as its own row tells; None: nothing speaks against it."""
    if review.is_undone:
        return "This decision has been undone already."
    if review.decision is ReviewDecision.UNDO:
        return "Your latest decision has been undone already."
    if review.decision not in _UNDONE or review.replaced is None or review.scan_version is None:
        return "What you did last is no decision that can be undone."
    if now() - review.created_at > UNDO_WINDOW:
        return f"A decision can be undone for {UNDO_WINDOW.seconds // 60} minutes; this one is older."
    return None


def _unanswered_request(session: Session, scan: ReviewedScan) -> Request:
    """The request that the decision made or joined, once it is sure that the site has not answered it."""
    request = open_request_for(session, scan.acquisition_id)
    if request is None or request.state is not RequestState.REQUESTED:
        raise IllegalMoveError(
            "The site has already answered the request, so it cannot be undone.",
            remedy="Ask the site to close it as not possible.",
        )
    return request


def _withdraw(session: Session, request: Request, *, actor: Actor, reason: str) -> None:
    """Take the request back, unless another bad slab of the capture has joined it."""
    if scan_states(session, request.acquisition_id).count(ScanState.REACQUISITION_REQUESTED) == 1:
        withdraw_request(session, actor=actor, request_id=request.id, reason=reason)


def _restore(session: Session, scan: ReviewedScan, review: MadeReview, *, actor: Actor, reason: str) -> None:
    assert review.replaced is not None, "checked by _why_not"
    before: Mapping[str, Any] = review.replaced
    verdict = before["final_verdict"]
    undone = Decision(
        ReviewDecision.UNDO,
        ScanState(before["state"]),
        Verdict(verdict) if verdict else None,
        before["human_ordinal"],
        reason,
    )
    add_review(
        session,
        scan,
        reviewer_id=reviewer_id_of(actor),
        decision=ReviewDecision.UNDO,
        ordinal=None,
        reason=reason,
        undoes_id=review.id,
    )
    apply_decision(session, scan, undone, actor=actor, more={"undoes": review.id, "undone": review.decision})


def _bring_form_back(session: Session, scan: ReviewedScan, review: MadeReview) -> None:
    marks = read_marks_of(session, review.id)
    if not marks:
        return
    step = review.decision if review.decision in _DRAFT_FIELD else None
    words = {_DRAFT_FIELD[step]: review.reason} if step is not None else {}
    draft = ReviewDraft(
        marks=marks, step=step, ordinal=review.ordinal if step is ReviewDecision.OVERRIDE else None, **words
    )
    put_draft(
        session,
        reviewer_id=review.reviewer_id,
        site_id=scan.site_id,
        scan_id=scan.scan_id,
        seen_version=scan.version + 1,
        document=draft.model_dump(mode="json"),
    )
