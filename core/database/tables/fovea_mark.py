"""Where people say that the fovea of a volume lies."""

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class FoveaMark(SiteScoped, Created, Base):
    """One person's word on where a volume's fovea lies, or that the program's own finding counts again.

    Rows are added, never changed; the newest of a scan counts.
    """

    __tablename__ = "fovea_mark"
    __table_args__ = (
        CheckConstraint("(x_mm is null) = (y_mm is null)", name="both_or_none"),
        CheckConstraint("reason <> ''", name="reason"),
        Index("ix_fovea_mark_scan_id_id", "scan_id", "id"),
    )

    id: Mapped[Id]
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    x_mm: Mapped[float | None] = mapped_column(Float)
    """To the right of the fundus image's upper left corner; NULL: the program's own finding counts again."""
    y_mm: Mapped[float | None] = mapped_column(Float)
    set_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    reason: Mapped[str]
