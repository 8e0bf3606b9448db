"""Actions that were agreed with sites because of a unit, and every move of them. Knows no rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Action, ActionStep, Site, Study, User
from core.store.unit import UnitKind
from core.vocabulary import ActionKind, ActionState

_Owner, _Opener = aliased(User), aliased(User)


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action as people read it. ``closing`` is what its end was written down with, empty while it is open."""

    id: int
    study_id: int
    study_code: str
    site_id: int
    site_code: str
    kind: ActionKind
    unit_kind: UnitKind
    unit_key: str
    unit_label: str
    device_id: int | None
    text: str
    owner: str
    due_on: date | None
    state: ActionState
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None
    closing: str

    def is_overdue(self, today: date) -> bool:
        """Whether it is open after its day."""
        return self.state is ActionState.OPEN and self.due_on is not None and self.due_on < today


@dataclass(frozen=True, slots=True)
class NewAction:
    """What is written when an action is opened."""

    site_id: int
    kind: ActionKind
    unit_kind: UnitKind
    unit_key: str
    unit_label: str
    text: str
    owner_id: int
    due_on: date | None = None
    device_id: int | None = None
    technician_id: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who could see to an action."""

    id: int
    name: str


def add_action(session: Session, new: NewAction, *, opened_by_id: int, at: datetime) -> int:
    """Open an action with its first step; return its id."""
    values = {
        "site_id": new.site_id,
        "kind": new.kind,
        "unit_kind": new.unit_kind,
        "unit_key": new.unit_key,
        "unit_label": new.unit_label,
        "device_id": new.device_id,
        "technician_id": new.technician_id,
        "text": new.text,
        "owner_id": new.owner_id,
        "due_on": new.due_on,
        "state": ActionState.OPEN,
        "opened_by_id": opened_by_id,
        "created_at": at,
    }
    action_id = session.scalars(insert(Action).values(values).returning(Action.id)).one()
    add_step(session, action_id, new.site_id, 1, ActionState.OPEN, actor_id=opened_by_id, note=new.text, at=at)
    return action_id


def add_step(
    session: Session,
    action_id: int,
    site_id: int,
    number: int,
    state: ActionState,
    *,
    actor_id: int,
    note: str,
    at: datetime,
) -> None:
    """Append one move."""
    session.execute(
        insert(ActionStep).values(
            action_id=action_id, site_id=site_id, number=number, state=state, actor_id=actor_id, note=note,
            created_at=at,
        )
    )  # fmt: skip


def close_action(
    session: Session, action: ActionRow, state: ActionState, *, actor_id: int, note: str, at: datetime
) -> bool:
    """End an open action with its last step; False where somebody else has just ended it."""
    ended = session.scalars(
        update(Action)
        .where(Action.id == action.id, Action.state == ActionState.OPEN)
        .values(state=state, closed_at=at)
        .returning(Action.id)
    ).all()
    if not ended:
        return False
    add_step(session, action.id, action.site_id, 2, state, actor_id=actor_id, note=note, at=at)
    return True


def read_action(session: Session, action_id: int) -> ActionRow | None:
    """One action; None where there is none that this session may see."""
    return next(iter(_rows(session, _actions(Action.id == action_id))), None)


def read_open_actions(session: Session, *, study_id: int | None, site_id: int | None = None) -> tuple[ActionRow, ...]:
    """The open actions, the soonest due first and suspensions last."""
    wanted = _actions(Action.state == ActionState.OPEN, *_within(study_id, site_id))
    return _rows(session, wanted.order_by(Action.due_on.asc().nulls_last(), Action.id))


def read_closed_actions(
    session: Session, *, study_id: int | None, site_id: int | None = None, limit: int
) -> tuple[ActionRow, ...]:
    """Those that ended, the last first."""
    wanted = _actions(Action.state != ActionState.OPEN, *_within(study_id, site_id))
    return _rows(session, wanted.order_by(Action.closed_at.desc(), Action.id.desc()).limit(limit))


def open_suspension(
    session: Session, *, device_id: int | None = None, technician_id: int | None = None
) -> ActionRow | None:
    """The suspension that a device or technician is under; None where there is none."""
    is_open = and_(Action.kind == ActionKind.SUSPENSION, Action.state == ActionState.OPEN)
    own = Action.device_id == device_id if device_id is not None else Action.technician_id == technician_id
    return next(iter(_rows(session, _actions(is_open, own))), None)


def taken_while_suspended() -> ColumnElement[bool]:
    """Of an Acquisition: whether its device's certificate was suspended when it was captured."""
    return exists().where(
        Action.device_id == Acquisition.device_id,
        Action.kind == ActionKind.SUSPENSION,
        Action.created_at <= Acquisition.acquired_at,
        or_(Action.closed_at.is_(None), Action.closed_at > Acquisition.acquired_at),
    )


def list_people(session: Session, site_id: int) -> tuple[Person, ...]:
    """Who has a role at a site, by name; nobody where the session's person does not manage it."""
    rows = session.execute(text("select id, display_name from people_of_site(:site_id)"), {"site_id": site_id})
    return tuple(Person(row.id, row.display_name) for row in rows)


def _within(study_id: int | None, site_id: int | None) -> Iterable[ColumnElement[bool]]:
    if site_id is not None:
        yield Action.site_id == site_id
    if study_id is not None:
        yield Site.study_id == study_id


def _actions(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    closing = (
        select(ActionStep.note)
        .where(ActionStep.action_id == Action.id, ActionStep.state != ActionState.OPEN)
        .scalar_subquery()
    )
    return (
        select(
            Action, Site.code, Study.id, Study.code, _Owner.display_name, _Opener.display_name,
            func.coalesce(closing, ""),
        )
        .join(Site, Site.id == Action.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(_Owner, _Owner.id == Action.owner_id)
        .join(_Opener, _Opener.id == Action.opened_by_id)
        .where(*where)
    )  # fmt: skip


def _rows(session: Session, query: Select[*tuple[Any, ...]]) -> tuple[ActionRow, ...]:
    return tuple(
        ActionRow(
            id=row.id,
            study_id=study_id,
            study_code=study_code,
            site_id=row.site_id,
            site_code=site_code,
            kind=ActionKind(row.kind),
            unit_kind=UnitKind(row.unit_kind),
            unit_key=row.unit_key,
            unit_label=row.unit_label,
            device_id=row.device_id,
            text=row.text,
            owner=owner,
            due_on=row.due_on,
            state=ActionState(row.state),
            opened_by=opener,
            opened_at=row.created_at,
            closed_at=row.closed_at,
            closing=closing,
        )
        for row, site_code, study_id, study_code, owner, opener, closing in session.execute(query)
    )
