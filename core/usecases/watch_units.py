"""Trends: a selection and every unit of a kind against a frozen baseline, by control chart, CUSUM and EWMA."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect, total
from core.statistics.control_chart import (
    MIN_BASELINE_POINTS,
    Baseline,
    ChartKind,
    ChartPoint,
    ControlChart,
    Period,
    control_chart,
    control_charts,
    freeze_baseline,
    pool_periods,
)
from core.statistics.cusum import ODDS_RATIO, Cusum, cusum, plan_cusum, running_sum, scores
from core.statistics.ewma import Ewma, ewma, plan_ewma
from core.statistics.funnel import Side
from core.statistics.run_length import Scatter
from core.store.scan_filter import ScanFilter
from core.store.unit import Unit, UnitKind
from core.store.unit_week import UnitWeeks, read_unit_weeks, read_weeks
from core.values import NotComputable

LOOKBACK = timedelta(weeks=104)
"""Trends begin two years back; a longer history says little about the devices of now."""
BASELINE_POINTS = 12
"""A baseline of one's own is the first twelve points, or the first half of fewer, but not below eight: enough to tell
how far points vary, and early."""
SHARED_BASELINE = timedelta(weeks=13)
"""Where own points are too few the baseline is that of the whole selection in its first thirteen weeks."""


MOST_UNITS = 40
"""So many small pictures still fit a page and a second."""


class BaselineSource(StrEnum):
    """Whose early points a trend is held against."""

    OWN = "own"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Trend:
    """A series of points against its baseline. ``pending`` are weeks that do not fill a point yet."""

    chart: ControlChart
    pending: Period | None
    source: BaselineSource
    cusum: Cusum | None
    """None where the baseline's rate is 0 or 1, so that any change would be certain."""
    ewma: Ewma | None

    @property
    def is_worse(self) -> bool:
        """Whether a run rule has fired on the bad side at one of the points that are no part of the baseline."""
        return any(signal.side is Side.HIGH for point in self.judged for signal in point.signals)

    @property
    def judged(self) -> tuple[ChartPoint, ...]:
        """The points after the baseline; all of them where the baseline is another's."""
        baseline = self.chart.baseline
        if self.source is BaselineSource.SHARED:
            return self.chart.points
        return tuple(point for point in self.chart.points if point.period.starts_on > baseline.ends_on)


@dataclass(frozen=True, slots=True)
class UnitTrend:
    """A unit's chart for the small multiples; ``concern`` sorts them, the largest first.

    ``concern`` is the present value of a CUSUM for doubled odds: how much evidence of failing too often there is now.
    """

    unit: Unit
    trend: Trend
    concern: float


@dataclass(frozen=True, slots=True)
class Watch:
    """The selection's trend and its units' trends. ``trend`` says why there is none where points are too few."""

    kind: UnitKind
    design: DesignEffect
    trend: Trend | NotComputable
    units: tuple[UnitTrend, ...]
    too_few: tuple[Unit, ...]
    """Units that do not fill a single point."""
    n_units: int
    """All units; of more than ``MOST_UNITS`` the most concerning are worked out."""


def watch_units(
    session: Session, chosen: ScanFilter, kind: UnitKind, *, today: date, chart: ChartKind = ChartKind.LANEY
) -> Watch:
    """The trends under ``chosen``, whose period does not narrow them: a baseline must not move with the reader."""
    lasting = replace(chosen, since=today - LOOKBACK, until=None)
    units = read_unit_weeks(session, lasting, kind)
    return watch(units, read_weeks(session, lasting), read_weeks(session, everything(lasting)), kind, chart)


def everything(chosen: ScanFilter) -> ScanFilter:
    """The whole study of which ``chosen`` is a part: what a shared baseline is taken from."""
    return ScanFilter(study_id=chosen.study_id, scan_type=chosen.scan_type, since=chosen.since, until=chosen.until)


def watch(
    units: Sequence[UnitWeeks],
    weeks: Sequence[Period],
    all_weeks: Sequence[Period],
    kind: UnitKind,
    chart: ChartKind = ChartKind.LANEY,
) -> Watch:
    """The same of counts that are there already; ``all_weeks`` are the study's, for the shared baseline."""
    design = design_effect([total([week.count for week in each.weeks]) for each in units])
    shared = shared_baseline(all_weeks, design)
    series = [(each.unit, _series_of(each.weeks, design, shared)) for each in most_concerning(units, shared)]
    too_few = [unit for unit, own in series if isinstance(own, NotComputable)]
    known = [(unit, own) for unit, own in series if not isinstance(own, NotComputable)]
    # All charts at once: one by one they would take five times as long.
    charts = control_charts([(own.points, own.baseline) for _, own in known], chart)
    trends = [Trend(drawn, own.pending, own.source, None, None) for (_, own), drawn in zip(known, charts, strict=True)]
    found = [UnitTrend(unit, each, _concern(each)) for (unit, _), each in zip(known, trends, strict=True)]
    found.sort(key=lambda each: (not each.trend.is_worse, -each.concern, each.unit.label))
    trend = trend_of(weeks, design, shared, chart)
    return Watch(kind, design, trend, tuple(found), tuple(too_few), n_units=len(units))


def most_concerning(units: Sequence[UnitWeeks], shared: Baseline | NotComputable) -> Sequence[UnitWeeks]:
    """At most ``MOST_UNITS`` units: those with most evidence, week by week, of failing twice as often as everybody."""
    if len(units) <= MOST_UNITS or isinstance(shared, NotComputable) or not 0.0 < shared.centre < 1.0:
        return units[:MOST_UNITS]

    def evidence(each: UnitWeeks) -> float:
        return _evidence([week.count for week in each.weeks], shared.centre, Scatter(shared.design))

    return sorted(units, key=evidence, reverse=True)[:MOST_UNITS]


def trend_of(
    weeks: Sequence[Period], design: DesignEffect, shared: Baseline | NotComputable, chart: ChartKind
) -> Trend | NotComputable:
    """Points, baseline, chart, CUSUM and EWMA of one series of weeks."""
    own = _series_of(weeks, design, shared)
    if isinstance(own, NotComputable):
        return own
    points, baseline = own.points, own.baseline
    counts, rate = [point.count for point in points], baseline.expected_rate
    sums = cusum(points, rate, plan_cusum(counts, rate, design, sigma_z=baseline.sigma_z))
    averages = ewma(points, rate, plan_ewma(counts, rate, design, sigma_z=baseline.sigma_z))
    return Trend(control_chart(points, baseline, chart), own.pending, own.source, sums, averages)


@dataclass(frozen=True, slots=True)
class _Series:
    points: tuple[Period, ...]
    pending: Period | None
    source: BaselineSource
    baseline: Baseline


def _series_of(
    weeks: Sequence[Period], design: DesignEffect, shared: Baseline | NotComputable
) -> _Series | NotComputable:
    """Pooled points and the baseline that they are held against: their own, or the shared one where they are few."""
    points, pending = pool_periods(weeks)
    if not points:
        return NotComputable("fewer patient visits than one point needs")
    own = points[: min(BASELINE_POINTS, len(points) // 2)]
    source = BaselineSource.OWN if len(own) >= MIN_BASELINE_POINTS else BaselineSource.SHARED
    baseline = freeze_baseline(own, design) if source is BaselineSource.OWN else shared
    if isinstance(baseline, NotComputable):
        return baseline
    return _Series(points, pending, source, baseline)


def shared_baseline(weeks: Sequence[Period], design: DesignEffect) -> Baseline | NotComputable:
    """The rate of everybody together in the first thirteen weeks; spread as chance has it."""
    if not weeks:
        return NotComputable("nothing decided yet")
    ends_on = weeks[0].starts_on + SHARED_BASELINE - timedelta(days=1)
    early = [week for week in weeks if week.ends_on <= ends_on]
    count: ClusteredCount = total([week.count for week in early])
    return Baseline(
        centre=count.k / count.n,
        sigma_z=1.0,
        design=design,
        starts_on=early[0].starts_on,
        ends_on=early[-1].ends_on,
        n_points=len(early),
        n=count.n,
    )


def _concern(trend: Trend) -> float:
    baseline = trend.chart.baseline
    counts = [point.period.count for point in trend.chart.points]
    return _evidence(counts, baseline.expected_rate, Scatter(baseline.design, baseline.sigma_z))


def _evidence(counts: Sequence[ClusteredCount], rate: float, scatter: Scatter) -> float:
    """The CUSUM's last sum over the counts: what speaks now for twice the odds."""
    factors = [scatter.factor(count) for count in counts]
    steps = scores([count.k for count in counts], [count.n for count in counts], rate, ODDS_RATIO, factors)
    return float(running_sum(steps)[-1])
