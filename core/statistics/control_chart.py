"""p and Laney p' charts of one unit over time: points of enough visits, a frozen baseline, named run rules. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.statistics.clustering import ClusteredCount, DesignEffect
from core.statistics.funnel import Side, funnel_limits
from core.statistics.proportions import NOTHING_COUNTED
from core.values import NotComputable

Floats = NDArray[np.float64]

MIN_VISITS = 5
"""A point of fewer patient visits has next to no room between its limits: periods are pooled until it has them."""

MIN_BASELINE_POINTS = 8
"""Fewer points cannot tell how far points vary; twenty to twenty-five are better (Montgomery, Introduction to
Statistical Quality Control, section 6.2)."""

INSIDE_LEVEL = 0.9973
"""Share of a normal distribution within three standard deviations, the limits of Shewhart's charts."""

MOVING_RANGE = 1.128
"""Mean range of two standard normal values, d2 of n = 2 (Laney 2002)."""

N_ON_ONE_SIDE = 8
N_TREND = 6


class ChartKind(StrEnum):
    """Which limits are drawn."""

    P = "p"
    LANEY = "Laney p'"


class Rule(StrEnum):
    """Run rules; each names what fired at its last point."""

    ONE_OUT = "1 point beyond the limits"
    EIGHT_ON_ONE_SIDE = "8 points in a row on one side of the centre"
    SIX_TREND = "6 points in a row rising or falling"


@dataclass(frozen=True, slots=True)
class Period:
    """What was counted from ``starts_on`` to ``ends_on`` (both included); clusters are patient visits."""

    starts_on: date
    ends_on: date
    count: ClusteredCount


def pool_periods(periods: Sequence[Period], min_visits: int = MIN_VISITS) -> tuple[tuple[Period, ...], Period | None]:
    """Points of at least ``min_visits`` visits, pooled from consecutive periods, and what does not fill a point yet.

    Give days or weeks in order of time. With ``min_visits`` = 5 quiet weeks are pooled; with k it is a chart per k
    visits. Points are filled from the first period on, so that new periods never move an old point.
    """
    points: list[Period] = []
    pending: Period | None = None
    for period in periods:
        pending = period if pending is None else _together(pending, period)
        if pending.count.n_clusters >= min_visits:
            points.append(pending)
            pending = None
    return tuple(points), pending


def _together(first: Period, last: Period) -> Period:
    return Period(first.starts_on, last.ends_on, first.count + last.count)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What later points are held against; frozen, so that a slow change cannot move its own yardstick.

    Attributes
    ----------
    centre : float
        Pooled rate of the baseline's points, 0..1.
    sigma_z : float
        Laney's factor: how much more points vary than clustered counts do, >= 1.
    design : DesignEffect
        Of the visits, pooled over units.
    starts_on, ends_on : date
        First and last day of the baseline's points.
    """

    centre: float
    sigma_z: float
    design: DesignEffect
    starts_on: date
    ends_on: date
    n_points: int
    n: int

    @property
    def expected_rate(self) -> float:
        """What sums and averages reckon with: the centre, half a capture lent to each side where it is 0 or 1."""
        return self.centre if 0.0 < self.centre < 1.0 else (self.centre * self.n + 0.5) / (self.n + 1.0)

    def limits(self, counts: Sequence[ClusteredCount], kind: ChartKind) -> tuple[Floats, Floats]:
        """Lower and upper limit (n,) of points with these counts, 0..1; see ``chart_limits``."""
        sizes = np.array([self.design.effective_n(count) for count in counts])
        return chart_limits(np.array(self.centre), sizes, np.array(self.factor(kind)))

    def factor(self, kind: ChartKind) -> float:
        """By how much the standard deviation of a point exceeds that of its clustered count: 1 for a p chart."""
        return self.sigma_z if kind is ChartKind.LANEY else 1.0


def counted_with_rates(points: Sequence[Period], rates: float | Sequence[float]) -> list[tuple[Period, float]]:
    """The periods that hold a count, each with its expected rate; ``rates`` is that of all, or one per period."""
    expected = np.broadcast_to(np.asarray(rates, np.float64), len(points))
    return [(point, float(rate)) for point, rate in zip(points, expected, strict=True) if point.count.n]


def chart_limits(centre: Floats, effective_n: Floats, sigma_z: Floats) -> tuple[Floats, Floats]:
    """Lower and upper limit (...), 0..1, of points on their effective n; ``sigma_z`` is 1 for a p chart.

    p: exact interpolated binomial limits at the tails of three standard deviations. Laney p': the same on n over
    sigma_z squared. For large n this is Laney's centre -/+ 3 sigma_z sqrt(p (1 - p) / n) (Laney 2002,
    doi:10.1081/QEN-120006555), for the small n of a site's week it keeps the tails' probability.
    """
    return funnel_limits(centre, effective_n / sigma_z**2, INSIDE_LEVEL)


def freeze_baseline(points: Sequence[Period], design: DesignEffect) -> Baseline | NotComputable:
    """Centre and spread of these points, to be signed and stored; fewer than eight points make no baseline.

    ``design`` is the design effect pooled over all units of the kind: one unit's own would be too uncertain. sigma_z
    is the mean moving range of the points' z over 1.128 (Laney 2002), not below 1: less spread than chance allows is
    chance itself.
    """
    counted = [point for point in points if point.count.n]
    if not counted:
        return NOTHING_COUNTED
    if len(counted) < MIN_BASELINE_POINTS:
        return NotComputable(f"fewer than {MIN_BASELINE_POINTS} points of enough visits for a baseline")
    k, n = (np.array([getattr(point.count, name) for point in counted], np.float64) for name in ("k", "n"))
    centre = float(k.sum() / n.sum())
    sizes = np.array([design.effective_n(point.count) for point in counted])
    return Baseline(
        centre=centre,
        sigma_z=float(laney_factor(k / n, sizes, np.array(centre))),
        design=design,
        starts_on=counted[0].starts_on,
        ends_on=counted[-1].ends_on,
        n_points=len(counted),
        n=int(n.sum()),
    )


def laney_factor(values: Floats, effective_n: Floats, centre: Floats) -> Floats:
    """Laney's sigma_z (...) of rates (..., n) on their effective n around ``centre`` (...), >= 1.

    1 where the centre is 0 or 1: rates that never vary have no excess.
    """
    room = np.asarray(centre * (1.0 - centre))[..., None]
    z = (values - np.asarray(centre)[..., None]) / np.sqrt(np.where(room > 0.0, room, 1.0) / effective_n)
    return np.asarray(np.maximum(1.0, np.abs(np.diff(z, axis=-1)).mean(axis=-1) / MOVING_RANGE), np.float64)


@dataclass(frozen=True, slots=True)
class Signal:
    """A run rule that fired, and on which side (for a trend: HIGH where it rises)."""

    rule: Rule
    side: Side


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One point with its own limits, all 0..1, and the rules that fired at it."""

    period: Period
    value: float
    low: float
    high: float
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class ControlChart:
    """All points against the frozen baseline, in order of time."""

    kind: ChartKind
    baseline: Baseline
    points: tuple[ChartPoint, ...]


def control_chart(points: Sequence[Period], baseline: Baseline, kind: ChartKind = ChartKind.LANEY) -> ControlChart:
    """Judge pooled points (``pool_periods``) by limits and run rules; points without any count are left out.

    Rules: Western Electric / Nelson 1984, doi:10.1080/00224065.1984.11978921: one beyond the limits (Nelson 1), eight
    in a row on one side (Western Electric), six in a row rising or falling (Nelson 3). A value on the centre line ends
    a run, two equal values end a trend. In-control run lengths: docs/statistics.md.
    """
    return control_charts([(points, baseline)], kind)[0]


def control_charts(
    series: Sequence[tuple[Sequence[Period], Baseline]], kind: ChartKind = ChartKind.LANEY
) -> tuple[ControlChart, ...]:
    """``control_chart`` of many units at once, in their order: the limits of all points are found together."""
    if not series:
        return ()
    counted = [[point for point in points if point.count.n] for points, _ in series]
    starts = np.cumsum([len(points) for points in counted])[:-1]
    limits = np.split(np.stack(_limits(counted, [baseline for _, baseline in series], kind), axis=-1), starts)
    return tuple(
        ControlChart(kind, baseline, _drawn(points, baseline, own.T))
        for points, (_, baseline), own in zip(counted, series, limits, strict=True)
    )


def _limits(
    counted: Sequence[Sequence[Period]], baselines: Sequence[Baseline], kind: ChartKind
) -> tuple[Floats, Floats]:
    """Lower and upper limits (points,) of all points of all units, one unit after the other."""
    lengths = [len(points) for points in counted]
    sizes = [
        baseline.design.effective_n(point.count)
        for points, baseline in zip(counted, baselines, strict=True)
        for point in points
    ]
    centres, factors = (
        np.repeat(np.array(values, np.float64), lengths)
        for values in ([each.centre for each in baselines], [each.factor(kind) for each in baselines])
    )
    return chart_limits(centres, np.array(sizes, np.float64), factors)


def _drawn(points: Sequence[Period], baseline: Baseline, limits: Floats) -> tuple[ChartPoint, ...]:
    """Points with their limits (2, points) and the rules that fire."""
    low, high = limits
    values = np.array([point.count.k / point.count.n for point in points], np.float64)
    signals = run_signals(values, low, high, baseline.centre)
    drawn = zip(points, values, low, high, signals, strict=True)
    return tuple(ChartPoint(p, float(v), float(a), float(b), s) for p, v, a, b, s in drawn)


def run_signals(values: Floats, low: Floats, high: Floats, centre: float) -> list[tuple[Signal, ...]]:
    """The rules that fire at each of the values (n,), in order of time."""
    hits = rule_hits(values, low, high, centre)
    return [tuple(signal for signal, at in hits.items() if at[place]) for place in range(len(values))]


def rule_hits(values: Floats, low: Floats, high: Floats, centre: float | Floats) -> dict[Signal, NDArray[np.bool_]]:
    """Where each rule fires on each side, bool (..., n) for values (..., n) in order of time."""
    steps = np.diff(values, axis=-1, prepend=values[..., :1])
    return {
        Signal(Rule.ONE_OUT, Side.HIGH): values > high,
        Signal(Rule.ONE_OUT, Side.LOW): values < low,
        Signal(Rule.EIGHT_ON_ONE_SIDE, Side.HIGH): _run_of(values > centre, N_ON_ONE_SIDE),
        Signal(Rule.EIGHT_ON_ONE_SIDE, Side.LOW): _run_of(values < centre, N_ON_ONE_SIDE),
        Signal(Rule.SIX_TREND, Side.HIGH): _run_of(steps > 0, N_TREND - 1),
        Signal(Rule.SIX_TREND, Side.LOW): _run_of(steps < 0, N_TREND - 1),
    }


def _run_of(is_hit: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Where the last ``length`` flags, this one included, are all set."""
    n = is_hit.shape[-1]
    found = np.zeros_like(is_hit)
    if n >= length:
        windows = np.lib.stride_tricks.sliding_window_view(is_hit, length, axis=-1)
        found[..., length - 1 :] = windows.all(axis=-1)
    return found
