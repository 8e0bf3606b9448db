"""The matrix of sites by indicators: which lights are red, since when, and whether it got better or worse."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect, total
from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS, zones_above
from core.statistics.survival import duration_reached
from core.store.flag_acknowledgement import Acknowledgement, FlagKey, read_acknowledgements
from core.store.scan_filter import ScanFilter
from core.store.site_week import (
    LATEST_SCANS,
    OpenRequests,
    SiteWeek,
    Waits,
    read_open_requests,
    read_site_patients,
    read_site_weeks,
    read_waits,
)
from core.store.unit import Cells, Unit, UnitKind, list_units

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STEP = timedelta(weeks=4)
"""A light is compared with what it was four, eight, ... weeks before, over a period of the same length."""
N_STEPS = 6
MANY_OVERDUE = 3
"""So many requests past their day, and at least half of the open ones, are red."""
SLOW, TOO_SLOW = timedelta(days=3), timedelta(days=7)
"""Reading centres promise a decision within 2 to 3 business days (oirrc.org); beyond a week they have a backlog."""
RECENT_SCANS = LATEST_SCANS // 2
"""Of each site's latest scans the newer half, which is held against the older one."""
TELLING_Z = 1.0
"""A change of more than one standard error is shown as an arrow: a hint, no test."""


class Indicator(StrEnum):
    """A column of the matrix."""

    POOR = "poor"
    MOTION = "motion"
    LOW_SIGNAL = "low_signal"
    DECENTRATION = "decentration"
    DEVIATION = "deviation"
    OVERDUE = "overdue"
    TURN_AROUND = "turn_around"


RATES = (Indicator.POOR, Indicator.MOTION, Indicator.LOW_SIGNAL, Indicator.DECENTRATION, Indicator.DEVIATION)
"""Judged by funnel; the others by fixed borders."""


class Light(StrEnum):
    """Red and amber are flags; UNKNOWN has too few to judge."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    UNKNOWN = "unknown"


class Change(StrEnum):
    """Against the period of equal length before."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Cell:
    """One site's one indicator.

    Attributes
    ----------
    k, n : int
        Captures with the fault of those decided; requests overdue of those open; scans decided of those looked at.
    days : float or None
        Of turn-around: the 90th percentile; None while more than a tenth is still open.
    n_in_a_row : int
        How many looks, four weeks apart, have flagged it without a break; 0: not flagged, 1: new.
    acknowledged : Acknowledgement or None
        Who has seen the flag; None where there is none or nobody has.
    """

    indicator: Indicator
    light: Light
    k: int
    n: int
    days: float | None = None
    change: Change | None = None
    n_in_a_row: int = 0
    acknowledged: Acknowledgement | None = None


@dataclass(frozen=True, slots=True)
class SiteFlags:
    """One site's row."""

    site: Unit
    cells: tuple[Cell, ...]

    @property
    def is_red(self) -> bool:
        """Any rate above the 99.8 % limit; overdue requests and slow decisions alone do not make a site red."""
        return any(cell.light is Light.RED for cell in self.cells if cell.indicator in RATES)

    @property
    def is_newly_red(self) -> bool:
        """Red by a rate that nobody has acknowledged, and no red rate of it was flagged four weeks ago."""
        red = [cell for cell in self.cells if cell.light is Light.RED and cell.indicator in RATES]
        return any(cell.acknowledged is None for cell in red) and not any(cell.n_in_a_row > 1 for cell in red)

    @property
    def is_judged(self) -> bool:
        """False: too few captures to judge any rate."""
        return any(cell.light is not Light.UNKNOWN for cell in self.cells if cell.indicator in RATES)


@dataclass(frozen=True, slots=True)
class TurnAroundDays:
    """How long the latest ``RECENT_SCANS`` scans of each site took from submission to decision, in days, together.

    Kaplan-Meier (core.statistics.survival), so that open ones count as long as they wait. ``median`` and ``p90`` are
    None while fewer than half, than nine of ten are decided; ``median_before`` is of as many scans before these.
    """

    n: int
    n_open: int
    median: float | None
    p90: float | None
    median_before: float | None


@dataclass(frozen=True, slots=True)
class FlagMatrix:
    """All sites, the worst first; those too few to judge last."""

    sites: tuple[SiteFlags, ...]
    factor: float = 1.0
    """How many captures of the period tell as much as one alone would: the design effect, pooled within sites."""
    turn_around: TurnAroundDays | None = None
    """None where no scan was submitted."""

    @property
    def judged(self) -> tuple[SiteFlags, ...]:
        """Sites with enough captures."""
        return tuple(site for site in self.sites if site.is_judged)

    @property
    def red(self) -> tuple[SiteFlags, ...]:
        """Sites with a rate above the red line."""
        return tuple(site for site in self.sites if site.is_red)


@dataclass(frozen=True, slots=True)
class _Window:
    """What was counted of each site within some weeks, the sites in one order.

    Decided captures ``n`` and the sum of their visits' squared sizes ``nn`` (sites,), and of them ``k`` with each fault
    of RATES (rates, sites).
    """

    n: Counts
    nn: Counts
    k: Counts
    design: DesignEffect
    factor: float
    """The design effect of all sites together."""

    def effective_n(self, design: DesignEffect) -> Floats:
        """As many independent captures would say as much (sites,); 0 where there is none."""
        others = np.where(self.n > 0, self.nn / np.maximum(self.n, 1) - 1.0, 0.0)
        return np.asarray(self.n / (1.0 + design.correlation * others), np.float64)


class _Weeks:
    """All sites' weeks as one table, of which a window is a sum."""

    def __init__(self, weeks: Sequence[SiteWeek]) -> None:
        self.site_ids = sorted({week.site_id for week in weeks})
        order = {site_id: place for place, site_id in enumerate(self.site_ids)}
        self._place = np.array([order[week.site_id] for week in weeks], np.int64)
        self._day = np.array([week.week_on.toordinal() for week in weeks], np.int64)
        faults = [each.value for each in RATES if each is not Indicator.POOR]
        rows = [
            (each.k, each.n, each.n_clusters, each.kk, each.kn, each.nn, *(week.faults.get(name, 0) for name in faults))
            for week in weeks
            for each in (week.poor,)
        ]
        self._numbers = np.array(rows, np.int64).reshape(len(weeks), _N_SUMS + len(faults))

    def window(self, period: tuple[date, date] | None, back: timedelta) -> _Window:
        """What was counted in a period, shifted ``back``; without one all of it."""
        within = np.ones(len(self._day), np.bool_)
        if period is not None:
            start, end = ((day - back).toordinal() for day in period)
            within = (start <= self._day) & (self._day < end)
        sums = np.zeros((len(self.site_ids), self._numbers.shape[1]), np.int64)
        np.add.at(sums, self._place[within], self._numbers[within])
        k, n, _, _, _, nn = sums[:, :_N_SUMS].T
        counts = [ClusteredCount(*row) for row in sums[:, :_N_SUMS].tolist()]
        design = design_effect(counts)
        return _Window(n, nn, np.stack([k, *sums[:, _N_SUMS:].T]), design, design.factor(total(counts)))


_N_SUMS = len(fields(ClusteredCount))


def flag_sites(
    session: Session, chosen: ScanFilter, *, today: date, now: datetime, patients: Mapping[int, int] | None = None
) -> FlagMatrix:
    """The matrix under ``chosen``; without a period there is no looking back.

    ``patients`` of each site at least (``read_site_patients``): asked here where the caller has not asked already.
    """
    units = sorted((unit for unit, _ in list_units(session, chosen, UnitKind.SITE, Cells(()))), key=_label)
    site_ids = [unit.within.site_id for unit in units if unit.within.site_id is not None]
    weeks = read_site_weeks(session, chosen, _borders(chosen))
    if patients is None:
        patients = read_site_patients(session, chosen, site_ids)
    waits = read_waits(session, chosen, now=now)
    matrix = build_matrix(
        units,
        weeks,
        patients,
        read_open_requests(session, replace(chosen, since=None, until=None), today=today),
        waits,
        period=None if chosen.since is None or chosen.until is None else (chosen.since, chosen.until),
    )
    matrix = replace(matrix, turn_around=turn_around_of(waits.values()))
    return _with_acknowledgements(matrix, read_acknowledgements(session, chosen.study_id))


def turn_around_of(waits: Collection[Waits]) -> TurnAroundDays | None:
    """All these sites' scans together; None where there are none."""
    seconds, is_decided = _pooled(waits, slice(RECENT_SCANS))
    if not seconds:
        return None
    before = _pooled(waits, slice(RECENT_SCANS, None))
    return TurnAroundDays(
        len(seconds), is_decided.count(False), _days(seconds, is_decided, 0.5), _days(seconds, is_decided, 0.9),
        _days(*before, 0.5) if before[0] else None,
    )  # fmt: skip


def _pooled(waits: Iterable[Waits], part: slice) -> tuple[list[float], list[bool]]:
    return (
        [wait for each in waits for wait in each.seconds[part]],
        [is_done for each in waits for is_done in each.is_decided[part]],
    )


def _days(seconds: Sequence[float], is_decided: Sequence[bool], share: float) -> float | None:
    reached = duration_reached(seconds, is_decided, share)
    return None if reached is None else timedelta(seconds=reached) / timedelta(days=1)


def _with_acknowledgements(matrix: FlagMatrix, standing: Mapping[FlagKey, Acknowledgement]) -> FlagMatrix:
    def seen(site: Unit, cell: Cell) -> Cell:
        found = standing.get(FlagKey(UnitKind.SITE, site.key, cell.indicator.value))
        is_flagged = cell.light in {Light.RED, Light.AMBER}
        return replace(cell, acknowledged=found) if found and is_flagged else cell

    sites = (replace(row, cells=tuple(seen(row.site, cell) for cell in row.cells)) for row in matrix.sites)
    return replace(matrix, sites=tuple(sites))


def build_matrix(
    sites: Sequence[Unit],
    weeks: Sequence[SiteWeek],
    patients: Mapping[int, int],
    requests: Mapping[int, OpenRequests],
    waits: Mapping[int, Waits],
    *,
    period: tuple[date, date] | None,
) -> FlagMatrix:
    """The same of counts that are there already."""
    table = _Weeks(weeks)
    looks = [table.window(period, STEP * step) for step in range(N_STEPS + 1 if period else 1)]
    before = table.window(period, period[1] - period[0]) if period else None
    cells = _rate_cells(table.site_ids, looks, before, patients)
    rows = []
    for site in sites:
        assert site.within.site_id is not None, "sites are narrowed to by their id"
        id_ = site.within.site_id
        others = (_overdue_cell(requests.get(id_)), _wait_cell(waits.get(id_)))
        rows.append(SiteFlags(site, (*cells.get(id_, _UNCOUNTED), *others)))
    return FlagMatrix(tuple(sorted(rows, key=_worst_first)), looks[0].factor)


def _label(unit: Unit) -> str:
    return unit.label


def _borders(chosen: ScanFilter) -> set[date]:
    """Where any look and the period before begin and end; none without a period."""
    if chosen.since is None or chosen.until is None:
        return set()
    looks = {border - STEP * step for border in (chosen.since, chosen.until) for step in range(N_STEPS + 1)}
    return looks | {chosen.since - (chosen.until - chosen.since)}


def _rate_cells(
    site_ids: Sequence[int], looks: Sequence[_Window], before: _Window | None, patients: Mapping[int, int]
) -> dict[int, tuple[Cell, ...]]:
    """The cells of the rates by site, in the order of RATES; all funnels of all looks are judged at once."""
    if not site_ids:
        return {}
    n = np.stack([look.n for look in looks])[:, None]
    enough = np.array([patients.get(site_id, 0) >= MIN_PATIENTS for site_id in site_ids], np.bool_)
    effective_n = np.stack([look.effective_n(look.design) for look in looks])[:, None]
    is_judged = np.broadcast_to((n >= MIN_COUNTED) & enough, (len(looks), len(RATES), len(site_ids)))
    k = np.stack([look.k for look in looks]).astype(np.float64)
    shape = k.shape
    is_amber, is_red = zones_above(
        k, np.broadcast_to(n, shape).astype(np.float64), np.broadcast_to(effective_n, shape), is_judged
    )
    n_in_a_row = np.cumprod(is_amber, axis=0).sum(axis=0)
    changes = _changes(looks[0], before)
    return {
        site_id: tuple(
            Cell(
                indicator,
                _light(is_judged[0, row, place], is_amber[0, row, place], is_red[0, row, place]),
                int(looks[0].k[row, place]),
                int(looks[0].n[place]),
                change=changes[row][place],
                n_in_a_row=int(n_in_a_row[row, place]),
            )
            for row, indicator in enumerate(RATES)
        )
        for place, site_id in enumerate(site_ids)
    }


_UNCOUNTED = tuple(Cell(indicator, Light.UNKNOWN, 0, 0) for indicator in RATES)
"""The rates of a site without a decided capture."""


def _light(is_judged: np.bool_, is_amber: np.bool_, is_red: np.bool_) -> Light:
    if not is_judged:
        return Light.UNKNOWN
    return Light.RED if is_red else Light.AMBER if is_amber else Light.GREEN


def _changes(now: _Window, before: _Window | None) -> list[list[Change | None]]:
    """Whether each rate (rates, sites) moved by more than a standard error; None where nothing was counted."""
    if before is None:
        return [[None] * len(now.n) for _ in RATES]
    sizes, sizes_before = np.maximum(now.n, 1), np.maximum(before.n, 1)
    pooled = (now.k + before.k) / np.maximum(now.n + before.n, 1)
    fewer = [np.where(each.n > 0, each.effective_n(now.design), 1.0) for each in (now, before)]
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / fewer[0] + 1.0 / fewer[1]))
    moved = now.k / sizes - before.k / sizes_before
    kinds = np.where(np.abs(moved) <= TELLING_Z * error, 0, np.where(moved > 0, 1, 2))
    kinds = np.where((now.n > 0) & (before.n > 0), kinds, 3)
    named = (Change.SAME, Change.WORSE, Change.BETTER, None)
    return [[named[kind] for kind in row] for row in kinds.tolist()]


def _overdue_cell(requests: OpenRequests | None) -> Cell:
    n, overdue = (requests.n, requests.overdue) if requests else (0, 0)
    light = Light.GREEN if not overdue else Light.AMBER
    if overdue >= MANY_OVERDUE and 2 * overdue >= n:
        light = Light.RED
    return Cell(Indicator.OVERDUE, light, overdue, n)


def _wait_cell(waits: Waits | None) -> Cell:
    if waits is None:
        return Cell(Indicator.TURN_AROUND, Light.UNKNOWN, 0, 0)
    p90 = duration_reached(waits.seconds, waits.is_decided, 0.9)
    lasted = timedelta(seconds=max(waits.seconds) if p90 is None else p90)
    light = Light.GREEN if lasted <= SLOW else Light.AMBER if lasted <= TOO_SLOW else Light.RED
    days = None if p90 is None else lasted / timedelta(days=1)
    return Cell(Indicator.TURN_AROUND, light, sum(waits.is_decided), len(waits.seconds), days=days)


def _worst_first(row: SiteFlags) -> tuple[bool, int, int, float, str]:
    rates = [cell for cell in row.cells if cell.indicator in RATES]
    n_red = sum(cell.light is Light.RED for cell in rates)
    n_amber = sum(cell.light is Light.AMBER for cell in rates)
    poor = rates[0].k / rates[0].n if rates[0].n else 0.0
    return not row.is_judged, -n_red, -n_amber, -poor, row.site.label
