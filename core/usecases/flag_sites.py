"""The matrix of sites by indicators: which lights are red, since when, and whether it got better or worse."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import sqrt

from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect
from core.statistics.funnel import FunnelPoint, FunnelUnit, Side, Zone, funnel
from core.statistics.survival import duration_reached
from core.store.flag_acknowledgement import Acknowledgement, FlagKey, read_acknowledgements
from core.store.scan_filter import ScanFilter
from core.store.site_week import (
    LATEST_SCANS,
    OpenRequests,
    SiteWeek,
    Waits,
    read_open_requests,
    read_site_weeks,
    read_waits,
)
from core.store.unit import Unit, UnitKind, read_units
from core.values import NotComputable

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
    """What was counted of each site within some weeks."""

    poor: Mapping[int, ClusteredCount]
    faults: Mapping[int, Counter[str]]
    design: DesignEffect

    def count(self, site_id: int, indicator: Indicator) -> ClusteredCount:
        """Captures with the fault, in the visits they come from; other faults keep the visits' sizes alone."""
        poor = self.poor.get(site_id, ClusteredCount())
        if indicator is Indicator.POOR:
            return poor
        # kk and kn are known of the ungradable alone; with the visits' design effect given, nothing asks for them.
        return replace(poor, k=self.faults[site_id][indicator.value] if site_id in self.faults else 0, kk=0, kn=0)


def flag_sites(session: Session, chosen: ScanFilter, *, today: date, now: datetime) -> FlagMatrix:
    """The matrix under ``chosen``; without a period there is no looking back."""
    counts = read_units(session, chosen, UnitKind.SITE)
    sites = [count.unit for count in counts]
    weeks = read_site_weeks(session, chosen, _borders(chosen))
    patients = {site_id: count.patients for count in counts if (site_id := count.unit.within.site_id) is not None}
    waits = read_waits(session, chosen, now=now)
    matrix = build_matrix(
        sites,
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
    looks = [_window(weeks, period, STEP * step) for step in range(N_STEPS + 1 if period else 1)]
    lights = [{indicator: _lights(look, patients, indicator) for indicator in RATES} for look in looks]
    before = _window(weeks, period, period[1] - period[0]) if period else None
    rows = []
    for site in sites:
        assert site.within.site_id is not None, "sites are narrowed to by their id"
        id_ = site.within.site_id
        cells = [
            _rate_cell(id_, indicator, looks[0], before, [each[indicator] for each in lights]) for indicator in RATES
        ]
        cells += [_overdue_cell(requests.get(id_)), _wait_cell(waits.get(id_))]
        rows.append(SiteFlags(site, tuple(cells)))
    return FlagMatrix(tuple(sorted(rows, key=_worst_first)))


def _borders(chosen: ScanFilter) -> set[date]:
    """Where any look and the period before begin and end; none without a period."""
    if chosen.since is None or chosen.until is None:
        return set()
    looks = {border - STEP * step for border in (chosen.since, chosen.until) for step in range(N_STEPS + 1)}
    return looks | {chosen.since - (chosen.until - chosen.since)}


def _window(weeks: Sequence[SiteWeek], period: tuple[date, date] | None, back: timedelta) -> _Window:
    poor: dict[int, ClusteredCount] = {}
    faults: dict[int, Counter[str]] = {}
    for week in weeks:
        if period is None or period[0] - back <= week.week_on < period[1] - back:
            poor[week.site_id] = poor.get(week.site_id, ClusteredCount()) + week.poor
            faults.setdefault(week.site_id, Counter()).update(week.faults)
    return _Window(poor, faults, design_effect(list(poor.values())))


def _lights(look: _Window, patients: Mapping[int, int], indicator: Indicator) -> dict[int, Light]:
    units = [FunnelUnit(id_, look.count(id_, indicator), patients.get(id_, 0)) for id_ in look.poor]
    found = funnel(units, design=look.design)
    if isinstance(found, NotComputable):
        return {}
    return {int(point.key): _light(point) for point in found.points}


def _light(point: FunnelPoint) -> Light:
    if point.zone is Zone.TOO_FEW:
        return Light.UNKNOWN
    if point.side is not Side.HIGH:
        return Light.GREEN
    return {Zone.ALARM: Light.RED, Zone.WARNING: Light.AMBER}.get(point.zone, Light.GREEN)


def _rate_cell(
    site_id: int,
    indicator: Indicator,
    look: _Window,
    before: _Window | None,
    lights: Sequence[Mapping[int, Light]],
) -> Cell:
    count = look.count(site_id, indicator)
    history = [each.get(site_id, Light.UNKNOWN) in (Light.RED, Light.AMBER) for each in lights]
    return Cell(
        indicator,
        lights[0].get(site_id, Light.UNKNOWN),
        count.k,
        count.n,
        change=_change(count, before.count(site_id, indicator), look.design) if before else None,
        n_in_a_row=history.index(False) if False in history else len(history),
    )


def _change(now: ClusteredCount, before: ClusteredCount, design: DesignEffect) -> Change | None:
    """Whether the rate moved by more than a standard error; None where one of the periods has no captures."""
    if not now.n or not before.n:
        return None
    pooled = (now.k + before.k) / (now.n + before.n)
    error = sqrt(pooled * (1.0 - pooled) * (1.0 / design.effective_n(now) + 1.0 / design.effective_n(before)))
    moved = now.k / now.n - before.k / before.n
    if abs(moved) <= TELLING_Z * error:
        return Change.SAME
    return Change.WORSE if moved > 0 else Change.BETTER


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
