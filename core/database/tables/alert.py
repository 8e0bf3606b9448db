"""Alerts: what has arisen and lasts, who wants to be told of it, and whether that was done."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id


class Alert(Base):
    """One event with a beginning and, once it is over, an end. At most one of a subject is open at a time."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_open", "study_id", "kind", "subject", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_alert_ended_at", "ended_at"),
        CheckConstraint("kind in ('unit', 'overdue', 'retraining', 'queue', 'certificate')", name="kind"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    """None: what it is about spans sites, so only people with a role for the whole study see it."""
    kind: Mapped[str]
    subject: Mapped[str]
    """What it is about, e.g. ``device:7``; unique among the open ones of a kind."""
    detail: Mapped[dict[str, Any]]
    """The figures at its beginning; no code of a subject or visit."""
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class AlertSubscription(Created, Base):
    """A person's wish to be told of a study's alerts on one channel; it ends, and is never deleted."""

    __tablename__ = "alert_subscription"
    __table_args__ = (
        Index(
            "uq_alert_subscription_live",
            "user_id", "study_id", "channel",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("channel in ('email', 'webhook')", name="channel"),
        CheckConstraint("(channel = 'webhook') = (url is not null)", name="webhook"),
    )  # fmt: skip

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    channel: Mapped[str]
    wanted: Mapped[dict[str, Any]]
    """Pace by kind, e.g. ``{"unit": "at_once", "overdue": "daily"}``; a kind that is absent is not wanted."""
    url: Mapped[str | None]
    """Of a webhook. Its secret is stored nowhere (core.alerting.webhook_secret)."""
    ended_at: Mapped[datetime | None]


class AlertDelivery(Created, Base):
    """The telling of one alert to one subscription: made when the alert opens, so each is told of once."""

    __tablename__ = "alert_delivery"
    __table_args__ = (
        UniqueConstraint("alert_id", "subscription_id"),
        Index("ix_alert_delivery_due_at", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_alert_delivery_subscription_id", "subscription_id", "id"),
        CheckConstraint("state in ('waiting', 'sent', 'failed', 'withdrawn')", name="state"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("alert_subscription.id"))
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime]
    """Not to be sent before: the digest's hour, or the next try after a failure."""
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
    """Why the last try failed; carries no address and no secret."""
