"""What kinds of cases each unit was sent: decided first captures by scan type, age and diagnosis, and by visit.

Counts hold neither age nor diagnosis, so captures themselves are read: callers bound the period.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Integer, String, and_, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Device, Site
from core.statistics.clustering import ClusteredCount
from core.store.scan_filter import ScanFilter, beyond_count_conditions, capture_conditions
from core.store.unit import UnitKind

BAND_YEARS = 10


class CaseKind(NamedTuple):
    """What makes captures easy or hard: kind and field, decade of age, diagnosis; None where it was not given."""

    scan_type: str
    decade: int | None
    diagnosis: str | None


@dataclass(frozen=True, slots=True)
class UnitCases:
    """One unit's ungradable first captures, as sums over visits and as k of n per kind of case."""

    count: ClusteredCount
    kinds: Mapping[CaseKind, tuple[int, int]]


def read_case_mix(session: Session, chosen: ScanFilter, kind: UnitKind) -> dict[str, UnitCases]:
    """The cases of every unit of ``kind`` under ``chosen``, by the unit's key; units without any are left out.

    One statement, so that the sums by visit and by kind of case are of the same moment.
    """
    kinds: dict[str, dict[CaseKind, tuple[int, int]]] = defaultdict(dict)
    visits: dict[str, ClusteredCount] = {}
    for row in session.execute(_statement(chosen, kind)):
        if row.scan_type is None:
            visits[row.unit] = ClusteredCount(row.k, row.n, row.visits, row.kk, row.kn, row.nn)
        else:
            kinds[row.unit][CaseKind(row.scan_type, row.decade, row.diagnosis)] = (row.k, row.n)
    return {unit: UnitCases(count, kinds[unit]) for unit, count in visits.items()}


def _cells(chosen: ScanFilter, kind: UnitKind) -> CTE:
    """Captures of one visit and kind of case, as k of n: put together as stored, and only then put in words."""
    key = _key(kind)  # once: PostgreSQL must see the same parameters in SELECT and GROUP BY
    raw = (key, Acquisition.visit_id, Acquisition.scan_type, Acquisition.age_years, Acquisition.diagnosis)
    each = select(
        key.label("unit"), *raw[1:],
        func.count().filter(Acquisition.is_counted_gradable.is_(False)).label("k"), func.count().label("n"),
    )  # fmt: skip
    if kind in {UnitKind.MODEL, UnitKind.SOFTWARE}:
        each = each.join(Device, Device.id == Acquisition.device_id)
    found = each.where(*_conditions(chosen, kind)).group_by(*raw).subquery("each")
    return select(
        cast(found.c.unit, String).label("unit"), found.c.visit_id, found.c.scan_type,
        cast(func.floor(found.c.age_years / BAND_YEARS) * BAND_YEARS, Integer).label("decade"),
        func.nullif(func.lower(func.btrim(found.c.diagnosis)), "").label("diagnosis"), found.c.k, found.c.n,
    ).cte("cells")  # fmt: skip


def _statement(chosen: ScanFilter, kind: UnitKind) -> Any:
    cells = _cells(chosen, kind)
    visit = (
        select(cells.c.unit, cells.c.visit_id, func.sum(cells.c.k).label("k"), func.sum(cells.c.n).label("n"))
        .group_by(cells.c.unit, cells.c.visit_id)
        .subquery("visit")
    )

    def total(value: Any, name: str) -> Any:
        return cast(func.sum(value), Integer).label(name)

    by_kind = select(
        cells.c.unit, cells.c.scan_type, cells.c.decade, cells.c.diagnosis, total(cells.c.k, "k"),
        total(cells.c.n, "n"), *(literal(0).label(name) for name in ("visits", "kk", "kn", "nn")),
    ).group_by(cells.c.unit, cells.c.scan_type, cells.c.decade, cells.c.diagnosis)  # fmt: skip
    by_visit = select(
        visit.c.unit, cast(null(), String), cast(null(), Integer), cast(null(), String), total(visit.c.k, "k"),
        total(visit.c.n, "n"), cast(func.count(), Integer), total(visit.c.k * visit.c.k, "kk"),
        total(visit.c.k * visit.c.n, "kn"), total(visit.c.n * visit.c.n, "nn"),
    ).group_by(visit.c.unit)  # fmt: skip
    return union_all(by_kind, by_visit)


def _key(kind: UnitKind) -> ColumnElement[Any]:
    """What, as text, is the unit's key as core.store.unit has it."""
    match kind:
        case UnitKind.SITE:
            return Acquisition.site_id.expression
        case UnitKind.DEVICE:
            return Acquisition.device_id.expression
        case UnitKind.TECHNICIAN:
            return Acquisition.technician_id.expression
        case UnitKind.MODEL:
            return Device.model.expression
        case UnitKind.SOFTWARE:
            return Device.model + "|" + Acquisition.software_version


def _conditions(chosen: ScanFilter, kind: UnitKind) -> list[ColumnElement[bool]]:
    """Decided first captures under the filter, asked of the acquisition alone."""
    conditions = [
        Acquisition.is_counted_decided,
        Acquisition.replaces_id.is_(None),
        Acquisition.is_phantom.is_(False),
        *capture_conditions(chosen.countable),
        *beyond_count_conditions(chosen),
    ]
    if chosen.site_id is not None:
        conditions.append(Acquisition.site_id == chosen.site_id)
    elif chosen.study_id is not None:
        conditions.append(Acquisition.site_id.in_(select(Site.id).where(Site.study_id == chosen.study_id)))
    else:
        # All sites that the person may see, by name: so the index of (site, time) serves.
        conditions.append(Acquisition.site_id.in_(select(Site.id)))
    if kind is UnitKind.TECHNICIAN:
        conditions.append(Acquisition.technician_id.is_not(None))
    return [and_(*conditions)]
