"""Ungradable captures of patient visits week by week, for one selection and for every unit of a kind."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, cast, func, select
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
    statement = (
        select(counts.week_on, counts.detail, cast(func.sum(counts.n), BigInteger))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(counts.week_on, counts.detail)
    )
    rows: Sequence[Sequence[Any]] = session.execute(statement).all()
    return as_periods(sum_visits((week_on, detail, n) for week_on, detail, n in rows))


def read_unit_weeks(session: Session, chosen: ScanFilter, kind: UnitKind) -> tuple[UnitWeeks, ...]:
    """The weeks of every unit of ``kind`` under ``chosen`` of which anything was decided, by label."""
    counts = all_counts().c
    keys: list[ColumnElement[Any]] = [*cell_columns(kind, counts), counts.week_on, counts.detail]
    statement = (
        select(*keys, cast(func.sum(counts.n), BigInteger))
        .where(visits_counted(chosen, counts), *count_conditions(chosen, counts))
        .group_by(*keys)
    )
    by_cell: dict[Cell, list[tuple[date, str, int]]] = defaultdict(list)
    rows: Sequence[Sequence[Any]] = session.execute(statement).all()
    for id_, version, week_on, detail, n in rows:
        by_cell[id_, version].append((week_on, detail, n))
    cells = Cells(tuple((cell, RateMeasure.VISITS.value, "", 1) for cell in by_cell))
    found = [
        UnitWeeks(unit, as_periods(sum_visits(row for cell in cells_of for row in by_cell.get(cell, ()))))
        for unit, cells_of in list_units(session, chosen, kind, cells)
    ]
    return tuple(sorted((each for each in found if each.weeks), key=lambda each: each.unit.label))


Key = TypeVar("Key", bound=Hashable)


def sum_visits(rows: Iterable[tuple[Key, str, int]]) -> dict[Key, ClusteredCount]:
    """(key, composition of a visit, how many) as one count of the ungradable per key.

    Summed up as plain numbers first: a page of many units has a hundred thousand such rows.
    """
    sums: dict[Key, list[int]] = {}
    for key, detail, n in rows:
        found = sums.get(key)
        if found is None:
            found = sums[key] = [0] * 6
        for place, weight in enumerate(_weights(detail)):
            found[place] += n * weight
    return {key: ClusteredCount(*found) for key, found in sums.items()}


@cache
def _weights(detail: str) -> tuple[int, ...]:
    """What one visit of a composition adds to each of the six sums."""
    one = poor_visits(detail, 1)
    return one.k, one.n, one.n_clusters, one.kk, one.kn, one.nn


def as_periods(sums: Mapping[date, ClusteredCount]) -> tuple[Period, ...]:
    """Counts by Monday as periods in order of time."""
    return tuple(
        Period(week_on, week_on + timedelta(days=6), count) for week_on, count in sorted(sums.items()) if count.n
    )
