"""Who and what may take scans of a kind: certificates of technicians and devices, their evidence and every move."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped

_ASKED = "state in ('requested', 'under_review')"
_HELD = "state in ('certified', 'recheck_due')"


class Certificate(SiteScoped, Created, Base):
    """One asking for a certificate and what became of it. A renewal is another row; the old one holds until then.

    Whether it is expired follows from ``expires_on``; whether it is suspended, from an open suspension of its holder
    (Action): neither is written here.
    """

    __tablename__ = "certificate"
    __table_args__ = (
        Index("uq_certificate_asked_device", "device_id", "kind", unique=True, postgresql_where=text(_ASKED)),
        Index("uq_certificate_asked_technician", "technician_id", "kind", unique=True, postgresql_where=text(_ASKED)),
        Index("uq_certificate_held_device", "device_id", "kind", unique=True, postgresql_where=text(_HELD)),
        Index("uq_certificate_held_technician", "technician_id", "kind", unique=True, postgresql_where=text(_HELD)),
        Index("ix_certificate_device_id_kind", "device_id", "kind"),
        Index("ix_certificate_technician_id_kind", "technician_id", "kind"),
        CheckConstraint(
            "state in ('requested', 'under_review', 'certified', 'refused', 'recheck_due', 'replaced')", name="state"
        ),
        CheckConstraint("(device_id is null) <> (technician_id is null)", name="holder"),
        CheckConstraint("device_id is not null or (serial = '' and software_version = '')", name="software_version"),
        CheckConstraint(
            "(state in ('certified', 'recheck_due', 'replaced')) = (certified_at is not null)", name="certified_at"
        ),
        CheckConstraint("(certified_at is null) = (expires_on is null)", name="expires_on"),
        CheckConstraint("(state in ('refused', 'recheck_due', 'replaced')) = (ended_at is not null)", name="ended_at"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    """ScanKind that it is for."""
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("technician.id"))
    serial: Mapped[str] = mapped_column(default="", server_default="")
    """Of a device: its serial number when it was asked for."""
    software_version: Mapped[str] = mapped_column(default="", server_default="")
    """Of a device: the software that it is for; another one needs a new check."""
    state: Mapped[str]
    """CertificateState."""
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """None: the program, after a software change."""
    certified_at: Mapped[datetime | None]
    """From this moment on captures count as taken under it."""
    expires_on: Mapped[date | None]
    """The last day on which it holds."""
    ended_at: Mapped[datetime | None]
    """From this moment on it holds no longer: refused, replaced, or the capture with another software version."""


class CertificateEvidence(SiteScoped, Created, Base):
    """A scan that shows what its holder can do."""

    __tablename__ = "certificate_evidence"

    certificate_id: Mapped[int] = mapped_column(ForeignKey("certificate.id"), primary_key=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"), primary_key=True, index=True)
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))


class CertificateStep(SiteScoped, Created, Base):
    """One move of a certificate: who, when, why. Never changed."""

    __tablename__ = "certificate_step"
    __table_args__ = (UniqueConstraint("certificate_id", "number"),)

    id: Mapped[Id]
    certificate_id: Mapped[int] = mapped_column(ForeignKey("certificate.id"))
    number: Mapped[int]
    state: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    """None: the program."""
    note: Mapped[str] = mapped_column(default="", server_default="")
