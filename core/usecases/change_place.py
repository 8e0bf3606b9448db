"""An administrator corrects what was set up, or takes it out of use: study, site, device, technician.

Every verb needs the role admin for the study, leaves an audit event with old and new values, and returns what it wrote
about. Raised by all: NotFoundError, NotAllowedError, UsageError (nothing changes, a value that is empty or taken).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.errors import NotFoundError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.place import Place, PlaceRow, lock_place, write_activity, write_place
from core.usecases.administer_study import refuse_unless_admin, unless_taken

_NEEDED = {Place.STUDY: ("name",), Place.SITE: ("name",), Place.DEVICE: ("serial",), Place.TECHNICIAN: ()}
"""What must not be emptied."""
_WORDS = {"name": "name", "serial": "serial number"}


def change_place(
    session: Session,
    *,
    actor: Actor,
    place: Place,
    row_id: int,
    values: Mapping[str, str | int | None],
    reason: str = "",
) -> PlaceRow:
    """Correct the given columns; returns the row as it was.

    Scans already judged keep their verdict, whatever is corrected about the device that took them.
    """
    row = _locked(session, actor, place, row_id)
    wanted = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    changed = {name: value for name, value in wanted.items() if value != row.values[name]}
    if not changed:
        raise UsageError(f"Nothing differs from what is stored about {row.code}.", remedy="Change a value first.")
    for name in _NEEDED[place]:
        if name in changed and not changed[name]:
            raise UsageError(f"The {_WORDS[name]} is empty.", remedy="Enter it.")
    taken = f"The serial number {changed.get('serial')}" if "serial" in changed else "A value"
    unless_taken(session, taken, lambda: write_place(session, row, changed))
    before = {name: row.values[name] for name in changed}
    _record(session, actor, row, f"change_{place.value}", before=before, after=changed, reason=reason)
    return row


def deactivate(session: Session, *, actor: Actor, place: Place, row_id: int, reason: str = "") -> PlaceRow:
    """Take a site, device or technician out of use: no new scan may name it, and what it did stays as it is."""
    return _switch(session, actor, place, row_id, is_active=False, reason=reason)


def activate(session: Session, *, actor: Actor, place: Place, row_id: int, reason: str = "") -> PlaceRow:
    """Take a site, device or technician into use again."""
    return _switch(session, actor, place, row_id, is_active=True, reason=reason)


def _switch(session: Session, actor: Actor, place: Place, row_id: int, *, is_active: bool, reason: str) -> PlaceRow:
    row = _locked(session, actor, place, row_id)
    if row.is_active is is_active:
        state = "in use" if is_active else "deactivated"
        raise UsageError(f"{row.code} is {state} already.", remedy="Load the page again to see how it stands.")
    write_activity(session, row, is_active=is_active)
    action = f"{'activate' if is_active else 'deactivate'}_{place.value}"
    _record(session, actor, row, action, before={"is_active": row.is_active}, after={"is_active": is_active},
            reason=reason)  # fmt: skip
    return row


def _locked(session: Session, actor: Actor, place: Place, row_id: int) -> PlaceRow:
    row = lock_place(session, place, row_id)
    if row is None:
        raise NotFoundError(
            f"There is no {place.value} {row_id} that you may change.", remedy="Choose one from the list."
        )
    refuse_unless_admin(actor, row.study_id)
    return row


def _record(
    session: Session,
    actor: Actor,
    row: PlaceRow,
    action: str,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str,
) -> None:
    record_event(
        session, actor=actor, action=action, entity=row.place.value, entity_id=row.id, study_id=row.study_id,
        site_id=row.site_id, before=before, after=after, reason=reason.strip(),
    )  # fmt: skip
