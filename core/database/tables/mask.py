"""Masks that people draw for training: what a round asks for, and what came back."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256, SiteScoped


class MaskRound(Created, Base):
    """One choice of the scans of a study whose masks should be drawn next (QU-Net++, Algorithm 1)."""

    __tablename__ = "mask_round"
    __table_args__ = (CheckConstraint("step in (1, 2)", name="step"),)

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    kind: Mapped[str]
    """ScanKind."""
    step: Mapped[int]
    """1: a first set by image indices; 2: scans on which two levels of a network disagree."""
    rule: Mapped[dict[str, Any]]
    """core.measures.selection.SelectionRule as JSON, and how many scans were looked through."""
    created_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))


class WantedMask(SiteScoped, Base):
    """One scan of a round, or one B-scan of a volume; its mask, once it is there."""

    __tablename__ = "wanted_mask"
    __table_args__ = (
        CheckConstraint("(mask_sha256 is null) = (imported_at is null)", name="imported_at"),
        CheckConstraint("(mask_sha256 is null) = (imported_by_id is null)", name="imported_by"),
        CheckConstraint("bscan_index >= 0", name="bscan_index"),
        UniqueConstraint("round_id", "scan_id", "bscan_index", postgresql_nulls_not_distinct=True),
    )

    round_id: Mapped[int] = mapped_column(ForeignKey("mask_round.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1, the most wanted first."""
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), index=True)
    bscan_index: Mapped[int | None]
    """Which B-scan of a volume, from 0; NULL: the scan's own image (of a volume asked for earlier its middle one)."""
    q: Mapped[float | None] = mapped_column(Float)
    """Level agreement by which it was chosen; NULL in a first set."""
    mask_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"), index=True)
    """A label map in the size of the image: 0 background, every other grey level a class."""
    imported_at: Mapped[datetime | None]
    imported_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
