"""Chain the audit events and check the chain: keyed, with its head written down outside the database.

A plain chain inside each transaction serialises everything, misses the removal of its last rows, and can be computed
anew by whoever may change it. So one sealer chains what has settled, with a key that is not in the database, and
appends each new head to a file that is not in it either (the anchor).
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import ServerError
from core.settings import Settings
from core.store.audit_anchor import AuditHead, append_head, audit_key, last_head, read_heads
from core.store.audit_seal import (
    Seal,
    SealedEvent,
    add_seals,
    become_only_sealer,
    count_unsealed,
    last_seal,
    sealed_events,
    unsealed_events,
)

SEALED_AT_ONCE = 5_000
FIRST_LINK = "0" * 64
UNSEALED_FOR_TOO_LONG = timedelta(minutes=1)
"""The keeper seals every few seconds; an event that waits a minute means that it does not run."""


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What `octaudit audit verify` found: no fault means that nothing sealed was changed, removed or put in."""

    n_sealed: int
    n_anchored: int
    faults: tuple[str, ...]


def seal_audit(sealer: Database, settings: Settings, *, is_thorough: bool = False) -> int:
    """Seal every settled event and write the head to the anchor; returns how many were sealed.

    ``is_thorough`` also looks for unsealed events far below the newest. Raises ServerError where the chain is shorter
    than the anchor says: going on would bury what happened.
    """
    key = audit_key(settings)
    n_sealed = 0
    while True:
        with session_scope(sealer) as session:
            become_only_sealer(session)
            head = last_seal(session)
            _refuse_shortened(head, last_head(settings))
            events = unsealed_events(session, limit=SEALED_AT_ONCE, is_thorough=is_thorough)
            seals = _chain(events, head, key)
            add_seals(session, seals)
        _write_down(settings, seals[-1] if seals else head)
        n_sealed += len(seals)
        if len(seals) < SEALED_AT_ONCE:
            return n_sealed


def verify_audit(sealer: Database, settings: Settings) -> AuditCheck:
    """Recompute the chain with the key and compare it with every head that the anchor holds."""
    key = audit_key(settings)
    heads = read_heads(settings)
    with session_scope(sealer) as session:
        n_waiting = count_unsealed(session, older_than=UNSEALED_FOR_TOO_LONG)
        with closing(sealed_events(session)) as chain:
            n_sealed, faults = _recompute(chain, {head.count: head for head in heads}, key)
    if heads and heads[-1].count > n_sealed:
        faults.append(f"{heads[-1].count - n_sealed} events at the end are missing: {heads[-1].count} were sealed.")
    if n_waiting:
        faults.append(f"{n_waiting} events have waited more than a minute for their seal: is the keeper running?")
    return AuditCheck(n_sealed=n_sealed, n_anchored=heads[-1].count if heads else 0, faults=tuple(faults))


def _chain(events: Iterable[Mapping[str, Any]], head: Seal | None, key: bytes) -> list[Seal]:
    seals: list[Seal] = []
    sequence, link = (head.sequence, head.chain_hmac) if head else (0, FIRST_LINK)
    for event in events:
        sequence, link = sequence + 1, _link(link, event, key)
        seals.append(Seal(sequence, event["id"], link))
    return seals


def _link(before: str, event: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 over the link before and the event in one fixed notation."""
    content = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_moment)
    return hmac.new(key, f"{before}\n{content}".encode("ascii"), hashlib.sha256).hexdigest()


def _moment(value: object) -> str:
    """A moment in UTC, whatever the session's time zone."""
    assert isinstance(value, datetime)
    return f"{value.timestamp():.6f}"


def _recompute(chain: Iterable[SealedEvent], heads: Mapping[int, AuditHead], key: bytes) -> tuple[int, list[str]]:
    faults: list[str] = []
    link, n_sealed = FIRST_LINK, 0
    for place, sealed in enumerate(chain, start=1):
        n_sealed = place
        if sealed.seal.sequence != place:
            faults.append(f"Seal {place} is missing; the next one is {sealed.seal.sequence}.")
            break
        if sealed.event is None:
            faults.append(f"Event {sealed.seal.event_id} was removed; it was the {place}. in the chain.")
            break
        link = _link(link, sealed.event, key)
        if not hmac.compare_digest(link, sealed.seal.chain_hmac):
            faults.append(f"Event {sealed.seal.event_id} or its seal was changed; it is the {place}. in the chain.")
            break
        if place in heads and heads[place].chain_hmac != link:
            faults.append(f"The chain was computed anew: at {place} events the anchor holds another head.")
            break
    return n_sealed, faults


def _refuse_shortened(head: Seal | None, anchored: AuditHead | None) -> None:
    count = head.sequence if head else 0
    if anchored is not None and anchored.count > count:
        raise ServerError(
            f"The audit chain holds {count} events, but {anchored.count} were sealed.",
            remedy="Run `octaudit audit verify`; nothing is sealed until the missing events are back or explained.",
        )


def _write_down(settings: Settings, seal: Seal | None) -> None:
    """Append the head to the anchor, where it is new. After a crash between commit and here the next run does it."""
    anchored = last_head(settings)
    if seal is not None and (anchored is None or anchored.count < seal.sequence):
        append_head(settings, AuditHead(seal.sequence, seal.chain_hmac, now().isoformat()))
