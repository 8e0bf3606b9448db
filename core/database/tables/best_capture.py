"""Which of several captures of an expected scan stands for it, where a person chose."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class BestCapture(SiteScoped, Created, Base):
    """One choice. Rows are added, never changed; the newest of an expected scan holds."""

    __tablename__ = "best_capture"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="reason"),
        Index("ix_best_capture_expected_scan_id_id", "expected_scan_id", "id"),
    )

    id: Mapped[Id]
    expected_scan_id: Mapped[int] = mapped_column(ForeignKey("expected_scan.id"))
    acquisition_id: Mapped[int | None] = mapped_column(ForeignKey("acquisition.id"))
    """None: the choice was taken back, and the rule holds again."""
    chosen_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    reason: Mapped[str]
