"""What kinds of cases each unit was sent: decided first captures by scan type, age and diagnosis, and by visit.

Counts hold neither age nor diagnosis, so captures themselves are read: callers bound the period.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Integer, String, and_, cast, func, literal, null, select, tuple_, union_all
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
    """Captures as k of n, by visit and by kind of case as stored (``is_kind`` 0 and 1), in one walk."""
    each = select(
        _key(kind).label("unit"), Acquisition.visit_id, Acquisition.scan_type, Acquisition.age_years,
        Acquisition.diagnosis, Acquisition.is_counted_gradable,
    )  # fmt: skip
    if kind in {UnitKind.MODEL, UnitKind.SOFTWARE}:
        each = each.join(Device, Device.id == Acquisition.device_id)
    c = each.where(*_conditions(chosen, kind)).subquery("each").c
    sets = tuple_(c.unit, c.visit_id), tuple_(c.unit, c.scan_type, c.age_years, c.diagnosis)
    return (
        select(
            c.unit, c.visit_id, c.scan_type, c.age_years, c.diagnosis, func.grouping(c.visit_id).label("is_kind"),
            func.count().filter(c.is_counted_gradable.is_(False)).label("k"), func.count().label("n"),
        )
        .group_by(func.grouping_sets(*sets))
        .cte("cells")
    )  # fmt: skip


def _statement(chosen: ScanFilter, kind: UnitKind) -> Any:
    c = _cells(chosen, kind).c
    unit = cast(c.unit, String).label("unit")
    diagnosis = func.nullif(func.lower(func.btrim(c.diagnosis)), "").label("diagnosis")
    decade = cast(func.floor(c.age_years / BAND_YEARS) * BAND_YEARS, Integer).label("decade")

    def total(value: Any, name: str) -> Any:
        return cast(func.sum(value), Integer).label(name)

    worded = select(unit, c.scan_type, decade, diagnosis, c.k, c.n).where(c.is_kind == 1).subquery("worded").c
    kinds = (worded.unit, worded.scan_type, worded.decade, worded.diagnosis)
    by_kind = select(
        *kinds, total(worded.k, "k"), total(worded.n, "n"),
        *(literal(0).label(name) for name in ("visits", "kk", "kn", "nn")),
    ).group_by(*kinds)  # fmt: skip
    by_visit = (
        select(
            unit, cast(null(), String), cast(null(), Integer), cast(null(), String), total(c.k, "k"), total(c.n, "n"),
            cast(func.count(), Integer), total(c.k * c.k, "kk"), total(c.k * c.n, "kn"), total(c.n * c.n, "nn"),
        )
        .where(c.is_kind == 0)
        .group_by(c.unit)
    )  # fmt: skip
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
