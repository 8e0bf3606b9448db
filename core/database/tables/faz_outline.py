"""Outlines of the FAZ that people drew, with the metrics measured from them."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256, SiteScoped


class FazOutline(SiteScoped, Created, Base):
    """One reader's outline of one scan; added, never changed: of a reader's outlines of a scan the newest counts."""

    __tablename__ = "faz_outline"
    __table_args__ = (
        CheckConstraint("reader <> ''", name="reader"),
        Index("ix_faz_outline_scan_id_reader_id", "scan_id", "reader", "id"),
    )

    id: Mapped[Id]
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    reader: Mapped[str]
    """Code of who drew it, who need not have an account."""
    mask_sha256: Mapped[Sha256] = mapped_column(ForeignKey("blob.sha256"), index=True)
    """0 outside the zone, 255 within, in the size of the scan's image."""
    metrics: Mapped[dict[str, Any]]
    """Value, or ``{"not_computable": reason}``, by column of the assessment's FAZ metrics."""
    is_touching_border: Mapped[bool]
    imported_by_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
