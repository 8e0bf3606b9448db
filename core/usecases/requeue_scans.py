"""Gives failed or quarantined scans another chance, or closes them for good; an operator's decision, with a reason."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.broker import Bell
from core.database.session import after_commit
from core.errors import NotAllowedError, UsageError
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.queue import ScanPlace, discard, requeue, scan_places
from core.vocabulary import Role, ScanState

OPERATORS = (Role.ADMIN, Role.MANAGER)


def requeue_scans(
    session: Session, *, actor: Actor, scan_ids: Sequence[int], bell: Bell, reason: str
) -> tuple[int, ...]:
    """Queue failed or quarantined scans again from a clean count; return those that were in such a state.

    Raises NotAllowedError where the person is neither manager nor admin of one of the sites, UsageError without a
    reason.
    """
    if not reason.strip():
        raise UsageError("Why are the scans queued again?", remedy="Write in a few words what has changed.")
    places = _allowed_places(session, actor, scan_ids)
    queued = requeue(session, [place.scan_id for place in places])
    for place in places:
        if place.scan_id in queued:
            _record(session, actor, place, "scan.queued_again", ScanState.QUEUED, reason=reason.strip())
    for lane in sorted(set(queued.values())):
        after_commit(session, lambda lane=lane: bell.ring(lane))  # type: ignore[misc]
    return tuple(queued)


def discard_scans(session: Session, *, actor: Actor, scan_ids: Sequence[int], reason: str) -> tuple[int, ...]:
    """Close failed or quarantined scans for good, with the reason; return those that were in such a state."""
    if not reason.strip():
        raise UsageError("Why are the scans discarded?", remedy="Write the reason in a few words.")
    places = _allowed_places(session, actor, scan_ids)
    closed = discard(session, [place.scan_id for place in places], reason=reason.strip())
    for place in places:
        if place.scan_id in closed:
            _record(session, actor, place, "scan.discarded", ScanState.CLOSED_NOT_POSSIBLE, reason=reason.strip())
    return closed


def _allowed_places(session: Session, actor: Actor, scan_ids: Sequence[int]) -> list[ScanPlace]:
    places = scan_places(session, scan_ids)
    for place in places:
        is_allowed = actor is PROGRAM or actor.has_role(*OPERATORS, study_id=place.study_id, site_id=place.site_id)
        if not is_allowed:
            raise NotAllowedError(
                "Only a manager or an administrator may queue scans again or discard them.", remedy="Ask one of them."
            )
    return places


def _record(session: Session, actor: Actor, place: ScanPlace, action: str, state: ScanState, *, reason: str) -> None:
    record_event(
        session,
        actor=actor,
        action=action,
        entity="scan",
        entity_id=place.scan_id,
        study_id=place.study_id,
        site_id=place.site_id,
        before={"state": place.state, "failure": place.failure},
        after={"state": state},
        reason=reason,
    )
