"""Ungradable captures of patient visits week by week, for one selection and for every unit of a kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount
from core.statistics.control_chart import Period
from core.store.rate import all_counts
from core.store.scan_filter import ScanFilter, count_conditions
from core.store.unit import Cell, Cells, Unit, UnitKind, cell_columns, list_units, poor_visits, visits_counted
from core.vocabulary import RateMeasure


@dataclass(frozen=True, slots=True)
class UnitWeeks:
    """A unit with its weeks (Monday to Sunday, UTC) in order of time; weeks without a decided capture are left out."""

    unit: Unit
    weeks: tuple[Period, ...]


def read_weeks(session: Session, chosen: ScanFilter) -> tuple[Period, ...]:
    """The weeks of everything under ``chosen`` together."""
    counts = all_counts().c
    keys = (counts.week_on, counts.detail)
    statement = (
        select(*keys, func.sum(counts.n))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(*keys)
    )
    return weeks_of((week_on, detail, int(n)) for week_on, detail, n in session.execute(statement))


def read_unit_weeks(session: Session, chosen: ScanFilter, kind: UnitKind) -> tuple[UnitWeeks, ...]:
    """The weeks of every unit of ``kind`` under ``chosen`` of which anything was decided, by label."""
    counts = all_counts().c
    keys: list[ColumnElement[Any]] = [*cell_columns(kind, counts), counts.week_on, counts.detail]
    statement = (
        select(*keys, func.sum(counts.n))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(*keys)
    )
    rows: dict[Cell, list[tuple[date, str, int]]] = defaultdict(list)
    found_rows: Sequence[Sequence[Any]] = session.execute(statement).all()
    for id_, version, week_on, detail, n in found_rows:
        if n:
            rows[id_, version].append((week_on, detail, int(n)))
    cells = Cells(tuple((cell, RateMeasure.VISITS.value, "", 1) for cell in rows))
    found = [
        UnitWeeks(unit, weeks_of(row for cell in cells_of for row in rows.get(cell, ())))
        for unit, cells_of in list_units(session, chosen, kind, cells)
    ]
    return tuple(sorted((each for each in found if each.weeks), key=lambda each: each.unit.label))


def weeks_of(rows: Iterable[tuple[date, str, int]]) -> tuple[Period, ...]:
    """(week, composition of a visit, how many) summed up by week."""
    sums: dict[date, ClusteredCount] = defaultdict(ClusteredCount)
    for week_on, detail, n in rows:
        if n:
            sums[week_on] += poor_visits(detail, n)
    return as_periods(sums)


def as_periods(sums: Mapping[date, ClusteredCount]) -> tuple[Period, ...]:
    """Counts by Monday as periods in order of time."""
    return tuple(
        Period(week_on, week_on + timedelta(days=6), count) for week_on, count in sorted(sums.items()) if count.n
    )
