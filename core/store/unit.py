"""Counts by unit of comparison: site, device, model, software version or technician, with its visits and patients."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Device, Site, Technician
from core.statistics.clustering import ClusteredCount
from core.store.cell_count import Place, read_cell_counts, read_cell_table
from core.store.packed import visit_sums
from core.store.rate_sum import Grain
from core.store.scan_filter import ScanFilter
from core.store.tally import TALLIED, Tally, probe_patients
from core.vocabulary import RateMeasure


class UnitKind(StrEnum):
    """What is compared with what."""

    SITE = "site"
    DEVICE = "device"
    MODEL = "model"
    SOFTWARE = "software"
    TECHNICIAN = "technician"


@dataclass(frozen=True, slots=True)
class Unit:
    """One site, device, model, software version or technician, and the filter that shows it alone.

    ``key`` is unique among the units of its kind; ``within`` is a ScanFilter with nothing but the unit.
    """

    key: str
    label: str
    name: str
    within: ScanFilter
    site_code: str | None = None


@dataclass(frozen=True, slots=True)
class UnitCount:
    """What was counted of a unit. ``poor`` are ungradable first captures in patient visits, as sums over visits."""

    unit: Unit
    tally: Tally
    poor: ClusteredCount
    patients: int
    """Exact below the probe's reach and a lower bound above it."""


def read_units(session: Session, chosen: ScanFilter, kind: UnitKind) -> tuple[UnitCount, ...]:
    """The units of ``kind`` under ``chosen``, by label; units of which nothing was counted have empty counts."""
    cells = _read_cells(session, chosen, kind)
    units = list_units(session, chosen, kind, cells)
    patients = _read_patients(session, chosen, kind, cells)
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    poor: dict[str, ClusteredCount] = defaultdict(ClusteredCount)
    key_of = {cell: unit.key for unit, cells_of in units for cell in cells_of}
    for cell, measure, detail, n in cells.rows:
        if (key := key_of.get(cell)) is None:
            continue
        if measure == RateMeasure.VISITS:
            poor[key] += poor_visits(detail, n)
        else:
            tallies[key][measure] += n
    found = [
        UnitCount(
            unit,
            Tally(**tallies[unit.key]),
            poor[unit.key],
            max((patients.get(cell, 0) for cell in cells_of), default=0),
        )
        for unit, cells_of in units
    ]
    return tuple(sorted(found, key=lambda count: count.unit.label))


def read_poor(session: Session, chosen: ScanFilter, kind: UnitKind) -> list[ClusteredCount]:
    """The ungradable of every cell of a kind, without asking what its units are called and how many patients it has."""
    poor: dict[Cell, ClusteredCount] = defaultdict(ClusteredCount)
    table = read_cell_table(session, chosen, grain_of(kind), (RateMeasure.VISITS,))
    for place, sums in zip(table.places, table.visit_sums().sum(axis=1).tolist(), strict=True):
        if (found := ClusteredCount(*sums)).n:
            poor[cell_at(place, kind)] += found
    return list(poor.values())


def poor_visits(detail: str, n: int) -> ClusteredCount:
    """``n`` visits of one composition, e.g. ``3/2`` (three decided, two gradable), as counts of the ungradable."""
    return ClusteredCount(*(n * each for each in visit_sums(detail)))


Cell = tuple[int | None, str]
"""(site, device or technician id, software version); the version is empty unless versions are compared."""


@dataclass(frozen=True, slots=True)
class Cells:
    """What was counted by the finest group that a kind of unit needs."""

    rows: tuple[tuple[Cell, str, str, int], ...]
    """(cell, measure, detail, n)."""

    @property
    def keys(self) -> set[Cell]:
        """Every cell of which anything was counted."""
        return {cell for cell, *_ in self.rows}


GRAINS = {UnitKind.SITE: Grain.SITE, UnitKind.TECHNICIAN: Grain.TECHNICIAN, UnitKind.SOFTWARE: Grain.SOFTWARE}
"""How finely a kind of unit must be counted; the others by device."""


def grain_of(kind: UnitKind) -> Grain:
    """How finely the counts of a kind of unit must be read."""
    return GRAINS.get(kind, Grain.DEVICE)


def cell_at(place: Place, kind: UnitKind) -> Cell:
    """The cell that a place of the counts belongs to."""
    id_ = {UnitKind.SITE: place.site_id, UnitKind.TECHNICIAN: place.technician_id}.get(kind, place.device_id)
    return id_, place.software_version or ""


def list_units(
    session: Session, chosen: ScanFilter, kind: UnitKind, cells: Cells
) -> list[tuple[Unit, tuple[Cell, ...]]]:
    """The units of a kind, each with the cells that it consists of; sites are listed without any count, too."""
    return _LISTED[kind](session, chosen, cells)


def _read_cells(session: Session, chosen: ScanFilter, kind: UnitKind) -> Cells:
    counted = read_cell_counts(session, chosen, grain_of(kind), (*TALLIED, RateMeasure.VISITS))
    return Cells(tuple((cell_at(each.place, kind), each.measure, each.detail, each.n) for each in counted))


def _read_patients(session: Session, chosen: ScanFilter, kind: UnitKind, cells: Cells) -> dict[Cell, int]:
    column = {UnitKind.SITE: Acquisition.site_id, UnitKind.TECHNICIAN: Acquisition.technician_id}.get(
        kind, Acquisition.device_id
    )
    found: dict[Cell, int] = {}
    for version in sorted({version for _, version in cells.keys}):
        ids = sorted(id_ for id_, other in cells.keys if other == version and id_ is not None)
        narrowed = [Acquisition.software_version == version] if kind is UnitKind.SOFTWARE else []
        counted = probe_patients(session, chosen, column, ids, *narrowed)
        found |= {(id_, version): n for id_, n in counted.items()}
    return found


_Listed = list[tuple[Unit, tuple[Cell, ...]]]


def _list_sites(session: Session, chosen: ScanFilter, _: Cells) -> _Listed:
    statement = select(Site.id, Site.code, Site.name)
    if chosen.site_id is not None:
        statement = statement.where(Site.id == chosen.site_id)
    if chosen.study_id is not None:
        statement = statement.where(Site.study_id == chosen.study_id)
    return [
        (Unit(str(id_), code, name, ScanFilter(site_id=id_), code), ((id_, ""),))
        for id_, code, name in session.execute(statement)
    ]


def _list_technicians(session: Session, _: ScanFilter, cells: Cells) -> _Listed:
    ids = [id_ for id_, _ in cells.keys if id_ is not None]
    rows = session.execute(
        select(Technician.id, Technician.code, Technician.name, Site.code)
        .join(Site, Site.id == Technician.site_id)
        .where(Technician.id.in_(ids))
    )
    return [
        (Unit(str(id_), code, name, ScanFilter(technician_id=id_), site), ((id_, ""),))
        for id_, code, name, site in rows
    ]


def _list_devices(session: Session, _: ScanFilter, cells: Cells) -> _Listed:
    return [
        (
            Unit(
                str(row.id),
                row.code,
                f"{row.manufacturer} {row.model} · serial {row.serial}".strip(),
                ScanFilter(device_id=row.id),
                row.site_code,
            ),
            ((row.id, ""),),
        )
        for row in _read_devices(session, cells)
    ]


def _list_models(session: Session, _: ScanFilter, cells: Cells) -> _Listed:
    by_model: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in _read_devices(session, cells):
        by_model[row.model].append(row)
    return [
        (
            Unit(model, model, f"{_makers(rows)} · {_devices(rows)}", ScanFilter(device_model=model)),
            tuple((row.id, "") for row in rows),
        )
        for model, rows in by_model.items()
    ]


def _list_versions(session: Session, _: ScanFilter, cells: Cells) -> _Listed:
    devices = {row.id: row for row in _read_devices(session, cells)}
    by_version: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for id_, version in sorted(cells.keys, key=str):
        if id_ in devices:
            by_version[devices[id_].model, version].append((id_, version))
    return [
        (
            Unit(
                f"{model}|{version}",
                f"{model} · {version or 'version not stated'}",
                f"{_makers([devices[id_] for id_, _ in found if id_ is not None])} · {_devices(found)}",
                ScanFilter(device_model=model, software_version=version),
            ),
            tuple(found),
        )
        for (model, version), found in by_version.items()
    ]


def _read_devices(session: Session, cells: Cells) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.execute(
        select(Device.id, Device.code, Device.manufacturer, Device.model, Device.serial, Site.code.label("site_code"))
        .join(Site, Site.id == Device.site_id)
        .where(Device.id.in_([id_ for id_, _ in cells.keys if id_ is not None]))
    ).all()


def _makers(rows: Iterable[Row[Any]]) -> str:
    return ", ".join(sorted({row.manufacturer for row in rows}))


def _devices(found: Sequence[object]) -> str:
    return f"{len(found)} device{'' if len(found) == 1 else 's'}"


_LISTED = {
    UnitKind.SITE: _list_sites,
    UnitKind.DEVICE: _list_devices,
    UnitKind.MODEL: _list_models,
    UnitKind.SOFTWARE: _list_versions,
    UnitKind.TECHNICIAN: _list_technicians,
}
