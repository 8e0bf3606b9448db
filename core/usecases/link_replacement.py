"""Links a capture that is there already to a request: the reading centre says that this is the new scan asked for."""

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.store.access import Actor
from core.store.rate import recount_slots
from core.usecases.reacquire import follow_replacements, receive_replacement, request_for
from core.usecases.unlink_replacement import UNLINKERS


def link_replacement(session: Session, *, actor: Actor, request_id: int, acquisition_id: int, reason: str) -> None:
    """Link it, and move the request on as far as the capture's scans are scored and accepted by now.

    It is for captures that came before the request, or without its being found; an upload is linked by itself.

    Raises
    ------
    UsageError
        There is no reason; or the capture is of another expected scan, older, or the very one to be replaced.
    NotFoundError, NotAllowedError
        There is no such request or capture in the person's reach, or the role does not fit.
    IllegalMoveError
        The request waits for no capture.
    """
    if not reason.strip():
        raise UsageError("Why is it the replacement?", remedy="Write the reason in a few words.")
    request = request_for(session, actor, request_id, *UNLINKERS)
    receive_replacement(
        session, actor=actor, request_id=request_id, acquisition_id=acquisition_id, reason=reason.strip()
    )
    follow_replacements(session, actor=actor, acquisition_ids=[acquisition_id])
    recount_slots(session, [request.expected_scan_id])
