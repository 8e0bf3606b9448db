"""The chain over the audit events as rows: what is not yet sealed, the head, and everything in order for checking."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, exists, func, insert, literal_column, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.database.tables import AuditEvent, AuditSeal

SEALING_LOCK = 0x0C7A_0D17_0003
RECENT_EVENTS = 100_000
"""How far below the newest sealed event the sealer looks each time; a thorough run looks at all."""
READ_AT_ONCE = 2_000
"""Rows held in memory while checking."""

_EVENT: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...] = (
    AuditEvent.id,
    AuditEvent.happened_at,
    literal_column("audit_event.transaction_id::text").label("transaction_id"),
    AuditEvent.actor_id,
    AuditEvent.study_id,
    AuditEvent.site_id,
    AuditEvent.action,
    AuditEvent.entity,
    AuditEvent.entity_id,
    AuditEvent.before,
    AuditEvent.after,
    AuditEvent.reason,
    AuditEvent.meaning,
)
_EVENT_NAMES = (
    "id", "happened_at", "transaction_id", "actor_id", "study_id", "site_id", "action", "entity", "entity_id",
    "before", "after", "reason", "meaning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seal:
    """One link: the event's place in the chain and the keyed hash over it and the link before."""

    sequence: int
    event_id: int
    chain_hmac: str


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """A link with its event as a plain mapping; ``event`` is None where the event has been removed."""

    seal: Seal
    event: Mapping[str, Any] | None


def become_only_sealer(session: Session) -> None:
    """Wait until no other transaction seals; held to the end of this one."""
    session.execute(select(func.pg_advisory_xact_lock(SEALING_LOCK)))


def last_seal(session: Session) -> Seal | None:
    """The head of the chain; None where nothing is sealed."""
    query = select(AuditSeal).order_by(AuditSeal.sequence.desc()).limit(1)
    row = session.scalars(query).one_or_none()
    return None if row is None else Seal(row.sequence, row.event_id, row.chain_hmac)


def unsealed_events(session: Session, *, limit: int, is_thorough: bool) -> Sequence[Mapping[str, Any]]:
    """Events without a seal whose transaction can have no older companion still running, in order.

    An event of a transaction below the snapshot's xmin stands with everything before it. One at or above xmax that we
    can see all the same was restored from another cluster.
    """
    is_settled = text(
        "(audit_event.transaction_id < pg_snapshot_xmin(pg_current_snapshot())"
        " or audit_event.transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))"
    )
    query = _unsealed(*_EVENT).where(is_settled).order_by(AuditEvent.transaction_id, AuditEvent.id).limit(limit)
    if not is_thorough:
        newest = select(func.coalesce(func.max(AuditSeal.event_id), 0)).scalar_subquery()
        query = query.where(AuditEvent.id > newest - RECENT_EVENTS)
    return [_event(row) for row in session.execute(query).mappings()]


def count_unsealed(session: Session, *, older_than: timedelta) -> int:
    """How many events have waited for their seal longer than that."""
    query = _unsealed(func.count()).where(AuditEvent.happened_at < func.now() - older_than)
    return session.scalar(query) or 0


def add_seals(session: Session, seals: Sequence[Seal]) -> None:
    """Append links to the chain."""
    rows = [{"sequence": seal.sequence, "event_id": seal.event_id, "chain_hmac": seal.chain_hmac} for seal in seals]
    if rows:
        session.execute(insert(AuditSeal), rows)


def sealed_events(session: Session) -> Generator[SealedEvent]:
    """The whole chain in order, a bounded number of rows in memory at a time."""
    query = (
        select(AuditSeal.sequence, AuditSeal.event_id, AuditSeal.chain_hmac, *_EVENT)
        .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .order_by(AuditSeal.sequence)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    with session.execute(query) as result:  # closes the server's cursor also where the reader stops at a fault
        for row in result.mappings():
            event = None if row["id"] is None else _event(row)
            yield SealedEvent(Seal(row["sequence"], row["event_id"], row["chain_hmac"]), event)


def _unsealed(*columns: Any) -> Select[Any]:
    return select(*columns).where(~exists().where(AuditSeal.event_id == AuditEvent.id)).select_from(AuditEvent)


def _event(row: RowMapping) -> dict[str, Any]:
    """What a link covers. An empty meaning is left out: events were sealed before there was one."""
    return {name: row[name] for name in _EVENT_NAMES if name != "meaning" or row[name]}
