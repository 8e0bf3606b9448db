"""Takes a replacement off its request: the reading centre undoes a link that was wrong, with the reason."""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, UsageError
from core.store import reacquisition as store
from core.store.access import Actor
from core.store.audit import record_event
from core.store.rate import recount_slots, uncount_slots
from core.store.reacquisition import Request, open_requests_answered_by
from core.usecases.reacquire import request_for
from core.vocabulary import RequestState, Role

UNLINKERS = (Role.QC_TECHNICIAN, Role.ADJUDICATOR)
"""Who may undo a link; a trigger of the database holds it, too."""
LINKED = frozenset({RequestState.RECEIVED, RequestState.REGRADED})
"""States in which a request has a replacement that nobody has accepted."""


def unlink_replacement(session: Session, *, actor: Actor, request_id: int, reason: str) -> RequestState:
    """Undo the link; return the state in which the request stood before the replacement came.

    The capture stays and counts as a first one from now on, as if it had been sent for nothing.

    Raises
    ------
    UsageError
        There is no reason.
    NotFoundError, NotAllowedError
        There is no such request in the person's reach, or the role does not fit.
    IllegalMoveError
        The request has no replacement, or has ended.
    """
    if not reason.strip():
        raise UsageError("Why is it no replacement?", remedy="Write the reason in a few words.")
    request = request_for(session, actor, request_id, *UNLINKERS)
    _refuse_unlinked(request)
    assert request.replacement_id is not None, "a received request has a replacement"
    uncount_slots(session, [request.expected_scan_id])
    others = [each for each in open_requests_answered_by(session, [request.replacement_id]) if each.id != request.id]
    store.set_replaces(session, request.replacement_id, replaces_id=others[-1].acquisition_id if others else None)
    recount_slots(session, [request.expected_scan_id])
    note = f"Acquisition {request.replacement_id}: {reason.strip()}"
    stands = store.unlink_replacement(session, request, actor_id=actor.user_id, note=note)
    record_event(
        session, actor=actor, action="request.unlinked", entity="reacquisition_request", entity_id=request.id,
        study_id=request.study_id, site_id=request.site_id,
        before={"state": request.state, "replacement_id": request.replacement_id},
        after={"state": stands.state, "replacement_id": None}, reason=reason.strip(),
    )  # fmt: skip
    return stands.state


def _refuse_unlinked(request: Request) -> None:
    if request.state in LINKED:
        return
    why = "it has ended" if request.is_ended else "no replacement has come"
    raise IllegalMoveError(
        f"No replacement can be taken off the request: {why}.", remedy="Load the page again to see how it stands."
    )
