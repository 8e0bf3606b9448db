"""How long a chart runs until it first signals: exact for its own discrete counts, by a Markov chain. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from core.statistics.clustering import ClusteredCount, DesignEffect

Floats = NDArray[np.float64]

IN_CONTROL_RUN = 500.0
"""Points between two false signals of one chart: with weekly points some ten years."""

MOST_PLANS = 512
"""So many charts' plans are kept."""

_N_STATES = 120
_MAX_CORRELATION = 0.999
_CLOSE_ENOUGH = 0.005
_LEAST_SHARE = 1e-4
_MOST_KINDS = 50
"""Of more points every second, third, ... by size stands for its neighbours: years of weeks differ little in size."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """How much more counts vary than those of independent captures with a constant rate.

    ``sigma_z`` is the baseline's excess spread between points, >= 1, beyond what the captures' clustering explains.
    """

    design: DesignEffect
    sigma_z: float = 1.0

    def factor(self, count: ClusteredCount) -> float:
        """Variance of the count over that of independent captures, >= 1."""
        return self.design.factor(count) * self.sigma_z**2


@dataclass(frozen=True, slots=True)
class CountDistribution:
    """The counts that points may show while nothing changes: ``k`` of ``n`` with ``probability``, (atoms,) each.

    ``rate`` is what is expected of the atom's point, ``factor`` its excess variance; probabilities sum to 1.
    """

    k: Floats
    n: Floats
    rate: Floats
    factor: Floats
    probability: Floats


def require_open_rates(rates: float | Sequence[float], chart: str) -> None:
    """ValueError where an expected rate is 0 or 1: any other count would then be certain evidence of change."""
    if not ((np.asarray(rates) > 0.0) & (np.asarray(rates) < 1.0)).all():
        raise ValueError(f"{chart} needs expected rates between 0 and 1, exclusive: at 0 or 1 any change is certain")


def hashable_rates(rates: float | Sequence[float]) -> float | tuple[float, ...]:
    """The same rate, or rates as a tuple: what a kept plan is found by."""
    return float(rates) if isinstance(rates, int | float) else tuple(float(rate) for rate in rates)


def count_distribution(
    points: Sequence[ClusteredCount], rates: float | Sequence[float], design: DesignEffect, sigma_z: float = 1.0
) -> CountDistribution:
    """The in-control distribution of points of these sizes, each equally likely.

    A point's count is beta-binomial with the mean of its rate and the variance n p (1 - p) factor, the factor being its
    design effect times ``sigma_z`` squared (the baseline's excess spread between points); binomial where that is 1.
    ``rates`` is the expected rate of every point, or one per point (risk-adjusted). Raises ValueError without any
    counted point.
    """
    expected = np.broadcast_to(np.asarray(rates, np.float64), len(points))
    scatter = Scatter(design, sigma_z)
    # Weeks of the same size and rate are many; their distribution is computed once.
    kinds = Counter(
        (point.n, float(rate), scatter.factor(point)) for point, rate in zip(points, expected, strict=True) if point.n
    )
    if len(kinds) > _MOST_KINDS:
        in_order = sorted(kinds.elements())
        kinds = Counter(in_order[:: math.ceil(len(in_order) / _MOST_KINDS)])
    if not kinds:
        raise ValueError("a chart's run length needs at least one counted point")
    atoms = [_atoms(*kind, times) for kind, times in kinds.items()]
    k, n, rate, factor, probability = np.concatenate(atoms, axis=1)
    return CountDistribution(k, n, rate, factor, probability / probability.sum())


def _atoms(n: int, rate: float, factor: float, times: int) -> Floats:
    """Rows k, n, rate, factor and weight of a kind of point that is there so many ``times`` (5, n + 1)."""
    counts = np.arange(n + 1)
    correlation = min((factor - 1.0) / max(n - 1, 1), _MAX_CORRELATION)
    if correlation > 0.0 and 0.0 < rate < 1.0:
        strength = 1.0 / correlation - 1.0
        probability = betabinom.pmf(counts, n, rate * strength, (1.0 - rate) * strength)
    else:
        probability = binom.pmf(counts, n, rate)
    ones = np.ones(len(counts))
    return np.stack([counts, n * ones, rate * ones, factor * ones, times * probability])


def cusum_run_length(steps: Floats, probability: Floats, threshold: float) -> float:
    """Mean number of points until C = max(0, C + step), begun at 0, exceeds ``threshold``; inf where it never does.

    Brook and Evans 1972, doi:10.1093/biomet/59.3.539: a Markov chain over a grid of C; a step between two grid points
    is split between them so that its mean stays.
    """
    width = threshold / (_N_STATES - 0.5)
    moved = np.clip(steps / width, -_N_STATES, _N_STATES)
    at = np.floor(moved).astype(np.int64)
    share = moved - at
    kernel = np.zeros(2 * _N_STATES + 2)
    np.add.at(kernel, at + _N_STATES, probability * (1.0 - share))
    np.add.at(kernel, at + _N_STATES + 1, probability * share)
    states = np.arange(_N_STATES)
    passage = kernel[states[None, :] - states[:, None] + _N_STATES]
    # Everything that would fall below 0 stays at 0.
    passage[:, 0] = np.cumsum(kernel)[_N_STATES - states]
    return _mean_passage(passage, 0)


def ewma_run_length(steps: Floats, probability: Floats, weight: float, threshold: float) -> float:
    """Mean number of points until |Z| exceeds ``threshold``, Z = (1 - weight) Z + weight step, begun at 0.

    Lucas and Saccucci 1990, doi:10.1080/00401706.1990.10484583, section 2, the chain of Brook and Evans.
    """
    n_side = _N_STATES // 2
    width = threshold / (n_side + 0.5)
    states = np.arange(-n_side, n_side + 1)
    grid, mass = _rebinned(weight * steps / width, probability)
    moved = (1.0 - weight) * states[:, None] + grid[None, :]
    at = np.floor(moved).astype(np.int64)
    share = moved - at
    passage = np.zeros((len(states), len(states)))
    rows = np.broadcast_to(np.arange(len(states))[:, None], at.shape)
    for column, part in ((at + n_side, mass * (1.0 - share)), (at + n_side + 1, mass * share)):
        is_in = (column >= 0) & (column < len(states))
        np.add.at(passage, (rows[is_in], column[is_in]), part[is_in])
    return _mean_passage(passage, n_side)


def _rebinned(values: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """The same distribution on a lattice of a quarter, means kept: a chart of many sizes has thousands of atoms."""
    fine = np.clip(4.0 * values, -4.0 * _N_STATES, 4.0 * _N_STATES)
    at = np.floor(fine).astype(np.int64)
    share, first = fine - at, int(at.min())
    mass = np.zeros(int(at.max()) - first + 2)
    np.add.at(mass, at - first, probability * (1.0 - share))
    np.add.at(mass, at - first + 1, probability * share)
    kept = np.flatnonzero(mass)
    return (kept + first) / 4.0, mass[kept]


def _mean_passage(passage: Floats, start: int) -> float:
    """Mean number of steps until the chain leaves the states of ``passage`` (states, states)."""
    leaving = np.eye(len(passage)) - passage
    try:
        mean = float(np.linalg.solve(leaving, np.ones(len(passage)))[start])
    except np.linalg.LinAlgError:
        return float("inf")
    return mean if 0.0 < mean < 1.0 / np.finfo(np.float64).eps else float("inf")


def threshold_for(run_length: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """The threshold between ``low`` and ``high`` at which a growing ``run_length`` is ``wanted``, within 0.5 %.

    Where counts are so few that run lengths jump, the smallest threshold whose run is at least the wanted one. Where
    points are so large that every run is longer, almost ``low``: any step beyond it signals.
    """
    least = low + _LEAST_SHARE * (high - low)
    while high - low > _CLOSE_ENOUGH * high / 2.0 and high > least:
        middle = (low + high) / 2.0
        found = run_length(middle)
        if abs(found / wanted - 1.0) < _CLOSE_ENOUGH:
            return middle
        low, high = (middle, high) if found < wanted else (low, middle)
    return high
