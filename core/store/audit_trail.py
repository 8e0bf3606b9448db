"""The audit trail as the browser reads it: newest first, a page at a time, within what row-level security leaves.

Pages are found by the moment and id of the last row (keyset), never by an offset: the trail grows for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

from core.database.tables import AuditEvent, Site, Study, User

SIGN_IN_ACTIONS = (
    "log_in", "log_in_failed", "log_out", "locked_out", "session_expired", "end_session", "revoke_sessions",
    "change_password", "change_password_failed", "reset_password", "sign_failed", "prove_identity",
)  # fmt: skip
"""What concerns coming in and going out; the events of migration 0024 and of core.usecases.administer_users."""


class TrailKind(StrEnum):
    """What one looks for; each is one condition."""

    ALL = "all"
    SIGN_INS = "sign-ins"
    REFUSALS = "refusals"
    EXPORTS = "exports"
    SIGNATURES = "signatures"
    ACCOUNTS = "accounts"
    """Users and their roles."""


_KINDS: Mapping[TrailKind, ColumnElement[bool] | None] = {
    TrailKind.ALL: None,
    TrailKind.SIGN_INS: AuditEvent.action.in_(SIGN_IN_ACTIONS),
    TrailKind.REFUSALS: AuditEvent.action.in_(("permission_refused", "api_client.refused", "api_token.refused")),
    TrailKind.EXPORTS: AuditEvent.action == "export",
    TrailKind.SIGNATURES: AuditEvent.meaning != "",
    TrailKind.ACCOUNTS: AuditEvent.entity.in_(("user", "site_grant", "api_client", "api_token")),
}


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """What of the trail is asked for; None and ALL do not narrow. ``until`` is exclusive."""

    study_id: int | None = None
    is_installation: bool = False
    """Only what belongs to no study: sign-ins, accounts, refusals."""
    site_id: int | None = None
    actor_id: int | None = None
    kind: TrailKind = TrailKind.ALL
    action: str | None = None
    entity: str | None = None
    entity_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the next one begins after it."""

    happened_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One event. ``actor`` is "" for the program itself and for who had not signed in."""

    id: int
    happened_at: datetime
    actor: str
    study: str
    site: str
    action: str
    entity: str
    entity_id: int | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str
    meaning: str

    @property
    def place(self) -> Place:
        """Where it stands in the trail."""
        return Place(self.happened_at, self.id)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may have left events."""

    id: int
    label: str


def read_trail(session: Session, chosen: TrailFilter, *, limit: int, after: Place | None = None) -> Sequence[TrailRow]:
    """The newest ``limit`` events of a selection that came before ``after``."""
    query = _query(chosen).limit(limit)
    if after is not None:
        query = query.where(tuple_(AuditEvent.happened_at, AuditEvent.id) < (after.happened_at, after.id))
    return [TrailRow(**row) for row in session.execute(query).mappings()]


def read_people(session: Session) -> Sequence[Person]:
    """Everybody whose name this person may see, by name."""
    rows = session.execute(select(User.id, User.display_name, User.name).order_by(User.display_name, User.id))
    return [Person(row.id, f"{row.display_name} ({row.name})") for row in rows]


def _query(chosen: TrailFilter) -> Select[Any]:
    event = AuditEvent
    return (
        select(
            event.id, event.happened_at, func.coalesce(User.display_name, "").label("actor"),
            func.coalesce(Study.code, "").label("study"), func.coalesce(Site.code, "").label("site"), event.action,
            event.entity, event.entity_id, event.before, event.after, event.reason, event.meaning,
        )
        .outerjoin(User, User.id == event.actor_id)
        .outerjoin(Study, Study.id == event.study_id)
        .outerjoin(Site, Site.id == event.site_id)
        .where(*_conditions(chosen))
        .order_by(event.happened_at.desc(), event.id.desc())
    )  # fmt: skip


def _conditions(chosen: TrailFilter) -> list[ColumnElement[bool]]:
    event = AuditEvent
    asked: list[ColumnElement[bool] | None] = [
        event.study_id == chosen.study_id if chosen.study_id is not None else None,
        event.study_id.is_(None) & event.site_id.is_(None) if chosen.is_installation else None,
        event.site_id == chosen.site_id if chosen.site_id is not None else None,
        event.actor_id == chosen.actor_id if chosen.actor_id is not None else None,
        _KINDS[chosen.kind],
        event.action == chosen.action if chosen.action else None,
        event.entity == chosen.entity if chosen.entity else None,
        event.entity_id == chosen.entity_id if chosen.entity_id is not None else None,
        event.happened_at >= chosen.since if chosen.since else None,
        event.happened_at < chosen.until if chosen.until else None,
    ]
    return [condition for condition in asked if condition is not None]
