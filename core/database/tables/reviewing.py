"""What surrounds a review while it is made: drafts, who is looking at a scan, and lists accepted in bulk."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class ReviewDraft(SiteScoped, Base):
    """The review form as somebody left it; only that person sees it, and the decision removes it."""

    __tablename__ = "review_draft"

    reviewer_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    document: Mapped[dict[str, Any]]
    """core.policy.review_form.ReviewDraft as JSON."""
    seen_version: Mapped[int]
    """The scan's version that the form was filled in for."""
    updated_at: Mapped[datetime]


class ScanClaim(SiteScoped, Base):
    """Somebody has the scan open. It warns others and locks nothing; one that is not refreshed counts no more."""

    __tablename__ = "scan_claim"

    reviewer_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    since_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    """When the open page last said so."""


class BulkReview(Created, Base):
    """One person accepts a filtered list after having looked at a random sample of it."""

    __tablename__ = "bulk_review"
    __table_args__ = (
        CheckConstraint("state in ('sampling', 'accepting', 'done', 'stopped')", name="state"),
        CheckConstraint("(state in ('done', 'stopped')) = (ended_at is not null)", name="ended_at"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    state: Mapped[str]
    """BulkState."""
    filters: Mapped[dict[str, Any]]
    """What the list was narrowed to, as the page's address named it."""
    seed: Mapped[int]
    """Of the generator that drew the sample, so that the draw can be repeated."""
    ended_at: Mapped[datetime | None]


class BulkReviewScan(SiteScoped, Base):
    """One scan of the list: in the sample or not, what the reviewer says of it, and what became of it."""

    __tablename__ = "bulk_review_scan"
    __table_args__ = (
        UniqueConstraint("bulk_review_id", "sample_number"),
        CheckConstraint("mark in ('agree', 'disagree')", name="mark"),
        CheckConstraint("mark is null or (sample_number is not null and looked_at is not null)", name="looked_at"),
    )

    bulk_review_id: Mapped[int] = mapped_column(ForeignKey("bulk_review.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    seen_version: Mapped[int]
    """The scan's version when the list was drawn up."""
    sample_number: Mapped[int | None]
    """Its place in the sample, from 1; None: not in the sample."""
    looked_at: Mapped[datetime | None]
    """When the reviewer opened it from the sample."""
    mark: Mapped[str | None]
    """SampleMark."""
    left_out: Mapped[str] = mapped_column(default="", server_default="")
    """Why it was not accepted with the others, in words; empty: it was, or will be."""
