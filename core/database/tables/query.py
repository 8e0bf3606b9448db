"""Questions between reading centre and site: the messages of a scan's thread, and how far each person has read."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class QueryMessage(Created, Base):
    """One message about one scan. Rows are added, never changed; a thread stands as its last act left it."""

    __tablename__ = "query_message"
    __table_args__ = (
        CheckConstraint("act in ('question', 'answer', 'remark', 'resolved', 'reopened')", name="act"),
        CheckConstraint(
            "side in ('centre', 'site') and (act <> 'answer' or side = 'site') "
            "and (act not in ('question', 'resolved', 'reopened') or side = 'centre')",
            name="side",
        ),
        CheckConstraint("text <> '' or act = 'resolved'", name="text"),
        Index("ix_query_message_scan_id_id", "scan_id", "id"),
        Index("ix_query_message_site_id_created_at", "site_id", "created_at"),
    )

    id: Mapped[Id]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    """Row-level security reads it; the index by site and time serves what asks by site."""
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    side: Mapped[str]
    """QuerySide: for whom the author spoke; the reading centre may write down what a site said on the phone."""
    act: Mapped[str]
    """QueryAct."""
    text: Mapped[str]


class QuerySeen(SiteScoped, Base):
    """The last message of a scan's thread that a person has had before them."""

    __tablename__ = "query_seen"

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), primary_key=True, autoincrement=False)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(ForeignKey("query_message.id"))
    seen_at: Mapped[datetime]
