"""Who was scanned and when: subject (a pseudonym), visit, and the scans a visit is expected to bring."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class Subject(SiteScoped, Created, Base):
    """A study participant by pseudonym; octaudit holds no name, birth date or chart number."""

    __tablename__ = "subject"
    __table_args__ = (UniqueConstraint("site_id", "code"),)

    id: Mapped[Id]
    code: Mapped[str]


class Visit(SiteScoped, Created, Base):
    """One visit of one subject: the sampling unit of all statistics."""

    __tablename__ = "visit"
    __table_args__ = (
        UniqueConstraint("subject_id", "code"),
        Index("ix_visit_planned_on", "site_id", "planned_on", "id", postgresql_where=text("planned_on is not null")),
        CheckConstraint("(called_off_at is null) = (called_off_reason = '')", name="called_off"),
    )

    id: Mapped[Id]
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"))
    code: Mapped[str]
    window_ends_on: Mapped[date | None]
    """Last day on which a scan still counts for this visit; None where the protocol sets no window."""
    planned_on: Mapped[date | None]
    """When it is to take place; None: nobody planned it, its first scan made it known."""
    called_off_at: Mapped[datetime | None]
    """It will not take place (any more), so nothing of it is missing; None: it does."""
    called_off_reason: Mapped[str] = mapped_column(default="", server_default="")


class ExpectedScan(SiteScoped, Created, Base):
    """The slot subject x visit x eye x type. The final rate and completeness count slots, not attempts."""

    __tablename__ = "expected_scan"
    __table_args__ = (
        UniqueConstraint("visit_id", "laterality", "scan_type"),
        Index(
            "ix_expected_scan_missing", "site_id", "visit_id", postgresql_where=text("first_received_at is null")
        ),
    )  # fmt: skip

    id: Mapped[Id]
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    laterality: Mapped[str]
    scan_type: Mapped[str]
    """Kind and nominal field, e.g. ``octa-enface 3x3``; see core.policy.scan_types."""
    first_received_at: Mapped[datetime | None]
    """When the first acquisition of this slot arrived; None: expected, nothing received."""
