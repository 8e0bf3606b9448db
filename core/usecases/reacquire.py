"""Moves a reacquisition request from state to state: ask, acknowledge, schedule, receive, regrade, close or give up.

The moves that are legal stand in one table; every other is refused with the reason. Raised by all: NotFoundError where
the request is not there or not visible, NotAllowedError where the role does not fit, IllegalMoveError.
"""

from collections.abc import Iterable
from datetime import date

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.rate import recount_slots, uncount_slots
from core.store.reacquisition import (
    Request,
    close_requested_scans,
    lock_request,
    move_request,
    open_requests_answered_by,
    read_replacement,
    scan_states,
    set_replaces,
    supersede_capture,
)
from core.vocabulary import RequestState, Role, ScanState

_S = RequestState
MOVES: dict[RequestState, frozenset[RequestState]] = {
    _S.REQUESTED: frozenset({_S.ACKNOWLEDGED, _S.SCHEDULED, _S.RECEIVED, _S.NOT_POSSIBLE, _S.WITHDRAWN}),
    _S.ACKNOWLEDGED: frozenset({_S.SCHEDULED, _S.RECEIVED, _S.NOT_POSSIBLE}),
    _S.SCHEDULED: frozenset({_S.SCHEDULED, _S.RECEIVED, _S.NOT_POSSIBLE}),
    _S.RECEIVED: frozenset({_S.REGRADED}),
    _S.REGRADED: frozenset({_S.RECEIVED, _S.CLOSED, _S.NOT_POSSIBLE}),
    _S.CLOSED: frozenset(),
    _S.NOT_POSSIBLE: frozenset(),
    _S.WITHDRAWN: frozenset(),
}
"""What may follow what. A site may send the replacement without a word before; a second one may follow a bad first."""

WHY_NOT = {
    _S.RECEIVED: "the replacement is being scored",
    _S.CLOSED: "it is closed: the replacement was accepted",
    _S.NOT_POSSIBLE: "it was ended as not possible",
    _S.WITHDRAWN: "the reading centre withdrew it",
}
"""The reason for a refusal, in words, where the state alone does not tell it."""

SITE_ROLES = (Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN)
"""Who may answer for a site; the reading centre does it where the site phones."""
_UNSETTLED = frozenset(
    {
        ScanState.RECEIVED,
        ScanState.QUEUED,
        ScanState.SCORING,
        ScanState.SCORED,
        ScanState.FAILED,
        ScanState.QUARANTINED,
    }
)
"""A replacement with a scan in one of these is not regraded yet."""


def acknowledge_request(session: Session, *, actor: Actor, request_id: int, note: str = "") -> None:
    """The site has seen the request."""
    request = request_for(session, actor, request_id, *SITE_ROLES)
    _move(session, request, RequestState.ACKNOWLEDGED, actor=actor, note=note)


def schedule_request(session: Session, *, actor: Actor, request_id: int, planned_on: date, note: str = "") -> None:
    """The site has made an appointment; ``planned_on`` may lie after the due date, which the step then shows."""
    request = request_for(session, actor, request_id, *SITE_ROLES)
    planned = f"Planned for {planned_on.isoformat()}."
    _move(session, request, RequestState.SCHEDULED, actor=actor, note=f"{planned} {note}".strip())


def receive_replacement(
    session: Session, *, actor: Actor, request_id: int, acquisition_id: int, is_found: bool = False, reason: str = ""
) -> None:
    """Link the capture that was taken again to its request; intake calls this in the transaction that stores it.

    ``is_found``: nobody named the request, the program found it by subject, visit, eye and scan type.

    Raises
    ------
    UsageError
        The capture is of another subject, visit, eye or scan type, is the very one to be replaced, or older.
    """
    request = request_for(session, actor, request_id, *SITE_ROLES)
    capture = read_replacement(session, acquisition_id)
    if capture is None:
        raise NotFoundError(f"There is no acquisition {acquisition_id}.", remedy="Upload the replacement first.")
    if capture.expected_scan_id != request.expected_scan_id or acquisition_id == request.acquisition_id:
        raise UsageError(
            f"Acquisition {acquisition_id} cannot replace the one of request {request.id}: subject, visit, eye and "
            "scan type must be the same, and it must be a new capture.",
            remedy="Correct the entry, or upload it without naming the request.",
        )
    refuse_illegal_move(request.state, RequestState.RECEIVED)
    if capture.acquired_at < request.acquired_at:
        raise UsageError(
            f"Acquisition {acquisition_id} was taken before the one of request {request.id}, so it cannot replace it.",
            remedy="Choose a newer capture, or correct its time.",
        )
    # A capture that answers several requests of its slot replaces one capture: that of the newest round.
    if capture.replaces_id is None:
        uncount_slots(session, [request.expected_scan_id])
        set_replaces(session, acquisition_id, replaces_id=request.acquisition_id)
        recount_slots(session, [request.expected_scan_id])
    note = f"Acquisition {acquisition_id}" + (
        ", found by the program." if is_found else f": {reason}" if reason else ""
    )
    _move(
        session, request, RequestState.RECEIVED, actor=actor, note=note, replacement_id=acquisition_id,
        is_link_found=is_found,
    )  # fmt: skip


def mark_not_possible(session: Session, *, actor: Actor, request_id: int, reason: str) -> None:
    """Give the request up, with a reason; its scans are closed as not possible."""
    if not reason.strip():
        raise UsageError("Why is it not possible?", remedy="Write the reason in a few words.")
    request = request_for(session, actor, request_id, *SITE_ROLES, Role.ADJUDICATOR)
    _give_up(session, request, actor=actor, reason=reason.strip())


def withdraw_request(session: Session, *, actor: Actor, request_id: int, reason: str) -> None:
    """Take back a request that the site has not acknowledged; core.usecases.undo_review restores its scan."""
    request = request_for(session, actor, request_id, Role.QC_TECHNICIAN, Role.ADJUDICATOR)
    _move(session, request, RequestState.WITHDRAWN, actor=actor, note=reason)


def follow_replacements(session: Session, *, actor: Actor, acquisition_ids: Iterable[int]) -> None:
    """Move the requests that these captures answer: regraded once all scans are scored, closed once all are accepted.

    Call it, with the slots locked, whenever scans were scored (``actor`` is the program) or decided (the reviewer).
    """
    for request in open_requests_answered_by(session, acquisition_ids):
        assert request.replacement_id is not None, "only answered requests were asked for"
        states = frozenset(scan_states(session, request.replacement_id))
        if not states or states & _UNSETTLED:
            continue
        regraded = _regraded(session, request, actor=actor)
        if states == {ScanState.ACCEPTED}:
            _close(session, regraded, actor=actor, accepted_id=request.replacement_id)


def refuse_illegal_move(state: RequestState, wanted: RequestState) -> None:
    """Raise IllegalMoveError, with the reason, where a request in ``state`` cannot become ``wanted``."""
    if wanted in MOVES[state]:
        return
    why = WHY_NOT.get(state, f"it is {state.value.replace('_', ' ')}")
    possible = ", ".join(sorted(move.value.replace("_", " ") for move in MOVES[state]))
    raise IllegalMoveError(
        f"The request cannot become {wanted.value.replace('_', ' ')}: {why}.",
        remedy=f"Possible now: {possible}." if possible else "Request a reacquisition anew if another is needed.",
    )


def request_for(session: Session, actor: Actor, request_id: int, *roles: Role) -> Request:
    """The request under lock, once it is sure that this person may move it."""
    request = lock_request(session, request_id)
    if request is None:
        raise NotFoundError(f"There is no request {request_id}.", remedy="Choose one from the list of requests.")
    if actor is not PROGRAM and not actor.has_role(*roles, study_id=request.study_id, site_id=request.site_id):
        raise NotAllowedError(
            "Your role does not allow this for a reacquisition request of this site.",
            remedy="Ask a technician of the site or the reading centre.",
        )
    return request


def _move(
    session: Session,
    request: Request,
    state: RequestState,
    *,
    actor: Actor,
    note: str,
    replacement_id: int | None = None,
    is_link_found: bool = False,
) -> Request:
    refuse_illegal_move(request.state, state)
    ended_at = now() if not MOVES[state] else None
    moved = move_request(
        session,
        request,
        state,
        actor_id=actor.user_id,
        note=note,
        replacement_id=replacement_id,
        is_link_found=is_link_found,
        closed_at=ended_at,
    )
    record_event(
        session,
        actor=actor,
        action=f"request.{state.value}",
        entity="reacquisition_request",
        entity_id=request.id,
        study_id=request.study_id,
        site_id=request.site_id,
        before={"state": request.state},
        after={"state": state},
        reason=note,
    )
    return moved


def _regraded(session: Session, request: Request, *, actor: Actor) -> Request:
    if request.state is RequestState.REGRADED:
        return request
    return _move(session, request, RequestState.REGRADED, actor=actor, note="The replacement has been scored.")


def _close(session: Session, request: Request, *, actor: Actor, accepted_id: int) -> None:
    """Close a request whose replacement was accepted, and those before it in a chain of several rounds."""
    _move(session, request, RequestState.CLOSED, actor=actor, note="The replacement was accepted.")
    supersede_capture(session, request.acquisition_id, accepted_id=accepted_id)
    for earlier in open_requests_answered_by(session, [request.acquisition_id]):
        _close(session, _regraded(session, earlier, actor=actor), actor=actor, accepted_id=accepted_id)


def _give_up(session: Session, request: Request, *, actor: Actor, reason: str) -> None:
    """End a request, and those before it in a chain: the last round's end is the end of all."""
    _move(session, request, RequestState.NOT_POSSIBLE, actor=actor, note=reason)
    close_requested_scans(session, request.acquisition_id)
    for earlier in open_requests_answered_by(session, [request.acquisition_id]):
        _give_up(session, _regraded(session, earlier, actor=actor), actor=actor, reason=reason)
