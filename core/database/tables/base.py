"""The declarative base, the constraint names, and the column shorthands that every table uses."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Document = Annotated[dict[str, Any], mapped_column(JSONB)]
Sha256 = Annotated[str, mapped_column(String(64))]


class Base(DeclarativeBase):
    """Base of every table. Enums are stored as their string values, moments with time zone."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 - the attribute's shape is SQLAlchemy's
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: JSONB,
        datetime: DateTime(timezone=True),
        int: BigInteger,
    }


class SiteScoped:
    """Mixin for every row that belongs to one site: row-level security reads this column and no other."""

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)


class Created:
    """Mixin: when the row was written, by the database's clock unless the caller says otherwise."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Deactivated:
    """Mixin: what takes no new scans from this moment on. None: in use. What it did before stays as it is."""

    deactivated_at: Mapped[datetime | None]
