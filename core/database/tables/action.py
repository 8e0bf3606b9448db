"""What a manager does about a flag: acknowledge it, open an action and close it, sign a baseline."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class FlagAcknowledgement(Created, Base):
    """Somebody has seen that a unit is flagged, with a comment. It ends with the flag."""

    __tablename__ = "flag_acknowledgement"
    __table_args__ = (
        Index(
            "uq_flag_acknowledgement_standing",
            "study_id", "unit_kind", "unit_key", "indicator",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("comment <> ''", name="comment"),
    )  # fmt: skip

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    """None: the unit spans sites (a model, a software version)."""
    unit_kind: Mapped[str]
    """UnitKind."""
    unit_key: Mapped[str]
    """Unit.key: the id of a site, device or technician; a model; a model and its version."""
    indicator: Mapped[str]
    """Which rate is flagged (core.usecases.flag_sites.Indicator)."""
    detail: Mapped[dict[str, Any]]
    """The unit's label and its figures when it was acknowledged."""
    comment: Mapped[str]
    acknowledged_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    ended_at: Mapped[datetime | None]
    """When the unit was no longer flagged, as the keeper saw it."""


class Action(SiteScoped, Created, Base):
    """Something agreed with a site because of a unit: an issue, a retraining, a suspended certificate."""

    __tablename__ = "action"
    __table_args__ = (
        Index("ix_action_site_id_state", "site_id", "state"),
        Index(
            "uq_action_suspended",
            "device_id",
            unique=True,
            postgresql_where=text("kind = 'suspension' and state = 'open'"),
        ),
        Index(
            "uq_action_suspended_technician",
            "technician_id",
            unique=True,
            postgresql_where=text("kind = 'suspension' and state = 'open' and technician_id is not null"),
        ),
        Index("ix_action_device_id_created_at", "device_id", "created_at"),
        Index("ix_action_technician_id_created_at", "technician_id", "created_at"),
        CheckConstraint("kind in ('issue', 'retraining', 'suspension')", name="kind"),
        CheckConstraint("state in ('open', 'done', 'dropped')", name="state"),
        CheckConstraint("(state = 'open') = (closed_at is null)", name="closed_at"),
        CheckConstraint(
            "kind <> 'suspension' or ((device_id is not null or technician_id is not null) and state <> 'dropped')",
            name="suspension",
        ),
        CheckConstraint("kind <> 'retraining' or technician_id is not null", name="retraining"),
        CheckConstraint("(kind = 'suspension') = (due_on is null)", name="due_on"),
        CheckConstraint("text <> ''", name="text"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    """ActionKind."""
    unit_kind: Mapped[str]
    unit_key: Mapped[str]
    unit_label: Mapped[str]
    """What the unit was called when the action was opened."""
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    text: Mapped[str]
    """What is to be done; of a suspension: why."""
    owner_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    """Who sees to it."""
    due_on: Mapped[date | None]
    """None: a suspension lasts until it is lifted."""
    state: Mapped[str]
    """ActionState."""
    opened_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    closed_at: Mapped[datetime | None]


class ActionStep(SiteScoped, Created, Base):
    """One move of an action: who, when, and the text, evidence or reason that came with it. Never changed."""

    __tablename__ = "action_step"
    __table_args__ = (UniqueConstraint("action_id", "number"),)

    id: Mapped[Id]
    action_id: Mapped[int] = mapped_column(ForeignKey("action.id"))
    number: Mapped[int]
    state: Mapped[str]
    actor_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    note: Mapped[str]


class SignedBaseline(Created, Base):
    """A control chart's baseline as a person signed it: frozen values, never changed, followed by a next version.

    Written by the function ``sign_baseline`` alone, which asks for the password.
    """

    __tablename__ = "signed_baseline"
    __table_args__ = (
        UniqueConstraint("study_id", "unit_kind", "unit_key", "scan_type", "number"),
        CheckConstraint("starts_on <= ends_on", name="period"),
        CheckConstraint("centre between 0 and 1 and sigma_z >= 1 and correlation between 0 and 1", name="values"),
        CheckConstraint("meaning <> '' and reason <> ''", name="signature"),
    )

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    """None: the unit spans sites."""
    unit_kind: Mapped[str]
    """UnitKind, or ``study`` for all of it together."""
    unit_key: Mapped[str]
    scan_type: Mapped[str] = mapped_column(default="", server_default="")
    """Empty: all types together."""
    number: Mapped[int]
    """1, 2, ... of this unit and type: the highest is in force."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """First and last day of its points, both included."""
    centre: Mapped[float] = mapped_column(Float)
    sigma_z: Mapped[float] = mapped_column(Float)
    correlation: Mapped[float] = mapped_column(Float)
    """Within visits, pooled over ``design_units`` units with ``design_clusters`` visits."""
    design_units: Mapped[int]
    design_clusters: Mapped[int]
    n_points: Mapped[int]
    n: Mapped[int]
    signed_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    signed_name: Mapped[str]
    """The signer's name at that moment."""
    meaning: Mapped[str]
    """What the signature stands for."""
    reason: Mapped[str]
