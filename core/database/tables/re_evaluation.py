"""Judging stored scores again by another protocol version: the act, and what it did to each scan."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class ReEvaluation(Created, Base):
    """Somebody's order to judge a study's scans, or a part of them, by one of its protocol versions."""

    __tablename__ = "re_evaluation"
    __table_args__ = (
        Index(
            "uq_re_evaluation_open", "study_id", unique=True, postgresql_where=text("state in ('waiting', 'running')")
        ),
        Index("ix_re_evaluation_study_id_id", "study_id", "id"),
        CheckConstraint("state in ('waiting', 'running', 'done', 'stopped')", name="state"),
        CheckConstraint("(state in ('done', 'stopped')) = (ended_at is not null)", name="ended_at"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    """None: all sites of the study."""
    protocol_version_id: Mapped[int] = mapped_column(ForeignKey("protocol_version.id"))
    since: Mapped[date | None]
    """Scans captured from this day on; None: from the first."""
    until: Mapped[date | None]
    """Scans captured before this day; None: to the last."""
    reason: Mapped[str]
    requested_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    foreseen: Mapped[dict[str, Any]]
    """What the preview promised: number of scans by outcome."""
    state: Mapped[str]
    """ReEvaluationState."""
    done_up_to: Mapped[int] = mapped_column(default=0, server_default="0")
    """Visit's id up to which every scan was judged: a run that was cut short goes on behind it."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ReEvaluationScan(SiteScoped, Created, Base):
    """What a re-evaluation did to one scan, or why it left it alone. Never changed."""

    __tablename__ = "re_evaluation_scan"
    __table_args__ = (
        Index("ix_re_evaluation_scan_outcome", "re_evaluation_id", "outcome", "scan_id"),
        CheckConstraint(
            "outcome in ('changed', 'same', 'decided', 'requested', 'ended', 'unreadable')", name="outcome"
        ),
        CheckConstraint("(outcome in ('changed', 'same')) = (verdict_after is not null)", name="verdict_after"),
    )

    re_evaluation_id: Mapped[int] = mapped_column(ForeignKey("re_evaluation.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    outcome: Mapped[str]
    """Outcome."""
    protocol_version_before_id: Mapped[int] = mapped_column(ForeignKey("protocol_version.id"))
    verdict_before: Mapped[str]
    verdict_after: Mapped[str | None]
