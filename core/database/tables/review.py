"""What people decided: review with its criteria, reacquisition request and its steps."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class Review(Created, Base):
    """One person's decision about one scan. Rows are added, never changed."""

    __tablename__ = "review"
    __table_args__ = (
        Index(
            "ix_review_masked",
            "id",
            postgresql_include=["site_id", "scan_id", "reviewer_id", "decision", "ordinal", "is_masked"],
            postgresql_where=text("is_masked"),
        ),
        Index("ix_review_site_id_id", "site_id", "id"),
        Index("ix_review_site_id_scan_id", "site_id", "scan_id"),
        Index("ix_review_reviewer_id_id", "reviewer_id", "id"),
        Index("uq_review_undoes_id", "undoes_id", unique=True, postgresql_where=text("undoes_id is not null")),
        Index("ix_review_bulk_review_id", "bulk_review_id", postgresql_where=text("bulk_review_id is not null")),
        CheckConstraint("(decision = 'undo') = (undoes_id is not null)", name="undoes_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """Row-level security reads it; the newest of each site are asked for by id."""
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"))
    """What the reviewer saw; None where the scan was not scored or its grade was hidden."""
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    decision: Mapped[str]
    ordinal: Mapped[int | None]
    """The reviewer's own grade, where one was given."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    is_masked: Mapped[bool] = mapped_column(default=False, server_default="false")
    replaced: Mapped[dict[str, Any] | None]
    """What the decision replaced: state, human_ordinal and final_verdict; None of masked grades and of older rows."""
    scan_version: Mapped[int | None]
    """The scan's version that the decision made: as long as it is the scan's, nobody has changed it since."""
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"))
    """Of an undo: the decision that it takes back."""
    bulk_review_id: Mapped[int | None] = mapped_column(ForeignKey("bulk_review.id"))
    """The bulk acceptance that this is part of."""


class ReviewCriterion(SiteScoped, Base):
    """One letter of the review form, as the reviewer marked it. Rows are added, never changed."""

    __tablename__ = "review_criterion"

    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    """ReasonCode of OSCAR-MP or OSCAR-IB."""
    is_passed: Mapped[bool]


class ReacquisitionRequest(SiteScoped, Created, Base):
    """A site is asked to take a capture again. One open request per acquisition."""

    __tablename__ = "reacquisition_request"
    __table_args__ = (
        Index(
            "uq_reacquisition_request_open",
            "acquisition_id",
            unique=True,
            postgresql_where=text("state not in ('closed', 'not_possible', 'withdrawn')"),
        ),
        Index("ix_reacquisition_request_site_id_state", "site_id", "state"),
        # Both answer the tracker's lists alone; scan_id is there for the policy. What is open counts as closed at the
        # end of time, so that one range holds it and what was closed since a day.
        Index(
            "ix_reacquisition_request_site_id_created_at",
            "site_id",
            "created_at",
            postgresql_include=["id", "scan_id", "acquisition_id", "state", "due_on", "received_at", "closed_at"],
        ),
        Index(
            "ix_reacquisition_request_site_id_closed_at",
            "site_id",
            text("coalesce(closed_at, 'infinity'::timestamptz)"),
            postgresql_include=["id", "scan_id", "state", "due_on", "closed_at"],
        ),
    )

    id: Mapped[Id]
    acquisition_id: Mapped[int] = mapped_column(ForeignKey("acquisition.id"), index=True)
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
    is_link_found: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Whether the program found the replacement by itself, or the site named the request."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    """The site's technician who sees to it; None: nobody yet."""
    received_at: Mapped[datetime | None]
    """When the first replacement came that is still linked; None while none has."""
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class ReacquisitionStep(SiteScoped, Created, Base):
    """One move of a request from state to state: who, when, why."""

    __tablename__ = "reacquisition_step"
    __table_args__ = (
        UniqueConstraint("request_id", "number"),
        CheckConstraint("kind in ('move', 'assign', 'unlink')", name="kind"),
    )

    id: Mapped[Id]
    request_id: Mapped[int] = mapped_column(ForeignKey("reacquisition_request.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(default="move", server_default="move")
    """StepKind: a move of the request, another owner, or a replacement taken off it."""
    state: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    note: Mapped[str] = mapped_column(default="", server_default="")
