"""Who takes part: study, its protocol versions, sites, devices and technicians."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Deactivated, Id, SiteScoped


class Study(Created, Base):
    """A clinical study or programme. ``code`` is the short name in manifests and URLs."""

    __tablename__ = "study"

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    is_demo: Mapped[bool] = mapped_column(default=False, server_default="false")


class ProtocolVersion(Created, Base):
    """Thresholds, expected scans and remedies that applied from a moment on. Never changed, only followed."""

    __tablename__ = "protocol_version"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    effective_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(default="", server_default="")
    document: Mapped[dict[str, Any]]
    """What core.policy.protocol.Protocol reads and writes."""
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """None: the program, or an operator's command."""


class Site(Deactivated, Created, Base):
    """A clinic's part in one study.

    A clinic that takes part in two studies is two sites: so a site's scope is also its study's, and row-level
    security needs one column.
    """

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("study_id", "code"),)

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    code: Mapped[str]
    name: Mapped[str]
    country: Mapped[str] = mapped_column(default="", server_default="")


class Device(Deactivated, SiteScoped, Created, Base):
    """One OCT machine, known by its serial number. Its software version changes; scans keep their own."""

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("site_id", "serial"), UniqueConstraint("site_id", "code"))

    id: Mapped[Id]
    code: Mapped[str]
    """Short name in manifests, unique within the site, e.g. ``S1-A``."""
    manufacturer: Mapped[str]
    model: Mapped[str]
    serial: Mapped[str]
    software_version: Mapped[str] = mapped_column(default="", server_default="")


class Technician(Deactivated, SiteScoped, Created, Base):
    """Who operated the device, by pseudonymous code. ``user_id`` where the person also logs in."""

    __tablename__ = "technician"
    __table_args__ = (UniqueConstraint("site_id", "code"),)

    id: Mapped[Id]
    code: Mapped[str]
    name: Mapped[str] = mapped_column(default="", server_default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))


class Annotation(Created, Base):
    """An event worth a mark on a trend: software update, protocol amendment, new technician, new model."""

    __tablename__ = "annotation"
    __table_args__ = (Index("ix_annotation_study_id_happened_at", "study_id", "happened_at"),)

    id: Mapped[Id]
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    happened_at: Mapped[datetime]
    kind: Mapped[str]
    text: Mapped[str]
    withdrawn_at: Mapped[datetime | None]
    """Taken back: made by mistake, and drawn no more."""
