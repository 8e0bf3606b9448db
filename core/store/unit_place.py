"""Where a unit of comparison belongs: its study, its site where it lies in one, and the row that it is."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Device, Site, Study, Technician
from core.store.unit import UnitKind


@dataclass(frozen=True, slots=True)
class UnitPlace:
    """A unit with what it belongs to. ``site_id`` is None where it spans sites."""

    kind: UnitKind
    key: str
    label: str
    study_id: int
    site_id: int | None = None
    device_id: int | None = None
    technician_id: int | None = None


def find_unit(session: Session, kind: UnitKind, key: str, *, study_id: int | None) -> UnitPlace | None:
    """The unit of that key (core.store.unit.Unit.key); None where this session sees none.

    A model or software version names no study: ``study_id`` says which, or there is only one to be seen.
    """
    if kind in {UnitKind.MODEL, UnitKind.SOFTWARE}:
        return _spanning(session, kind, key, study_id)
    if not (key.isascii() and key.isdecimal()):
        return None
    id_ = int(key)
    if kind is UnitKind.SITE:
        site = session.execute(select(Site.code, Site.study_id).where(Site.id == id_)).one_or_none()
        return None if site is None else UnitPlace(kind, key, site.code, site.study_id, id_)
    table = Device if kind is UnitKind.DEVICE else Technician
    statement = select(table.code, table.site_id, Site.study_id).join(Site, Site.id == table.site_id)
    row = session.execute(statement.where(table.id == id_)).one_or_none()
    if row is None:
        return None
    device_id, technician_id = (id_, None) if kind is UnitKind.DEVICE else (None, id_)
    return UnitPlace(kind, key, row.code, row.study_id, row.site_id, device_id, technician_id)


def _spanning(session: Session, kind: UnitKind, key: str, study_id: int | None) -> UnitPlace | None:
    studies = [study_id] if study_id is not None else session.scalars(select(Study.id).limit(2)).all()
    model, _, version = key.partition("|")
    known = select(Device.id).join(Site, Site.id == Device.site_id)
    if (
        len(studies) != 1
        or not session.scalars(known.where(Site.study_id == studies[0], Device.model == model).limit(1)).all()
    ):
        return None
    label = model if kind is UnitKind.MODEL else f"{model} · {version or 'version not stated'}"
    return UnitPlace(kind, key, label, studies[0])
