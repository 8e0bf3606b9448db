"""Risk-adjusted CUSUM of counts: adds up small evidence of a changed rate until it is enough. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.statistics.clustering import ClusteredCount, DesignEffect
from core.statistics.control_chart import Period, counted_with_rates
from core.statistics.run_length import (
    IN_CONTROL_RUN,
    MOST_PLANS,
    Scatter,
    count_distribution,
    cusum_run_length,
    hashable_rates,
    require_open_rates,
    threshold_for,
)

Floats = NDArray[np.float64]

ODDS_RATIO = 2.0
"""The change looked for: odds doubled, for instance 20 % poor captures instead of 11 %, or 56 % instead of 39 %."""

_HIGHEST_THRESHOLD = 40.0


@dataclass(frozen=True, slots=True)
class CusumPlan:
    """What a CUSUM looks for and when it signals, fixed with the baseline.

    ``odds_ratio`` above 1 looks for a risen rate, below 1 for a fallen one; ``threshold`` is in units of the log
    likelihood ratio; ``run_length`` is the mean number of points to a false signal.
    """

    odds_ratio: float
    threshold: float
    run_length: float
    scatter: Scatter


@dataclass(frozen=True, slots=True)
class CusumPoint:
    """The sum after a period, >= 0, and whether it is beyond the threshold."""

    period: Period
    value: float
    is_signal: bool


@dataclass(frozen=True, slots=True)
class Cusum:
    """The sums in order of time. ``changed_after`` is the last day before the sum left 0 for the latest signal."""

    plan: CusumPlan
    points: tuple[CusumPoint, ...]
    changed_after: date | None


def plan_cusum(
    points: Sequence[ClusteredCount],
    rates: float | Sequence[float],
    design: DesignEffect,
    *,
    odds_ratio: float = ODDS_RATIO,
    run_length: float = IN_CONTROL_RUN,
    sigma_z: float = 1.0,
) -> CusumPlan:
    """The threshold at which points like these (the baseline's) run ``run_length`` points until a false signal.

    ``rates`` is the expected rate of all points, or of each (risk-adjusted); ``sigma_z`` is the baseline's, where
    points vary more than their captures explain. Exact for the counts' own distribution (core.statistics.run_length),
    not for the error of a rate that was estimated from few points: docs/statistics.md.
    Raises ValueError for an odds ratio of 1, a rate of 0 or 1, or no counted point.
    """
    if not odds_ratio > 0.0 or odds_ratio == 1.0:
        raise ValueError(f"an odds ratio to look for is above 0 and not 1, got {odds_ratio}")
    require_open_rates(rates, "a CUSUM")
    return _planned(tuple(points), hashable_rates(rates), Scatter(design, sigma_z), odds_ratio, run_length)


@lru_cache(maxsize=MOST_PLANS)
def _planned(
    points: tuple[ClusteredCount, ...],
    rates: float | tuple[float, ...],
    scatter: Scatter,
    odds_ratio: float,
    run_length: float,
) -> CusumPlan:
    """A baseline is frozen, and so is its plan: it is worked out once, not with every look."""
    found = count_distribution(points, rates, scatter.design, scatter.sigma_z)
    steps = scores(found.k, found.n, found.rate, odds_ratio, found.factor)

    def length(threshold: float) -> float:
        return cusum_run_length(steps, found.probability, threshold)

    threshold = threshold_for(length, run_length, 0.0, _HIGHEST_THRESHOLD)
    return CusumPlan(odds_ratio, threshold, length(threshold), scatter)


def cusum(points: Sequence[Period], rates: float | Sequence[float], plan: CusumPlan) -> Cusum:
    """Run the plan over the points in order of time; periods without any count are left out.

    Steiner, Cook, Farewell and Treasure 2000, doi:10.1093/biostatistics/1.4.441, eq. 2.1 and 2.2. The sum is not reset
    by a signal: it falls back by itself when the rate does.
    """
    counted = counted_with_rates(points, rates)
    steps = [
        float(scores(point.count.k, point.count.n, rate, plan.odds_ratio, plan.scatter.factor(point.count)))
        for point, rate in counted
    ]
    values = running_sum(np.array(steps))
    drawn = tuple(
        CusumPoint(point, float(value), bool(value > plan.threshold))
        for (point, _), value in zip(counted, values, strict=True)
    )
    return Cusum(plan, drawn, _changed_after(drawn))


def scores(k: ArrayLike, n: ArrayLike, rate: ArrayLike, odds_ratio: float, factor: ArrayLike = 1.0) -> Floats:
    """Log likelihood ratio of ``k`` of ``n`` (...) for odds times ``odds_ratio``, over the design effect ``factor``.

    k log R - n log(1 - p + R p): the sum of eq. 2.2 of Steiner et al. 2000 over n captures of the same expected rate.
    Clustered captures say less, by their design effect.
    """
    p = np.asarray(rate, np.float64)
    gain = np.asarray(k) * np.log(odds_ratio) - np.asarray(n) * np.log(1.0 - p + odds_ratio * p)
    return np.asarray(gain / np.asarray(factor), np.float64)


def running_sum(steps: Floats) -> Floats:
    """C_t = max(0, C_{t-1} + step_t), begun at 0, along the last axis (..., t): the sum less its smallest so far."""
    added = np.cumsum(steps, axis=-1)
    return np.asarray(added - np.minimum(np.minimum.accumulate(added, axis=-1), 0.0), np.float64)


def _changed_after(points: Sequence[CusumPoint]) -> date | None:
    signals = [place for place, point in enumerate(points) if point.is_signal]
    if not signals:
        return None
    quiet = [point.period.ends_on for point in points[: signals[-1]] if point.value <= 0.0]
    # A sum that was never at 0 left it with the first point.
    return quiet[-1] if quiet else points[0].period.starts_on
