"""EWMA of standardised counts: a moving average whose slow drift away from the baseline is a signal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from core.statistics.clustering import ClusteredCount, DesignEffect
from core.statistics.control_chart import Period, counted_with_rates
from core.statistics.funnel import Side
from core.statistics.run_length import (
    IN_CONTROL_RUN,
    MOST_PLANS,
    Scatter,
    count_distribution,
    ewma_run_length,
    hashable_rates,
    require_open_rates,
    threshold_for,
)

Floats = NDArray[np.float64]

WEIGHT = 0.1
"""Share of the newest point; 0.05 to 0.25 are usual, small ones for small changes (Lucas and Saccucci 1990)."""

_WIDEST = 12.0


@dataclass(frozen=True, slots=True)
class EwmaPlan:
    """Weight of the newest point and the threshold of |Z|, in standard deviations of one point.

    ``run_length`` is the mean number of points to a false signal on either side.
    """

    weight: float
    threshold: float
    run_length: float
    scatter: Scatter


@dataclass(frozen=True, slots=True)
class EwmaPoint:
    """The average after a period, in standard deviations of a point, and the side on which it signals."""

    period: Period
    value: float
    signal: Side | None


@dataclass(frozen=True, slots=True)
class Ewma:
    """The averages in order of time."""

    plan: EwmaPlan
    points: tuple[EwmaPoint, ...]


def plan_ewma(
    points: Sequence[ClusteredCount],
    rates: float | Sequence[float],
    design: DesignEffect,
    *,
    weight: float = WEIGHT,
    run_length: float = IN_CONTROL_RUN,
    sigma_z: float = 1.0,
) -> EwmaPlan:
    """The threshold at which points like these (the baseline's) run ``run_length`` points until a false signal.

    ``rates`` is the expected rate of all points, or of each (risk-adjusted); ``sigma_z`` is the baseline's, where
    points vary more than their captures explain. Raises ValueError for a weight outside 0..1, a rate of 0 or 1, or no
    counted point.
    """
    if not 0.0 < weight <= 1.0:
        raise ValueError(f"the weight of the newest point lies above 0 and is at most 1, got {weight}")
    require_open_rates(rates, "an EWMA")
    return _planned(tuple(points), hashable_rates(rates), Scatter(design, sigma_z), weight, run_length)


@lru_cache(maxsize=MOST_PLANS)
def _planned(
    points: tuple[ClusteredCount, ...],
    rates: float | tuple[float, ...],
    scatter: Scatter,
    weight: float,
    run_length: float,
) -> EwmaPlan:
    """A baseline is frozen, and so is its plan: it is worked out once, not with every look."""
    found = count_distribution(points, rates, scatter.design, scatter.sigma_z)
    steps = standardised(found.k, found.n, found.rate, found.factor)
    unit = float(np.sqrt(weight / (2.0 - weight)))

    def length(threshold: float) -> float:
        return ewma_run_length(steps, found.probability, weight, threshold)

    threshold = threshold_for(length, run_length, 0.5 * unit, _WIDEST * unit)
    return EwmaPlan(weight, threshold, length(threshold), scatter)


def ewma(points: Sequence[Period], rates: float | Sequence[float], plan: EwmaPlan) -> Ewma:
    """Run the plan over the points in order of time; periods without any count are left out.

    Roberts 1959, doi:10.1080/00401706.1959.10489860; limits as of a chart that has long run (Lucas and Saccucci 1990,
    doi:10.1080/00401706.1990.10484583).
    """
    counted = counted_with_rates(points, rates)
    z = [
        float(standardised(point.count.k, point.count.n, rate, plan.scatter.factor(point.count)))
        for point, rate in counted
    ]
    values = moving_average(np.array(z), plan.weight)
    drawn = (
        EwmaPoint(point, float(value), _side(float(value), plan.threshold))
        for (point, _), value in zip(counted, values, strict=True)
    )
    return Ewma(plan, tuple(drawn))


def standardised(k: ArrayLike, n: ArrayLike, rate: ArrayLike, factor: ArrayLike = 1.0) -> Floats:
    """(k - n p) / sqrt(n p (1 - p) factor) (...): mean 0 and standard deviation 1 while nothing changes."""
    p, size = np.asarray(rate, np.float64), np.asarray(n, np.float64)
    return np.asarray((np.asarray(k) - size * p) / np.sqrt(size * p * (1.0 - p) * np.asarray(factor)), np.float64)


def moving_average(steps: Floats, weight: float) -> Floats:
    """Z_t = (1 - weight) Z_{t-1} + weight step_t, begun at 0, along the last axis (..., t)."""
    return np.asarray(lfilter([weight], [1.0, weight - 1.0], steps, axis=-1), np.float64)


def _side(value: float, threshold: float) -> Side | None:
    if abs(value) <= threshold:
        return None
    return Side.HIGH if value > 0 else Side.LOW
