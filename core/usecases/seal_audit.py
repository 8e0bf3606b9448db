"""Chain the audit events: keyed, with the head written down outside the database.

A plain chain inside each transaction serialises everything, misses the removal of its last rows, and can be computed
anew by whoever may change it. So one sealer chains what has settled, with a key that is not in the database, and
appends each new head to a file that is not in it either (the anchor).
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import ServerError
from core.settings import Settings
from core.store.audit_anchor import AuditHead, append_head, audit_key, last_head
from core.store.audit_seal import (
    Seal,
    add_seals,
    become_only_sealer,
    last_seal,
    unsealed_events,
)

SEALED_AT_ONCE = 5_000
FIRST_LINK = "0" * 64


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


def _chain(events: Iterable[Mapping[str, Any]], head: Seal | None, key: bytes) -> list[Seal]:
    seals: list[Seal] = []
    sequence, link = (head.sequence, head.chain_hmac) if head else (0, FIRST_LINK)
    for event in events:
        sequence, link = sequence + 1, chain_link(link, event, key)
        seals.append(Seal(sequence, event["id"], link))
    return seals


def chain_link(before: str, event: Mapping[str, Any], key: bytes) -> str:
    """The next link: HMAC-SHA256 over the link before and the event in one fixed notation."""
    content = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_moment)
    return hmac.new(key, f"{before}\n{content}".encode("ascii"), hashlib.sha256).hexdigest()


def _moment(value: object) -> str:
    """A moment in UTC, whatever the session's time zone."""
    assert isinstance(value, datetime)
    return f"{value.timestamp():.6f}"


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
