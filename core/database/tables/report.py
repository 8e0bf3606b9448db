"""Reports that were asked for and made, the schedules that ask for them, and to whom they were sent."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256


class Report(Created, Base):
    """One document: asked for, then made once and never made anew. ``content_sha256`` leaves out when it was made."""

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("schedule_id", "occurrence_at"),
        Index("ix_report_study_id", "study_id", "id"),
        Index("ix_report_site_id", "site_id", "id"),
        Index("ix_report_asked", "due_at", postgresql_where=text("state = 'asked'")),
        Index("ix_report_content_sha256", "content_sha256"),
        CheckConstraint("kind in ('site', 'study', 'receipt', 'tips')", name="kind"),
        CheckConstraint("state in ('asked', 'made', 'failed')", name="state"),
        CheckConstraint("(kind in ('site', 'receipt')) = (site_id is not null)", name="site"),
        CheckConstraint("(kind = 'receipt') = (batch_id is not null)", name="batch"),
        CheckConstraint("(kind = 'tips') = (reason_code is not null)", name="reason"),
        CheckConstraint("(kind in ('site', 'study')) = (since is not null and until is not null)", name="period"),
        CheckConstraint(
            "(state = 'made') = (pdf_sha256 is not null and content_sha256 is not null and made_at is not null)",
            name="made",
        ),
        CheckConstraint("(schedule_id is null) = (occurrence_at is null)", name="occurrence"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    """ReportKind."""
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    reason_code: Mapped[str | None]
    """Which cause a tip sheet is about."""
    since: Mapped[date | None]
    until: Mapped[date | None]
    """The period: first day, and the day after the last."""
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """None: a schedule, or the command line."""
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("report_schedule.id"))
    occurrence_at: Mapped[datetime | None]
    """The due moment of the schedule; one report each, however many keepers run."""
    state: Mapped[str] = mapped_column(default="asked", server_default="asked")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    """Not to be made before: at once, or the next try after a failure."""
    error: Mapped[str | None]
    """Why the last try failed, in words."""
    made_at: Mapped[datetime | None]
    versions: Mapped[dict[str, Any] | None]
    """``{"protocol": 2, "models": ["name 1.0", ...]}``: what was in force and which models' grades it counts."""
    n_pages: Mapped[int | None]
    content_sha256: Mapped[Sha256 | None]
    pdf_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))


class ReportSchedule(Created, Base):
    """Asks for a report again and again, and says to whom it goes. It is paused and ended, never deleted."""

    __tablename__ = "report_schedule"
    __table_args__ = (
        Index("ix_report_schedule_study_id", "study_id"),
        Index("ix_report_schedule_next_at", "next_at", postgresql_where=text("paused_at is null and ended_at is null")),
        CheckConstraint("kind in ('site', 'study')", name="kind"),
        CheckConstraint("(kind = 'site') = (site_id is not null)", name="site"),
        CheckConstraint("every in ('week', 'month')", name="every"),
        CheckConstraint("on_day between 1 and case every when 'week' then 7 else 28 end", name="on_day"),
        CheckConstraint("hour between 0 and 23", name="hour"),
        CheckConstraint("n_weeks between 1 and 520", name="n_weeks"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    every: Mapped[str]
    """Pace: ``week`` or ``month``."""
    on_day: Mapped[int]
    """Of the week (Monday is 1) or of the month (up to 28, which every month has)."""
    hour: Mapped[int]
    """UTC."""
    n_weeks: Mapped[int]
    """Length of the period that each report covers: whole weeks up to and including that of the due moment."""
    next_at: Mapped[datetime]
    created_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    paused_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ReportRecipient(Base):
    """A person to whom a schedule's reports go; whether rights and address still hold is asked at each sending."""

    __tablename__ = "report_recipient"

    schedule_id: Mapped[int] = mapped_column(ForeignKey("report_schedule.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))


class ReportSending(Created, Base):
    """The sending of one report to one person: planned with the report, so each gets it once."""

    __tablename__ = "report_sending"
    __table_args__ = (
        UniqueConstraint("report_id", "user_id"),
        Index("ix_report_sending_due_at", "due_at", postgresql_where=text("state = 'waiting'")),
        CheckConstraint("state in ('waiting', 'sent', 'failed', 'withdrawn')", name="state"),
    )

    id: Mapped[Id]
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
    """Why the last try failed, or why it was withdrawn; carries no address."""
