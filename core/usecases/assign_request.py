"""Gives a reacquisition request to another technician of its site; the state of the request stays."""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.reacquisition import Request, set_owner
from core.store.tracker import Owner, list_owners
from core.usecases.reacquire import SITE_ROLES, WHY_NOT, request_for
from core.vocabulary import Role


def assign_request(
    session: Session, *, actor: Actor, request_id: int, technician_id: int, seen_version: int | None = None,
    reason: str = "",
) -> str:  # fmt: skip
    """Make a technician of the site the owner; return the owner's code. The site and the reading centre may.

    Raises
    ------
    NotFoundError, NotAllowedError
        There is no such request in the person's reach, or the role does not fit.
    UsageError
        The technician is not of this site or not active there, or owns it already.
    IllegalMoveError
        The request has ended, or was changed since ``seen_version``.
    """
    request = request_for(session, actor, request_id, *SITE_ROLES, Role.ADJUDICATOR)
    _refuse_ended(request)
    if seen_version is not None and seen_version != request.version:
        raise IllegalMoveError(
            "The request has changed since you opened it; nothing was written.", remedy="Look at it again."
        )
    owners = {owner.technician_id: owner for owner in list_owners(session, request.site_id)}
    new = owners.get(technician_id)
    if new is None:
        raise UsageError(
            "The owner must be an active technician of the request's site.",
            remedy="Choose one of the list, or have the technician added under Admin.",
        )
    if technician_id == request.owner_id:
        raise UsageError(f"{new.code} owns this request already.", remedy="Choose somebody else.")
    before = _code(owners, request.owner_id)
    note = f"{before or 'nobody'} → {new.code}" + (f": {reason.strip()}" if reason.strip() else "")
    set_owner(session, request, technician_id, actor_id=actor.user_id, note=note)
    record_event(
        session, actor=actor, action="request.assigned", entity="reacquisition_request", entity_id=request.id,
        study_id=request.study_id, site_id=request.site_id, before={"owner_id": request.owner_id},
        after={"owner_id": technician_id}, reason=reason.strip(),
    )  # fmt: skip
    return new.code


def _refuse_ended(request: Request) -> None:
    if request.is_ended:
        why = WHY_NOT.get(request.state, f"it is {request.state.value.replace('_', ' ')}")
        raise IllegalMoveError(
            f"The request cannot get another owner: {why}.", remedy="Request a reacquisition anew if one is needed."
        )


def _code(owners: dict[int, Owner], owner_id: int | None) -> str | None:
    """The former owner's code; None without one, or where the technician has left."""
    owner = owners.get(owner_id) if owner_id is not None else None
    return owner.code if owner is not None else None
