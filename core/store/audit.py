"""Audit events: written in the transaction that they describe, so that neither exists without the other."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from core.database.tables import AuditEvent
from core.store.access import Actor


def record_event(
    session: Session,
    *,
    actor: Actor,
    action: str,
    entity: str,
    entity_id: int | None,
    study_id: int | None = None,
    site_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    meaning: str = "",
) -> None:
    """Append who did what to which row, with the old and new values (JSON) and why.

    ``meaning`` is what the person's signature says, e.g. "approved"; empty where nothing was signed.

    The dashboard's role can write events in the session user's own name only, within reach of that user's grants,
    and can neither change nor delete any.
    """
    values: dict[str, Any] = {
        "actor_id": actor.user_id,
        "study_id": study_id,
        "site_id": site_id,
        "action": action,
        "entity": entity,
        "entity_id": entity_id,
        "reason": reason,
        "meaning": meaning,
    }
    # Left out where None: an explicit None would be stored as JSON's null instead of NULL.
    values |= {
        name: dict(document) for name, document in {"before": before, "after": after}.items() if document is not None
    }
    # inline(): no RETURNING, which would need a right to read the event back.
    session.execute(insert(AuditEvent.__table__).values(values).inline())  # type: ignore[arg-type]
