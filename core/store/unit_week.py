"""Ungradable captures of patient visits week by week, for one selection and for every unit of a kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from core.statistics.clustering import ClusteredCount
from core.statistics.control_chart import Period
from core.store.rate import all_counts
from core.store.scan_filter import ScanFilter, count_conditions
from core.store.unit import Cell, Cells, Unit, UnitKind, cell_columns, list_units, visits_counted
from core.vocabulary import RateMeasure


@dataclass(frozen=True, slots=True)
class UnitWeeks:
    """A unit with its weeks (Monday to Sunday, UTC) in order of time; weeks without a decided capture are left out."""

    unit: Unit
    weeks: tuple[Period, ...]


def read_weeks(session: Session, chosen: ScanFilter) -> tuple[Period, ...]:
    """The weeks of everything under ``chosen`` together."""
    counts = all_counts().c
    statement = (
        select(counts.week_on, *poor_sums(counts))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(counts.week_on)
    )
    rows: Sequence[Sequence[Any]] = session.execute(statement).all()
    return as_periods({week_on: clustered(sums) for week_on, *sums in rows})


def read_unit_weeks(session: Session, chosen: ScanFilter, kind: UnitKind) -> tuple[UnitWeeks, ...]:
    """The weeks of every unit of ``kind`` under ``chosen`` of which anything was decided, by label."""
    counts = all_counts().c
    keys: list[ColumnElement[Any]] = [*cell_columns(kind, counts), counts.week_on]
    statement = (
        select(*keys, *poor_sums(counts))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(*keys)
    )
    by_cell: dict[Cell, list[tuple[date, ClusteredCount]]] = defaultdict(list)
    rows: Sequence[Sequence[Any]] = session.execute(statement).all()
    for id_, version, week_on, *sums in rows:
        by_cell[id_, version].append((week_on, clustered(sums)))
    cells = Cells(tuple((cell, RateMeasure.VISITS.value, "", 1) for cell in by_cell))
    found = []
    for unit, cells_of in list_units(session, chosen, kind, cells):
        weeks: dict[date, ClusteredCount] = defaultdict(ClusteredCount)
        for cell in cells_of:
            for week_on, count in by_cell.get(cell, ()):
                weeks[week_on] += count
        found.append(UnitWeeks(unit, as_periods(weeks)))
    return tuple(sorted((each for each in found if each.weeks), key=lambda each: each.unit.label))


def poor_sums(counts: ReadOnlyColumnCollection[str, Any]) -> list[ColumnElement[Any]]:
    """The six sums of a ClusteredCount over visits, in the order of its fields; the rows must be visits.

    Summed up in the database: one row per week instead of one per composition.
    """
    decided = cast(func.split_part(counts.detail, "/", 1), BigInteger)
    poor = decided - cast(func.split_part(counts.detail, "/", 2), BigInteger)
    weights = (poor, decided, literal(1), poor * poor, poor * decided, decided * decided)
    return [func.sum(counts.n * weight) for weight in weights]


def clustered(sums: Sequence[Any]) -> ClusteredCount:
    """What ``poor_sums`` gave."""
    return ClusteredCount(*(int(each) for each in sums))


def as_periods(sums: Mapping[date, ClusteredCount]) -> tuple[Period, ...]:
    """Counts by Monday as periods in order of time."""
    return tuple(
        Period(week_on, week_on + timedelta(days=6), count) for week_on, count in sorted(sums.items()) if count.n
    )
