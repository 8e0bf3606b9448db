"""Programs that call the API: the client, which an administrator answers for, and its tokens.

No role but the owner reads or writes them: pages ask the SECURITY DEFINER functions of the migration.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id


class ApiClient(Created, Base):
    """A program with an account of its own (``user_id``), which has no password and cannot log in."""

    __tablename__ = "api_client"
    __table_args__ = (
        Index(
            "uq_api_client_live",
            "name", "study_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("jsonb_typeof(scopes) = 'array' and jsonb_array_length(scopes) > 0", name="scopes"),
    )  # fmt: skip

    id: Mapped[Id]
    name: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), unique=True)
    """Whose grants its tokens have, and who stands in the audit trail."""
    owner_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    """Who made it and answers for it: the grants count while this person may give such."""
    scopes: Mapped[list[str]]
    """ApiScope: what the API lets it do, within what its grants let it see."""
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    """None: every study, for the role admin alone."""
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    ended_at: Mapped[datetime | None]


class ApiToken(Created, Base):
    """One token of a client. Hash, expiry, use and revocation are those of its row in ``session``."""

    __tablename__ = "api_token"

    id: Mapped[Id]
    client_id: Mapped[int] = mapped_column(ForeignKey("api_client.id"), index=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id"), unique=True)
    prefix: Mapped[str]
    """The token's beginning, by which people tell tokens apart; it opens nothing."""
    refused_at: Mapped[datetime | None]
    """When a refused use was last written to the audit trail."""
