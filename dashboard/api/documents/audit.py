"""Audit events and the state of their chain."""

from datetime import datetime
from typing import Any

from pydantic import Field

from dashboard.api.documents.base import Document


class AuditEventDocument(Document):
    """One change: who, when, from which value to which, and why."""

    id: int
    happened_at: datetime
    actor: str
    study: str = Field(description="Code; empty: none.")
    site: str = Field(description="Code; empty: none.")
    action: str
    entity: str
    entity_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    meaning: str = Field(description="What a signature means; empty: no signature.")


class ChainCheckDocument(Document):
    """What the last check of the chain found."""

    checked_at: datetime
    n_sealed: int
    n_anchored: int
    anchored_at: datetime | None
    faults: list[str]


class ChainDocument(Document):
    """The state of the chain that seals the events."""

    n_sealed: int
    sealed_at: datetime | None
    n_waiting: int = Field(description="Events that are not sealed yet.")
    waiting_since: datetime | None
    check: ChainCheckDocument | None = Field(description="Null: never checked.")
