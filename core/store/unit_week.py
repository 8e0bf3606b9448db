"""Ungradable captures of patient visits week by week, for one selection and for every unit of a kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount
from core.statistics.control_chart import Period
from core.store.cell_week import CellWeeks, read_visit_weeks
from core.store.packed import N_VISIT_SUMS
from core.store.rate_sum import WEEK, Grain
from core.store.scan_filter import ScanFilter
from core.store.unit import Cell, Cells, Unit, UnitKind, cell_at, grain_of, list_units
from core.vocabulary import RateMeasure


@dataclass(frozen=True, slots=True)
class UnitWeeks:
    """A unit with its weeks (Monday to Sunday, UTC) in order of time; weeks without a decided capture are left out."""

    unit: Unit
    weeks: tuple[Period, ...]


def read_weeks(session: Session, chosen: ScanFilter) -> tuple[Period, ...]:
    """The weeks of everything under ``chosen`` together."""
    return as_periods(add_weeks(read_visit_weeks(session, chosen, Grain.SITE)))


def read_unit_weeks(session: Session, chosen: ScanFilter, kind: UnitKind) -> tuple[UnitWeeks, ...]:
    """The weeks of every unit of ``kind`` under ``chosen`` of which anything was decided, by label."""
    by_cell: dict[Cell, list[CellWeeks]] = defaultdict(list)
    for weeks in read_visit_weeks(session, chosen, grain_of(kind)):
        by_cell[cell_at(weeks.place, kind)].append(weeks)
    cells = Cells(tuple((cell, RateMeasure.VISITS.value, "", 1) for cell in by_cell))
    found = [
        UnitWeeks(unit, as_periods(add_weeks([weeks for cell in cells_of for weeks in by_cell.get(cell, ())])))
        for unit, cells_of in list_units(session, chosen, kind, cells)
    ]
    return tuple(sorted((each for each in found if each.weeks), key=lambda each: each.unit.label))


def add_weeks(parts: Sequence[CellWeeks]) -> dict[date, ClusteredCount]:
    """Several places' weeks together, by Monday; weeks without a decided capture are left out."""
    if not parts:
        return {}
    starts_on = min(part.starts_on for part in parts)
    ends_on = max(part.starts_on + WEEK * len(part.counts) for part in parts)
    counts = np.zeros(((ends_on - starts_on) // WEEK, N_VISIT_SUMS), np.int64)
    for part in parts:
        offset = (part.starts_on - starts_on) // WEEK
        counts[offset : offset + len(part.counts)] += part.counts
    return {starts_on + WEEK * week: ClusteredCount(*sums) for week, sums in enumerate(counts.tolist()) if sums[1]}


def as_periods(sums: Mapping[date, ClusteredCount]) -> tuple[Period, ...]:
    """Counts by Monday as periods in order of time."""
    return tuple(
        Period(week_on, week_on + timedelta(days=6), count) for week_on, count in sorted(sums.items()) if count.n
    )
