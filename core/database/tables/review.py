"""What people decided: review, reacquisition request and its steps."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class Review(Created, Base):
    """One person's decision about one scan. Rows are added, never changed."""

    __tablename__ = "review"
    __table_args__ = (
        Index("ix_review_masked", "id", postgresql_where=text("is_masked")),
        Index("ix_review_site_id_id", "site_id", "id"),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """Row-level security reads it; the newest of each site are asked for by id."""
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"))
    """What the reviewer saw; None where the scan was not scored or its grade was hidden."""
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    decision: Mapped[str]
    ordinal: Mapped[int | None]
    """The reviewer's own grade, where one was given."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    is_masked: Mapped[bool] = mapped_column(default=False, server_default="false")


class ReacquisitionRequest(SiteScoped, Created, Base):
    """A site is asked to take a capture again. One open request per acquisition."""

    __tablename__ = "reacquisition_request"
    __table_args__ = (
        Index(
            "uq_reacquisition_request_open",
            "acquisition_id",
            unique=True,
            postgresql_where=text("state not in ('closed', 'not_possible')"),
        ),
        Index("ix_reacquisition_request_site_id_state", "site_id", "state"),
    )

    id: Mapped[Id]
    acquisition_id: Mapped[int] = mapped_column(ForeignKey("acquisition.id"))
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), index=True)
    """The scan whose fault led to the request."""
    state: Mapped[str]
    reason_code: Mapped[str]
    text: Mapped[str]
    remedy: Mapped[str]
    due_on: Mapped[date | None]
    """End of the visit window; None where there is none."""
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    replacement_id: Mapped[int | None] = mapped_column(ForeignKey("acquisition.id"), index=True)
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class ReacquisitionStep(SiteScoped, Created, Base):
    """One move of a request from state to state: who, when, why."""

    __tablename__ = "reacquisition_step"
    __table_args__ = (UniqueConstraint("request_id", "number"),)

    id: Mapped[Id]
    request_id: Mapped[int] = mapped_column(ForeignKey("reacquisition_request.id"))
    number: Mapped[int]
    state: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    note: Mapped[str] = mapped_column(default="", server_default="")
