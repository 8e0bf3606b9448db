"""Who changed what and why (audit events and their seals), and the counts behind the rates."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from core.database.tables.base import Base, Created, Id, Sha256


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's xid8: which transaction wrote a row, so that the sealer can wait for older ones."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The column's type in DDL."""
        return "xid8"


class AuditEvent(Base):
    """One change, written in the transaction that made it. Never updated or deleted."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_entity_entity_id", "entity", "entity_id"),
        # The audit browser's filters, each in the order in which it is read.
        Index("ix_audit_event_happened_at", "happened_at", "id"),
        Index("ix_audit_event_study_id", "study_id", "happened_at", "id"),
        Index("ix_audit_event_site_id", "site_id", "happened_at", "id"),
        Index("ix_audit_event_actor_id", "actor_id", "happened_at", "id"),
        Index("ix_audit_event_action", "action", "happened_at", "id"),
        Index("ix_audit_event_signed", "happened_at", "id", postgresql_where=text("meaning <> ''")),
    )

    id: Mapped[Id]
    happened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    transaction_id: Mapped[int] = mapped_column(TransactionId, server_default=text("pg_current_xact_id()"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """None: the program itself (worker, keeper, command line)."""
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    action: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[int | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    meaning: Mapped[str] = mapped_column(default="", server_default="")
    """What the person's signature says, e.g. "approved"; empty where nothing was signed."""


class AuditCheck(Created, Base):
    """What was found when the chain was recomputed; no fault means that nothing sealed was changed."""

    __tablename__ = "audit_check"

    id: Mapped[Id]
    n_sealed: Mapped[int]
    n_anchored: Mapped[int]
    anchored_at: Mapped[datetime | None]
    """When the newest head was written to the anchor outside the database."""
    faults: Mapped[list[str]]


class AuditSeal(Created, Base):
    """The chain: one row per event in sealed order; ``chain_hmac`` covers the event and the row before."""

    __tablename__ = "audit_seal"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(ForeignKey("audit_event.id"), unique=True)
    chain_hmac: Mapped[Sha256]


class RateDelta(Created, Base):
    """A change of one count, appended with the rows that caused it; the keeper folds these into Rate."""

    __tablename__ = "rate_delta"

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    software_version: Mapped[str] = mapped_column(default="", server_default="")
    scan_type: Mapped[str]
    """Empty for a visit as a whole, whatever types it brought."""
    week_on: Mapped[date]
    """Monday of the week in which the scan was acquired (UTC)."""
    measure: Mapped[str]
    """RateMeasure."""
    detail: Mapped[str] = mapped_column(default="", server_default="")
    """Which finding, or which composition of a visit; empty for plain counts."""
    n: Mapped[int]


class Rate(Base):
    """A folded count. Readers sum this UNION ALL the unfolded deltas, so every page is exact."""

    __tablename__ = "rate"
    __table_args__ = (
        Index(
            "uq_rate_key",
            "site_id", "device_id", "technician_id", "software_version", "scan_type", "week_on", "measure", "detail",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_rate_site_id_measure_week_on", "site_id", "measure", "week_on"),
        Index("ix_rate_device_id_measure", "device_id", "measure"),
        Index("ix_rate_technician_id_measure", "technician_id", "measure"),
    )  # fmt: skip

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    software_version: Mapped[str] = mapped_column(default="", server_default="")
    scan_type: Mapped[str]
    week_on: Mapped[date]
    measure: Mapped[str]
    detail: Mapped[str] = mapped_column(default="", server_default="")
    n: Mapped[int]
