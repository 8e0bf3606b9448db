"""Studies, sites, devices and technicians as an administrator changes them: what of a row may change, old and new.

Codes and serials that name a thing in manifests stay; what row-level security lets a person change is in the policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Device, Site, Study, Technician


class Place(StrEnum):
    """What an administrator sets up and may change later. The values name it in the audit trail."""

    STUDY = "study"
    SITE = "site"
    DEVICE = "device"
    TECHNICIAN = "technician"


_Row = Study | Site | Device | Technician
_TABLES: dict[Place, type[_Row]] = {
    Place.STUDY: Study, Place.SITE: Site, Place.DEVICE: Device, Place.TECHNICIAN: Technician,
}  # fmt: skip
CHANGEABLE: dict[Place, tuple[str, ...]] = {
    Place.STUDY: ("name",),
    Place.SITE: ("name", "country"),
    Place.DEVICE: ("manufacturer", "model", "serial"),
    Place.TECHNICIAN: ("name", "user_id"),
}
"""Columns that may be corrected. A device's software version is not among them: scans keep the one they were taken
with, and a new one is an update with a moment of its own (core.usecases.administer_study)."""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One row under lock. ``site_id`` is None for a study."""

    place: Place
    id: int
    code: str
    study_id: int
    site_id: int | None
    is_active: bool
    values: Mapping[str, Any]
    """The columns that may change, as they are."""


def lock_place(session: Session, place: Place, row_id: int) -> PlaceRow | None:
    """The row, locked until the transaction ends; None where there is none that this session may change."""
    row = cast("_Row | None", session.get(_TABLES[place], row_id, with_for_update=True))
    if row is None:
        return None
    values = {name: getattr(row, name) for name in CHANGEABLE[place]}
    if isinstance(row, Study):
        return PlaceRow(place, row.id, row.code, row.id, None, is_active=True, values=values)
    site_id = row.id if isinstance(row, Site) else row.site_id
    study_id = session.scalars(select(Site.study_id).where(Site.id == site_id)).one()
    return PlaceRow(place, row.id, row.code, study_id, site_id, is_active=row.deactivated_at is None, values=values)


def write_place(session: Session, row: PlaceRow, values: Mapping[str, Any]) -> None:
    """Write changed columns; IntegrityError where a value must be unique and is not."""
    assert values.keys() <= set(CHANGEABLE[row.place]), values
    found = cast("_Row", session.get_one(_TABLES[row.place], row.id))
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()


def write_activity(session: Session, row: PlaceRow, *, is_active: bool) -> None:
    """Deactivate or activate a site, device or technician."""
    found = cast("_Row", session.get_one(_TABLES[row.place], row.id))
    assert not isinstance(found, Study), "a study is not deactivated"
    found.deactivated_at = None if is_active else now()
    session.flush()
