"""Trends: a selection and every unit of a kind against a frozen baseline, by control chart, CUSUM and EWMA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from core.store.signed_baseline import (
    WHOLE_STUDY,
    BaselineScope,
    SignedVersion,
    only_study,
    read_baselines_in_force,
)
from core.store.unit import Unit, UnitKind
from core.store.unit_week import UnitWeeks, read_unit_weeks, read_weeks
from core.usecases.sign_baseline import scope_of
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
    SIGNED = "signed"
    """Its own, stored as a person signed it."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A series of points against its baseline. ``pending`` are weeks that do not fill a point yet."""

    chart: ControlChart
    pending: Period | None
    source: BaselineSource
    cusum: Cusum | None
    """None where the baseline's rate is 0 or 1, so that any change would be certain."""
    ewma: Ewma | None
    signed: SignedVersion | None = None
    """Who signed the baseline, its own or, where SHARED, the whole study's; None: it is provisional."""
    what: str = "ungradable"
    """What is counted of the decided first captures."""

    @property
    def is_worse(self) -> bool:
        """Whether a run rule has fired on the bad side at one of the points that are no part of the baseline."""
        return any(signal.side is Side.HIGH for point in self.judged for signal in point.signals)

    @property
    def judged(self) -> tuple[ChartPoint, ...]:
        """The points after the baseline; all of them where the baseline is the whole study's."""
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
    signed = read_signed(session, chosen, kind)
    return watch(
        units, read_weeks(session, lasting), read_weeks(session, everything(lasting)), kind, chart, signed=signed
    )


@dataclass(frozen=True, slots=True)
class SignedBaselines:
    """What was signed for a selection as a whole, and for its units by their keys."""

    study: SignedVersion | None = None
    """Of the whole study: in place of the shared baseline, where a unit's own points are too few."""
    whole: SignedVersion | None = None
    by_unit: Mapping[str, SignedVersion] = field(default_factory=dict)

    def of_unit(self, key: str) -> "Signed":
        """A unit's own signed baseline and the study's."""
        return self.by_unit.get(key), self.study


Signed = tuple[SignedVersion | None, SignedVersion | None]
"""The signed baseline of what is watched, and that of the whole study."""


def _signed_shared(study: SignedVersion | None) -> Baseline | None:
    # Its spread is that of the whole study's points, which says nothing of how far a single unit's vary.
    return replace(study.baseline, sigma_z=1.0) if study else None


def read_signed(session: Session, chosen: ScanFilter, kind: UnitKind) -> SignedBaselines:
    """The signed baselines in force; of a selection that is a part of a unit there are none."""
    study_id = only_study(session, chosen)
    if study_id is None:
        return SignedBaselines()
    found = read_baselines_in_force(session, study_id, chosen.scan_type or "")
    scope = scope_of(session, chosen)
    whole = None if isinstance(scope, NotComputable) else found.get((scope.kind, scope.key))
    study = found.get((WHOLE_STUDY, ""))
    return SignedBaselines(study, whole, _of_units(found, kind, None if isinstance(scope, NotComputable) else scope))


def _of_units(
    found: Mapping[tuple[str, str], SignedVersion], kind: UnitKind, scope: BaselineScope | None
) -> dict[str, SignedVersion]:
    """Those of whole units: where the selection cuts units into parts, theirs do not hold."""
    if scope is None or scope.kind not in {WHOLE_STUDY, UnitKind.SITE, kind}:
        return {}
    if scope.kind == UnitKind.SITE and kind in {UnitKind.MODEL, UnitKind.SOFTWARE}:
        return {}
    return {key: version for (found_kind, key), version in found.items() if found_kind == kind}


def everything(chosen: ScanFilter) -> ScanFilter:
    """The whole study of which ``chosen`` is a part: what a shared baseline is taken from."""
    return ScanFilter(study_id=chosen.study_id, scan_type=chosen.scan_type, since=chosen.since, until=chosen.until)


def watch(
    units: Sequence[UnitWeeks],
    weeks: Sequence[Period],
    all_weeks: Sequence[Period],
    kind: UnitKind,
    chart: ChartKind = ChartKind.LANEY,
    *,
    signed: SignedBaselines | None = None,
    design: DesignEffect | None = None,
) -> Watch:
    """The same of counts that are there already; ``all_weeks`` are the study's, for the shared baseline.

    ``design`` is given where the counts do not tell how far captures of one visit are alike.
    """
    signed = signed or SignedBaselines()
    design = design or design_effect([total([week.count for week in each.weeks]) for each in units])
    shared = _signed_shared(signed.study) or shared_baseline(all_weeks, design)
    series = [
        (each.unit, _series_of(each.weeks, design, shared, signed.of_unit(each.unit.key)))
        for each in most_concerning(units, shared)
    ]
    too_few = [unit for unit, own in series if isinstance(own, NotComputable)]
    known = [(unit, own) for unit, own in series if not isinstance(own, NotComputable)]
    # All charts at once: one by one they would take five times as long.
    charts = control_charts([(own.points, own.baseline) for _, own in known], chart)
    trends = [
        Trend(drawn, own.pending, own.source, None, None, own.signed)
        for (_, own), drawn in zip(known, charts, strict=True)
    ]
    found = [UnitTrend(unit, each, _concern(each)) for (unit, _), each in zip(known, trends, strict=True)]
    found.sort(key=lambda each: (not each.trend.is_worse, -each.concern, each.unit.label))
    trend = trend_of(weeks, design, shared, chart, (signed.whole, signed.study))
    return Watch(kind, design, trend, tuple(found), tuple(too_few), n_units=len(units))


def most_concerning(units: Sequence[UnitWeeks], shared: Baseline | NotComputable) -> Sequence[UnitWeeks]:
    """At most ``MOST_UNITS`` units: those with most evidence, week by week, of failing twice as often as everybody."""
    if len(units) <= MOST_UNITS or isinstance(shared, NotComputable) or not 0.0 < shared.centre < 1.0:
        return units[:MOST_UNITS]

    def evidence(each: UnitWeeks) -> float:
        return _evidence([week.count for week in each.weeks], shared.centre, Scatter(shared.design))

    return sorted(units, key=evidence, reverse=True)[:MOST_UNITS]


def trend_of(
    weeks: Sequence[Period],
    design: DesignEffect,
    shared: Baseline | NotComputable,
    chart: ChartKind,
    signed: Signed = (None, None),
) -> Trend | NotComputable:
    """Points, baseline, chart, CUSUM and EWMA of one series of weeks."""
    own = _series_of(weeks, design, shared, signed)
    if isinstance(own, NotComputable):
        return own
    baseline, drawn = own.baseline, control_chart(own.points, own.baseline, chart)
    points = own.summed
    if not points:
        return Trend(drawn, own.pending, own.source, None, None, own.signed)
    counts, rate = [point.count for point in points], baseline.expected_rate
    sums = cusum(points, rate, plan_cusum(counts, rate, design, sigma_z=baseline.sigma_z))
    averages = ewma(points, rate, plan_ewma(counts, rate, design, sigma_z=baseline.sigma_z))
    return Trend(drawn, own.pending, own.source, sums, averages, own.signed)


@dataclass(frozen=True, slots=True)
class _Series:
    points: tuple[Period, ...]
    pending: Period | None
    source: BaselineSource
    baseline: Baseline
    signed: SignedVersion | None = None

    @property
    def summed(self) -> tuple[Period, ...]:
        """The points that sums and averages run over: from a signed baseline on, for what was before it was settled."""
        return from_baseline_on(self.points, self.baseline) if self.source is BaselineSource.SIGNED else self.points


def from_baseline_on(points: Sequence[Period], baseline: Baseline) -> tuple[Period, ...]:
    """The points that do not end before the baseline begins."""
    return tuple(point for point in points if point.ends_on >= baseline.starts_on)


def _series_of(
    weeks: Sequence[Period],
    design: DesignEffect,
    shared: Baseline | NotComputable,
    signed: Signed = (None, None),
) -> _Series | NotComputable:
    """Pooled points and what they are held against: the signed baseline, else their own, or the shared one if few."""
    points, pending = pool_periods(weeks)
    if not points:
        return NotComputable("fewer patient visits than one point needs")
    unit, study = signed
    if unit is not None:
        return _Series(points, pending, BaselineSource.SIGNED, unit.baseline, unit)
    own = points[: min(BASELINE_POINTS, len(points) // 2)]
    source = BaselineSource.OWN if len(own) >= MIN_BASELINE_POINTS else BaselineSource.SHARED
    baseline = freeze_baseline(own, design) if source is BaselineSource.OWN else shared
    if isinstance(baseline, NotComputable):
        return baseline
    return _Series(points, pending, source, baseline, study if source is BaselineSource.SHARED else None)


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
    points = [point.period for point in trend.chart.points]
    counts = [
        point.count
        for point in (from_baseline_on(points, baseline) if trend.source is BaselineSource.SIGNED else points)
    ]
    return _evidence(counts, baseline.expected_rate, Scatter(baseline.design, baseline.sigma_z))


def _evidence(counts: Sequence[ClusteredCount], rate: float, scatter: Scatter) -> float:
    """The CUSUM's last sum over the counts: what speaks now for twice the odds."""
    factors = [scatter.factor(count) for count in counts]
    steps = scores([count.k for count in counts], [count.n for count in counts], rate, ODDS_RATIO, factors)
    return float(running_sum(steps)[-1]) if counts else 0.0
