"""Which model scores what: activations by study, and orders to score a study's scans again with another model."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped

IS_OPEN = text("ended_at is null")


class ModelActivation(Created, Base):
    """A signed decision: from now on this model version scores a lane of a study, all devices or those of one model.

    The narrower one holds; where none is open, the installation's own model scores. Ended, never changed otherwise.
    """

    __tablename__ = "model_activation"
    __table_args__ = (
        Index("uq_model_activation_open", "study_id", "kind", "device_model", unique=True, postgresql_where=IS_OPEN),
        Index("ix_model_activation_study_id_id", "study_id", "id"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("(ended_at is null) = (end_reason = '')", name="end_reason"),
        CheckConstraint("(ended_at is null) = (ended_by_id is null)", name="ended_by"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    kind: Mapped[str]
    """ScanKind: the lane."""
    device_model: Mapped[str] = mapped_column(default="", server_default="")
    """Manufacturer and model, as a protocol names its devices; empty: every device without an own activation."""
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), index=True)
    reason: Mapped[str]
    meaning: Mapped[str]
    """What the signature stands for."""
    activated_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    end_reason: Mapped[str] = mapped_column(default="", server_default="")


class Rescoring(Created, Base):
    """Somebody's order to score a study's scans, or a part of them, with another model; nothing counts by it.

    What it found begins to count where somebody adopts it, and then only for scans that nobody has decided.
    """

    __tablename__ = "rescoring"
    __table_args__ = (
        Index(
            "uq_rescoring_open", "study_id", "kind", unique=True,
            postgresql_where=text("state in ('waiting', 'running')"),
        ),
        Index("ix_rescoring_study_id_id", "study_id", "id"),
        CheckConstraint("state in ('waiting', 'running', 'done', 'stopped')", name="state"),
        CheckConstraint("(state in ('done', 'stopped')) = (ended_at is not null)", name="ended_at"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint(
            "(adopted_at is null) = (adopted_by_id is null) and (adopted_at is null) = (adoption_reason = '')",
            name="adopted_at",
        ),
        CheckConstraint("adoption_ended_at is null or adopted_at is not null", name="adoption_ended_at"),
    )  # fmt: skip

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    """None: all sites of the study."""
    kind: Mapped[str]
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), index=True)
    since: Mapped[date | None]
    """Scans captured from this day on; None: from the first."""
    until: Mapped[date | None]
    """Scans captured before this day; None: to the last."""
    reason: Mapped[str]
    requested_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    state: Mapped[str]
    """ReEvaluationState: an order that a machine carries out goes the same way."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    adopted_at: Mapped[datetime | None]
    """When somebody let its scores count; None: nobody has."""
    adopted_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    adoption_reason: Mapped[str] = mapped_column(default="", server_default="")
    adoption_ended_at: Mapped[datetime | None]
    """When the last of its scans was adopted or left alone."""


class RescoringScan(SiteScoped, Created, Base):
    """One scan of such an order: its place in the queue beside the normal one, and what became of it."""

    __tablename__ = "rescoring_scan"
    __table_args__ = (
        Index("uq_rescoring_scan_number", "rescoring_id", "number", unique=True),
        Index(
            "ix_rescoring_scan_queue", "rescoring_id", "number",
            postgresql_where=text("state in ('waiting', 'scoring')"),
        ),
        CheckConstraint("state in ('waiting', 'scoring', 'scored', 'failed')", name="state"),
        CheckConstraint("(state = 'scored') = (assessment_id is not null)", name="assessment_id"),
        CheckConstraint("(state = 'failed') = (failure <> '')", name="failure"),
        CheckConstraint(
            "outcome in ('changed', 'same', 'decided', 'requested', 'ended', 'outdated')", name="outcome"
        ),
    )  # fmt: skip

    rescoring_id: Mapped[int] = mapped_column(ForeignKey("rescoring.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    number: Mapped[int]
    """The order of scoring: superficial slabs first, whose grades the deep ones inherit."""
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    leased_by: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="", server_default="")
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"))
    """What the other model said; counts only once it is adopted."""
    outcome: Mapped[str | None]
    """AdoptionOutcome; None: not adopted, or not yet."""
    former_assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"))
    """What counted until it was adopted."""
