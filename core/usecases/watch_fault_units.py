"""Every unit's trend of one fault, as ``watch_units`` has them of the ungradable: for the small multiples."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from math import ceil, sqrt

from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect, total
from core.statistics.control_chart import ChartKind, Period
from core.store.cell_count import Spans, read_cell_table
from core.store.example import Fault
from core.store.finding import ANY_DEVIATION
from core.store.rate_sum import WEEK
from core.store.scan_filter import ScanFilter
from core.store.unit import Cell, Cells, UnitKind, cell_at, grain_of, list_units
from core.store.unit_week import UnitWeeks, read_weeks
from core.usecases.watch_fault import FAULT_WORDS, WEEKS_OF_MANY
from core.usecases.watch_units import LOOKBACK, MOST_UNITS, SHARED_BASELINE, Trend, Watch, everything, watch
from core.vocabulary import RateMeasure, Severity

LATELY = timedelta(weeks=26)
"""Of more than ``MOST_UNITS`` units those with most evidence within this time are worked out."""
MOST_SUMS = 8_000
"""So many rows of sums are read; where units are many devices together, points hold more weeks for it."""


@dataclass
class _Counted:
    """Captures of one unit or stretch of time: in visits, and those with the fault."""

    poor: ClusteredCount = field(default_factory=ClusteredCount)
    faulty: int = 0

    @property
    def count(self) -> ClusteredCount:
        """The fault in the visits that it comes from; kk and kn are known of the ungradable alone."""
        return replace(self.poor, k=self.faulty, kk=0, kn=0)


def watch_fault_units(
    session: Session,
    chosen: ScanFilter,
    fault: Fault,
    kind: UnitKind,
    *,
    today: date,
    chart: ChartKind = ChartKind.LANEY,
) -> Watch:
    """The trends of ``fault`` of the units of ``kind`` under ``chosen``, whose period does not narrow them.

    As in ``watch_fault`` the design effect is that of the ungradable, and nobody signs a baseline.
    """
    end = today + timedelta(days=7 - today.weekday())
    lasting = replace(chosen, since=today - LOOKBACK, until=end)
    whole = everything(lasting)
    study_weeks = read_weeks(session, whole)
    if not study_weeks:
        return watch((), (), (), kind, chart)
    first, asked = study_weeks[0].starts_on, _Asked(kind, fault)
    lately = max(first, end - LATELY)
    by_cell = _read(session, lasting, asked, sorted({first, lately, end}))
    known = _cells(by_cell)
    listed = list_units(session, chosen, kind, Cells(tuple((cell, "", "", 1) for cell in known)))
    counted = [(unit, own) for unit, cells in listed if (own := [cell for cell in cells if cell in known])]
    design = design_effect([_sum(by_cell, own, (first, lately)).poor for _, own in counted])
    latest = [_sum(by_cell, own, (lately,)).count for _, own in counted]
    shown = [counted[place] for place in sorted(_most_concerning(latest, design)[:MOST_UNITS])]
    n_weeks, cells = (end - first) // WEEK, {cell for _, own in shown for cell in own}
    step = WEEK * max(WEEKS_OF_MANY, ceil(n_weeks * len(cells) / MOST_SUMS))
    starts = [first + step * number for number in range(ceil((end - first) / step))]
    found = _read(session, lasting, asked, [*starts, end], cells)
    early_end = first + SHARED_BASELINE
    early = _read(session, whole, _Asked(UnitKind.SITE, fault), [first, early_end])
    watched = watch(
        [UnitWeeks(unit, _periods(found, own, starts, end)) for unit, own in shown],
        _periods(found, _cells(found), starts, end), _periods(early, _cells(early), [first], early_end),
        kind, chart, design=design,
    )  # fmt: skip
    return _named(watched, FAULT_WORDS[fault], n_units=len(counted))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is counted, and of what."""

    kind: UnitKind
    fault: Fault


_ByCell = Mapping[tuple[Cell, date], _Counted]


def _read(
    session: Session, chosen: ScanFilter, asked: _Asked, borders: Sequence[date], cells: set[Cell] | None = None
) -> _ByCell:
    """What was counted of each cell by the first day of the stretch between two borders."""
    spans = Spans.between(borders)
    is_deviation = asked.fault is Fault.DEVIATION
    measure = RateMeasure.DEVIATION if is_deviation else RateMeasure.ARTIFACT
    wanted = ANY_DEVIATION if is_deviation else f"{asked.fault.value} {Severity.SEVERE}"
    ids = None if cells is None else {id_ for id_, _ in cells if id_ is not None}
    found: dict[tuple[Cell, date], _Counted] = defaultdict(_Counted)
    table = read_cell_table(
        session, chosen, grain_of(asked.kind), (RateMeasure.VISITS, measure), spans, ids=ids,
        is_asked=lambda is_of, detail: is_of is RateMeasure.VISITS or detail == wanted,
    )  # fmt: skip
    _, faulty = table.add_up(lambda is_of, _: None if is_of is RateMeasure.VISITS else wanted)
    starts = [start or date.min for start in spans.starts]
    rows = zip(table.places, table.visit_sums().tolist(), faulty.sum(axis=2).tolist(), strict=True)
    for place, visits, n_faulty in rows:
        cell = cell_at(place, asked.kind)
        for start, sums, n in zip(starts, visits, n_faulty, strict=True):
            if (poor := ClusteredCount(*sums)).n and (cells is None or cell in cells):
                found[cell, start].poor += poor
                found[cell, start].faulty += n
    return found


def _cells(by_cell: _ByCell) -> set[Cell]:
    return {cell for cell, _ in by_cell}


def _sum(by_cell: _ByCell, cells: Collection[Cell], starts: Collection[date]) -> _Counted:
    parts = [by_cell[cell, start] for cell in cells for start in set(starts) if (cell, start) in by_cell]
    return _Counted(total([part.poor for part in parts]), sum(part.faulty for part in parts))


def _periods(by_cell: _ByCell, cells: Collection[Cell], starts: Sequence[date], end: date) -> tuple[Period, ...]:
    """Stretch by stretch, those without a decided capture left out."""
    found = [(start, after, _sum(by_cell, cells, (start,))) for start, after in pairwise([*starts, end])]
    return tuple(Period(start, after - timedelta(days=1), each.count) for start, after, each in found if each.poor.n)


def _most_concerning(counts: Sequence[ClusteredCount], design: DesignEffect) -> list[int]:
    """Places by how far a unit's share lies above all units' together, in standard errors, the farthest first."""
    everybody = total(counts)
    rate = everybody.k / everybody.n if everybody.n else 0.0
    noise = rate * (1.0 - rate)

    def excess(place: int) -> float:
        count = counts[place]
        return (count.k - count.n * rate) / sqrt(noise * count.n * design.factor(count)) if count.n and noise else 0.0

    return sorted(range(len(counts)), key=excess, reverse=True)


def _named(watched: Watch, what: str, *, n_units: int) -> Watch:
    """The same, its trends saying what they count."""
    units = tuple(replace(unit, trend=replace(unit.trend, what=what)) for unit in watched.units)
    trend = replace(watched.trend, what=what) if isinstance(watched.trend, Trend) else watched.trend
    return replace(watched, trend=trend, units=units, n_units=n_units)
