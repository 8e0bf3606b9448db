"""Recompute the audit chain with its key, compare it with the anchor, and name the first link that is not as it was.

What it cannot see: a chain that was computed anew with the stolen key where the anchor was replaced as well. Against
that, heads stand in reports and backups: give one to ``verify_audit`` and it must fit.
"""

import hmac
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.audit_anchor import AuditHead, audit_key, read_heads
from core.store.audit_check import write_check
from core.store.audit_seal import SealedEvent, count_unsealed, sealed_events
from core.usecases.seal_audit import FIRST_LINK, chain_link

UNSEALED_FOR_TOO_LONG = timedelta(minutes=1)
"""The keeper seals every few seconds; an event that waits a minute means that it does not run."""
LONGEST_TRANSACTION = timedelta(hours=1)
"""An event is dated when its transaction began. None of ours takes minutes; an hour leaves room for clocks set back."""
_ANCHOR_LAG_S = 2.0
"""The head is written right after the commit that it belongs to."""


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What `octaudit audit verify` found: no fault means that nothing sealed was changed, removed or put in."""

    n_sealed: int
    n_anchored: int
    anchored_at: str | None
    """When the newest head was written down (ISO 8601, UTC); None where there is none."""
    faults: tuple[str, ...]


def verify_audit(sealer: Database, settings: Settings, *, expected: Sequence[AuditHead] = ()) -> AuditCheck:
    """Recompute the chain with the key and compare it with every head of the anchor, and with ``expected`` ones.

    The first broken link is named by its event and its place; what lies behind it cannot be judged.
    """
    key = audit_key(settings)
    heads = read_heads(settings)
    with session_scope(sealer) as session:
        n_waiting = count_unsealed(session, older_than=UNSEALED_FOR_TOO_LONG)
        with closing(sealed_events(session)) as chain:
            walk = _Walk(key, (*heads, *expected))
            walk.follow(chain)
    faults = [fault for fault in (walk.fault or _fault_at_the_end(walk, heads, expected, settings),) if fault]
    if n_waiting:
        faults.append(f"{n_waiting} events have waited more than a minute for their seal: is the keeper running?")
    newest = heads[-1] if heads else None
    return AuditCheck(
        n_sealed=walk.n_sealed,
        n_anchored=newest.count if newest else 0,
        anchored_at=newest.sealed_at if newest else None,
        faults=tuple(faults),
    )


def check_audit(sealer: Database, settings: Settings, *, expected: Sequence[AuditHead] = ()) -> AuditCheck:
    """Verify and write down what was found, for the audit browser; for the keeper and the operator's command."""
    check = verify_audit(sealer, settings, expected=expected)
    with session_scope(sealer) as session:
        write_check(
            session,
            n_sealed=check.n_sealed,
            n_anchored=check.n_anchored,
            anchored_at=datetime.fromisoformat(check.anchored_at) if check.anchored_at else None,
            faults=check.faults,
        )
    return check


class _Walk:
    """One pass along the chain, which ends at the first fault."""

    def __init__(self, key: bytes, heads: Iterable[AuditHead]) -> None:
        self._key = key
        self._heads: dict[int, list[AuditHead]] = {}
        for head in heads:
            self._heads.setdefault(head.count, []).append(head)
        self._anchored_at: datetime | None = None
        self._link = FIRST_LINK
        self.n_sealed = 0
        self.last_event_id = 0
        self.fault = ""

    def follow(self, chain: Iterable[SealedEvent]) -> None:
        """Read until the end or the first fault."""
        for place, sealed in enumerate(chain, start=1):
            self.fault = self._fault(place, sealed)
            if self.fault:
                return
            self.n_sealed, self.last_event_id = place, sealed.seal.event_id

    def _fault(self, place: int, sealed: SealedEvent) -> str:
        event_id = sealed.seal.event_id
        if sealed.seal.sequence != place:
            return (
                f"The chain is broken at place {place}: its seal is missing, the next one is of place "
                f"{sealed.seal.sequence} (event {event_id})."
            )
        if sealed.event is None:
            return f"The chain is broken at place {place}: event {event_id} was removed."
        happened_at: datetime = sealed.event["happened_at"]
        if self._anchored_at and happened_at < self._anchored_at - LONGEST_TRANSACTION:
            return (
                f"The chain is broken at place {place}: event {event_id} is dated {happened_at:%Y-%m-%d %H:%M} UTC, "
                f"but came after what was sealed at {self._anchored_at:%Y-%m-%d %H:%M} UTC: it was put in later."
            )
        self._link = chain_link(self._link, sealed.event, self._key)
        if not hmac.compare_digest(self._link, sealed.seal.chain_hmac):
            return f"The chain is broken at place {place}: event {event_id} or its seal was changed or put in."
        for head in self._heads.get(place, ()):
            if not hmac.compare_digest(head.chain_hmac, self._link):
                when = f"written down at {head.sealed_at}" if head.sealed_at else "given"
                return (
                    f"The chain was computed anew: at {place} events (event {event_id}) the head that was {when} is "
                    "another."
                )
            if head.sealed_at:
                self._anchored_at = datetime.fromisoformat(head.sealed_at)
        return ""


def _fault_at_the_end(
    walk: _Walk, heads: Sequence[AuditHead], expected: Sequence[AuditHead], settings: Settings
) -> str:
    """What is wrong about the chain's length, where every link of it is right."""
    n_sealed = walk.n_sealed
    longest = max((head.count for head in (*heads, *expected)), default=0)
    if longest > n_sealed:
        after = f"after event {walk.last_event_id}" if n_sealed else "before its first event"
        return (
            f"The chain is broken at place {n_sealed + 1}: it ends {after}, and {longest - n_sealed} events at the end "
            f"are missing: {longest} were sealed."
        )
    n_anchored = _anchored(settings, n_sealed)
    if n_sealed > n_anchored:
        return (
            f"The anchor knows {n_anchored} of {n_sealed} sealed events: its newest lines are missing, or it is "
            "another file."
        )
    return ""


def _anchored(settings: Settings, n_sealed: int) -> int:
    """The anchor's newest count, read anew: the sealer may be between its commit and the line that follows it."""
    count = 0
    for wait_s in (0.0, _ANCHOR_LAG_S):
        time.sleep(wait_s)
        heads = read_heads(settings)
        count = heads[-1].count if heads else 0
        if count >= n_sealed:
            break
    return count
