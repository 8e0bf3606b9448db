"""A manager opens an action because of a unit, and closes it: an issue, a retraining, a suspended certificate.

The moves that are legal stand in one table; every other is refused with the reason. Raised by all: NotFoundError where
the row is not there or not visible, NotAllowedError where the role does not fit, UsageError, IllegalMoveError.
"""

from datetime import date

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, StaleRecordError, UsageError
from core.store.access import Actor
from core.store.action import (
    ActionRow,
    NewAction,
    add_action,
    close_action,
    list_people,
    open_suspension,
    read_action,
)
from core.store.audit import record_event
from core.store.unit import UnitKind
from core.store.unit_place import UnitPlace
from core.usecases.acknowledge_flag import KEEPERS, managed_unit
from core.vocabulary import ActionKind, ActionState

_S = ActionState
MOVES: dict[ActionKind, dict[ActionState, frozenset[ActionState]]] = {
    kind: {_S.OPEN: ends, _S.DONE: frozenset(), _S.DROPPED: frozenset()}
    for kind, ends in {
        ActionKind.ISSUE: frozenset({_S.DONE, _S.DROPPED}),
        ActionKind.RETRAINING: frozenset({_S.DONE, _S.DROPPED}),
        ActionKind.SUSPENSION: frozenset({_S.DONE}),
    }.items()
}
"""What may follow what. An end is an end: what comes back is a new action."""
_ASKED = {
    (ActionKind.ISSUE, _S.DONE): ("How was it solved?", "Say what was done."),
    (ActionKind.RETRAINING, _S.DONE): ("What shows that the retraining took place?", "Name the evidence."),
    (ActionKind.SUSPENSION, _S.DONE): ("Why does the certificate hold again?", "Say what was checked."),
}
_SITE_FOR = {UnitKind.MODEL: "model", UnitKind.SOFTWARE: "software version"}


def open_issue(
    session: Session,
    *,
    actor: Actor,
    kind: UnitKind,
    unit_key: str,
    text: str,
    owner_id: int,
    due_on: date,
    site_id: int | None = None,
) -> int:
    """Open an issue with a site because of a unit; ``site_id`` where the unit spans sites. Returns its id."""
    unit = _unit_at(session, actor, kind, unit_key, site_id)
    return _open(session, actor, unit, ActionKind.ISSUE, text=text, owner_id=owner_id, due_on=due_on)


def assign_retraining(
    session: Session, *, actor: Actor, technician_id: int, text: str, owner_id: int, due_on: date
) -> int:
    """Have a technician trained anew by a day; returns the action's id."""
    unit = managed_unit(session, actor, UnitKind.TECHNICIAN, str(technician_id))
    return _open(session, actor, unit, ActionKind.RETRAINING, text=text, owner_id=owner_id, due_on=due_on)


def suspend_device(session: Session, *, actor: Actor, device_id: int, reason: str) -> int:
    """Suspend a device's certificate: what it takes from now on is accepted and marked. Returns the action's id."""
    return _suspend(session, actor, managed_unit(session, actor, UnitKind.DEVICE, str(device_id)), reason)


def suspend_technician(session: Session, *, actor: Actor, technician_id: int, reason: str) -> int:
    """The same for a technician; of the site's people the technician sees it. Returns the action's id."""
    return _suspend(session, actor, managed_unit(session, actor, UnitKind.TECHNICIAN, str(technician_id)), reason)


def _suspend(session: Session, actor: Actor, unit: UnitPlace, reason: str) -> int:
    found = open_suspension(session, device_id=unit.device_id, technician_id=unit.technician_id)
    if found is not None:
        raise IllegalMoveError(
            f"{unit.label} is suspended since {found.opened_at:%d %b %Y} by {found.opened_by}.",
            remedy="Lift that suspension first, if another reason has to be given.",
        )
    assert actor.user_id is not None, "only people suspend"
    return _open(session, actor, unit, ActionKind.SUSPENSION, text=reason, owner_id=actor.user_id, due_on=None)


def finish_action(session: Session, *, actor: Actor, action_id: int, evidence: str) -> ActionRow:
    """An issue is solved, a retraining done, a suspension lifted; ``evidence`` says how. Returns it as it was."""
    return _close(session, actor, action_id, ActionState.DONE, evidence)


def drop_action(session: Session, *, actor: Actor, action_id: int, reason: str) -> ActionRow:
    """Give an issue or a retraining up, with a reason. Returns it as it was."""
    return _close(session, actor, action_id, ActionState.DROPPED, reason)


def refuse_illegal_close(action: ActionRow, wanted: ActionState) -> None:
    """Raise IllegalMoveError, with the reason, where this action cannot become ``wanted``."""
    if wanted in MOVES[action.kind][action.state]:
        return
    if action.state is ActionState.OPEN:
        raise IllegalMoveError("A suspension is not dropped.", remedy="Lift it, and say why the certificate holds.")
    assert action.closed_at is not None, "what is not open was closed (check constraint)"
    raise IllegalMoveError(
        f"The action about {action.unit_label} is {action.state} since {action.closed_at:%d %b %Y}: {action.closing}",
        remedy="Open another one if it has come back.",
    )


def _unit_at(session: Session, actor: Actor, kind: UnitKind, unit_key: str, site_id: int | None) -> UnitPlace:
    """The unit with the site that the issue is opened with."""
    if kind not in _SITE_FOR:
        return managed_unit(session, actor, kind, unit_key)
    if site_id is None:
        raise UsageError(f"A {_SITE_FOR[kind]} is at several sites.", remedy="Choose the site that has to act.")
    site = managed_unit(session, actor, UnitKind.SITE, str(site_id))
    model, _, version = unit_key.partition("|")
    label = f"{model} · {version or 'version not stated'}" if kind is UnitKind.SOFTWARE else model
    return UnitPlace(kind, unit_key, label, site.study_id, site.site_id)


def _open(
    session: Session,
    actor: Actor,
    unit: UnitPlace,
    kind: ActionKind,
    *,
    text: str,
    owner_id: int,
    due_on: date | None,
) -> int:
    assert unit.site_id is not None, "an action is opened with one site"
    assert actor.user_id is not None, "only people open actions"
    moment = now()
    if not text.strip():
        raise UsageError("The action has no text.", remedy="Say what has to be done, and why.")
    if due_on is not None and due_on < moment.date():
        raise UsageError(f"The due day {due_on:%d %b %Y} has passed.", remedy="Choose today or a later day.")
    if owner_id not in {person.id for person in list_people(session, unit.site_id)}:
        raise UsageError("The owner has no role at that site.", remedy="Choose somebody from the list.")
    new = NewAction(
        site_id=unit.site_id, kind=kind, unit_kind=unit.kind, unit_key=unit.key, unit_label=unit.label,
        text=text.strip(), owner_id=owner_id, due_on=due_on, device_id=unit.device_id,
        technician_id=unit.technician_id,
    )  # fmt: skip
    added = add_action(session, new, opened_by_id=actor.user_id, at=moment)
    after = {"unit_kind": unit.kind.value, "unit_key": unit.key, "owner_id": owner_id, "due_on": f"{due_on or ''}"}
    record_event(
        session, actor=actor, action=f"{kind.value}.open", entity="action", entity_id=added, study_id=unit.study_id,
        site_id=unit.site_id, after=after, reason=text.strip(),
    )  # fmt: skip
    return added


def _close(session: Session, actor: Actor, action_id: int, state: ActionState, note: str) -> ActionRow:
    action = read_action(session, action_id)
    if action is None:
        raise NotFoundError(f"There is no action {action_id}.", remedy="Choose one from the list of actions.")
    if not actor.has_role(*KEEPERS, study_id=action.study_id, site_id=action.site_id):
        raise NotAllowedError("Only a manager of the site closes its actions.", remedy="Tell one what was done.")
    refuse_illegal_close(action, state)
    if not note.strip():
        question, remedy = _ASKED.get((action.kind, state), ("Why is it given up?", "Write the reason."))
        raise UsageError(question, remedy=remedy)
    assert actor.user_id is not None, "only people have roles"
    if not close_action(session, action, state, actor_id=actor.user_id, note=note.strip(), at=now()):
        raise StaleRecordError("Somebody has just closed this action.", remedy="Load the page again.")
    record_event(
        session, actor=actor, action=f"{action.kind.value}.{state.value}", entity="action", entity_id=action.id,
        study_id=action.study_id, site_id=action.site_id, before={"state": action.state}, after={"state": state},
        reason=note.strip(),
    )  # fmt: skip
    return action
