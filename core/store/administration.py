"""Studies, sites, devices, technicians, protocol versions and annotations: what the Admin page lists and adds.

Whoever asks sees what row-level security leaves; nothing here filters by person.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Annotation, Device, ProtocolVersion, Site, Study, Technician, User


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study with how much hangs on it."""

    id: int
    code: str
    name: str
    is_demo: bool
    created_at: datetime
    n_sites: int


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site of a study."""

    id: int
    code: str
    name: str
    country: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device with the code of its site."""

    id: int
    site_id: int
    site_code: str
    code: str
    manufacturer: str
    model: str
    serial: str
    software_version: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class TechnicianRow:
    """One technician with the code of the site; ``user_id`` where the person also logs in."""

    id: int
    site_id: int
    site_code: str
    code: str
    name: str
    user_id: int | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One protocol version as stored. ``published_by`` is empty for the program and the operator's commands."""

    id: int
    number: int
    effective_at: datetime
    note: str
    document: dict[str, Any]
    published_by: str = ""


def list_studies(session: Session) -> list[StudyRow]:
    """Every study in sight, by code."""
    rows = session.execute(
        select(Study.id, Study.code, Study.name, Study.is_demo, Study.created_at, func.count(Site.id).label("n_sites"))
        .outerjoin(Site, Site.study_id == Study.id)
        .group_by(Study.id)
        .order_by(Study.code)
    )
    return [StudyRow(*row) for row in rows]


def find_study(session: Session, code: str) -> StudyRow | None:
    """The study with this code, if it is in sight."""
    return next((study for study in list_studies(session) if study.code == code), None)


def list_sites(session: Session, study_id: int) -> list[SiteRow]:
    """A study's sites, by code."""
    rows = session.execute(
        select(Site.id, Site.code, Site.name, Site.country, Site.deactivated_at.is_(None))
        .where(Site.study_id == study_id)
        .order_by(Site.code)
    )
    return [SiteRow(*row) for row in rows]


def study_of_site(session: Session, site_id: int) -> int | None:
    """The id of the site's study; None where the site is not in sight."""
    return session.scalar(select(Site.study_id).where(Site.id == site_id))


def list_devices(session: Session, study_id: int) -> list[DeviceRow]:
    """A study's devices, by site and code."""
    rows = session.execute(
        select(
            Device.id, Device.site_id, Site.code, Device.code, Device.manufacturer, Device.model, Device.serial,
            Device.software_version, Device.deactivated_at.is_(None),
        )
        .join(Site, Site.id == Device.site_id)
        .where(Site.study_id == study_id)
        .order_by(Site.code, Device.code)
    )  # fmt: skip
    return [DeviceRow(*row) for row in rows]


def list_technicians(session: Session, study_id: int) -> list[TechnicianRow]:
    """A study's technicians, by site and code."""
    rows = session.execute(
        select(
            Technician.id, Technician.site_id, Site.code, Technician.code, Technician.name, Technician.user_id,
            Technician.deactivated_at.is_(None),
        )
        .join(Site, Site.id == Technician.site_id)
        .where(Site.study_id == study_id)
        .order_by(Site.code, Technician.code)
    )  # fmt: skip
    return [TechnicianRow(*row) for row in rows]


def list_protocol_versions(session: Session, study_id: int) -> list[ProtocolRow]:
    """A study's protocol versions, newest first."""
    rows = session.execute(
        select(
            ProtocolVersion.id, ProtocolVersion.number, ProtocolVersion.effective_at, ProtocolVersion.note,
            ProtocolVersion.document, func.coalesce(User.display_name, ""),
        )
        .outerjoin(User, User.id == ProtocolVersion.published_by_id)
        .where(ProtocolVersion.study_id == study_id)
        .order_by(ProtocolVersion.number.desc())
    )  # fmt: skip
    return [ProtocolRow(*row) for row in rows]


def insert_study(session: Session, *, code: str, name: str, is_demo: bool) -> int:
    """Add a study; its id."""
    return _insert(session, Study(code=code, name=name, is_demo=is_demo))


def insert_site(session: Session, *, study_id: int, code: str, name: str, country: str) -> int:
    """Add a site; its id."""
    return _insert(session, Site(study_id=study_id, code=code, name=name, country=country))


def insert_device(
    session: Session, *, site_id: int, code: str, manufacturer: str, model: str, serial: str, software_version: str
) -> int:
    """Add a device; its id."""
    device = Device(
        site_id=site_id, code=code, manufacturer=manufacturer, model=model, serial=serial,
        software_version=software_version,
    )  # fmt: skip
    return _insert(session, device)


def insert_technician(session: Session, *, site_id: int, code: str, name: str, user_id: int | None) -> int:
    """Add a technician; its id."""
    return _insert(session, Technician(site_id=site_id, code=code, name=name, user_id=user_id))


def insert_protocol_version(
    session: Session,
    *,
    study_id: int,
    number: int,
    effective_at: datetime,
    note: str,
    document: dict[str, Any],
    published_by_id: int | None = None,
) -> int:
    """Add a protocol version; its id."""
    version = ProtocolVersion(
        study_id=study_id, number=number, effective_at=effective_at, note=note, document=document,
        published_by_id=published_by_id,
    )  # fmt: skip
    return _insert(session, version)


def insert_annotation(
    session: Session,
    *,
    study_id: int,
    happened_at: datetime,
    kind: str,
    text: str,
    site_id: int | None = None,
    device_id: int | None = None,
) -> int:
    """Add a mark for the trends; its id."""
    annotation = Annotation(
        study_id=study_id, site_id=site_id, device_id=device_id, happened_at=happened_at, kind=kind, text=text
    )
    return _insert(session, annotation)


def has_captures(session: Session, site_id: int) -> bool:
    """Whether a site has taken any scan."""
    return bool(session.scalar(select(exists().where(Acquisition.site_id == site_id))))


def lock_device(session: Session, device_id: int) -> Device | None:
    """The device's row, locked until the transaction ends; None where it is not in sight."""
    return session.get(Device, device_id, with_for_update=True)


def _insert(session: Session, row: Study | Site | Device | Technician | ProtocolVersion | Annotation) -> int:
    session.add(row)
    session.flush()
    return row.id
