"""Masked grading by several people and checks of what the model accepted: what was drawn, for whom, what came of it."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id


class Grading(Created, Base):
    """One scan that several people grade masked, and the consensus once it is settled. Graders never see this row."""

    __tablename__ = "grading"
    __table_args__ = (
        UniqueConstraint("scan_id"),
        Index("ix_grading_unsettled", "site_id", "state", "id", postgresql_where=text("state <> 'settled'")),
        Index("ix_grading_to_adjudicate", "adjudicator_id", "id", postgresql_where=text("state = 'to_adjudicate'")),
        Index("ix_grading_site_id_id", "site_id", "id"),
        CheckConstraint("state in ('drawn', 'assigned', 'to_adjudicate', 'settled')", name="state"),
        CheckConstraint(
            "(state = 'settled') = (consensus_ordinal is not null and settlement is not null "
            "and settled_at is not null)",
            name="settled",
        ),
        CheckConstraint("settlement in ('agreement', 'adjudication')", name="settlement"),
        CheckConstraint(
            "settlement is null or (settlement = 'adjudication') = (settled_by_id is not null)", name="settled_by"
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    protocol_version_id: Mapped[int] = mapped_column(ForeignKey("protocol_version.id"))
    """Whose grading plan holds for it."""
    n_graders: Mapped[int]
    """How many grade it, by that plan."""
    state: Mapped[str]
    """GradingState."""
    is_senior_check: Mapped[bool] = mapped_column(default=False, server_default="false")
    """The graders agree; the adjudicator checks it all the same."""
    adjudicator_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """Who is to settle it; None while nobody is needed or nobody can."""
    consensus_ordinal: Mapped[int | None]
    settlement: Mapped[str | None]
    """Settlement: how the consensus came about."""
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    settled_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """What the adjudicator wrote."""


class GradingAssignment(Created, Base):
    """One grader's part in a grading, or the same grader's repeat of it. Graders reach theirs by functions alone."""

    __tablename__ = "grading_assignment"
    __table_args__ = (
        Index(
            "uq_grading_assignment_grader",
            "grading_id", "grader_id",
            unique=True,
            postgresql_where=text("repeat_of_id is null and state <> 'withdrawn'"),
        ),
        Index(
            "uq_grading_assignment_repeat",
            "repeat_of_id",
            unique=True,
            postgresql_where=text("repeat_of_id is not null and state <> 'withdrawn'"),
        ),
        Index("ix_grading_assignment_grading_id", "grading_id"),
        Index("ix_grading_assignment_open", "grader_id", "due_on", "id", postgresql_where=text("state = 'open'")),
        Index(
            "ix_grading_assignment_to_repeat",
            "done_at",
            postgresql_where=text("is_to_repeat and state = 'done'"),
        ),
        Index("ix_grading_assignment_grader_id_done_at", "grader_id", "done_at"),
        Index("ix_grading_assignment_site_id_id", "site_id", "id", postgresql_where=text("repeat_of_id is not null")),
        Index("ix_grading_assignment_site_id_created_at", "site_id", "created_at"),
        CheckConstraint("state in ('open', 'done', 'withdrawn')", name="state"),
        CheckConstraint("(state = 'done') = (ordinal is not null and done_at is not null)", name="done"),
    )  # fmt: skip

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    grading_id: Mapped[int] = mapped_column(ForeignKey("grading.id"))
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    grader_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    repeat_of_id: Mapped[int | None] = mapped_column(ForeignKey("grading_assignment.id"))
    """The same person's first grade of this scan, where this is the second look."""
    is_to_repeat: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Drawn to come back to the same grader."""
    state: Mapped[str]
    """AssignmentState."""
    due_on: Mapped[date]
    ordinal: Mapped[int | None]
    done_at: Mapped[datetime | None]


class AcceptedCheck(Created, Base):
    """A scan that the model accepted and a person looks at: drawn, or because a consensus speaks against it."""

    __tablename__ = "accepted_check"
    __table_args__ = (
        UniqueConstraint("scan_id"),
        Index("ix_accepted_check_open", "site_id", "id", postgresql_where=text("state = 'open'")),
        Index("ix_accepted_check_site_id_id", "site_id", "id"),
        CheckConstraint("cause in ('sample', 'consensus')", name="cause"),
        CheckConstraint("state in ('open', 'confirmed', 'overturned')", name="state"),
        CheckConstraint(
            "(state = 'open') = (ordinal is null) and (state = 'open') = (checked_by_id is null) "
            "and (state = 'open') = (checked_at is null)",
            name="checked",
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    """What the model said when it accepted the scan."""
    cause: Mapped[str]
    """CheckCause."""
    state: Mapped[str]
    """CheckState."""
    ordinal: Mapped[int | None]
    """The checker's own grade."""
    checked_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    checked_at: Mapped[datetime | None]
    review_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"))
    """The decision that answered it; where that is undone the check is open again."""


class ReviewerCalibration(Created, Base):
    """While it lasts, a reviewer of a study sees nothing of the model's about a scan before the own grade."""

    __tablename__ = "reviewer_calibration"
    __table_args__ = (
        Index(
            "uq_reviewer_calibration_standing",
            "study_id", "user_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("reason <> ''", name="reason"),
    )  # fmt: skip

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    started_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    reason: Mapped[str]
    ended_at: Mapped[datetime | None]
