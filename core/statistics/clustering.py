"""Counts in clusters, and what clustering costs: intra-cluster correlation, design effect, effective n. Pure.

Captures of one patient visit are not independent. Everything here needs five sums per unit only, so that a database
can keep them as additive counts and no page ever reads single visits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import proportion_confint

from core.statistics.proportions import NOTHING_COUNTED, Proportion
from core.values import NotComputable

Floats = NDArray[np.float64]

_SMALLEST = 1e-9
"""Below this a difference of sums is rounding, not information."""


@dataclass(frozen=True, slots=True)
class ClusteredCount:
    """``k`` of ``n`` in clusters (patient visits), as sums over the clusters j with k_j of n_j each; sums add up.

    Attributes
    ----------
    k, n : int
        Sum of k_j and of n_j, 0 <= k <= n.
    n_clusters : int
        Clusters with n_j > 0.
    kk, kn, nn : int
        Sums of k_j squared, of k_j n_j, and of n_j squared.
    """

    k: int = 0
    n: int = 0
    n_clusters: int = 0
    kk: int = 0
    kn: int = 0
    nn: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n or self.n_clusters > self.n or self.nn < self.n or self.kk > self.nn:
            raise ValueError(f"{self} are no sums over clusters with 0 <= k_j <= n_j")

    @classmethod
    def of_clusters(cls, k: ArrayLike, n: ArrayLike, times: ArrayLike = 1) -> "ClusteredCount":
        """From the clusters themselves: ``k`` and ``n`` (clusters,); empty clusters are left out.

        ``times`` says how many clusters there are of each kind: visits counted by composition.
        """
        hits, sizes, numbers = np.asarray(k, np.int64), np.asarray(n, np.int64), np.asarray(times, np.int64)
        if hits.shape != sizes.shape or (hits < 0).any() or (hits > sizes).any() or (numbers < 0).any():
            raise ValueError("every cluster needs one k and one n with 0 <= k <= n, and none can be there -1 times")
        sums = (hits, sizes, sizes > 0, hits * hits, hits * sizes, sizes * sizes)
        return cls(*(int((each * numbers).sum()) for each in sums))

    @classmethod
    def independent(cls, k: int, n: int) -> "ClusteredCount":
        """``k`` of ``n`` that are each a cluster of its own."""
        return cls(k, n, n, k, k, n)

    def __add__(self, other: "ClusteredCount") -> "ClusteredCount":
        """Clusters of both together; the two must share none."""
        return ClusteredCount(
            self.k + other.k,
            self.n + other.n,
            self.n_clusters + other.n_clusters,
            self.kk + other.kk,
            self.kn + other.kn,
            self.nn + other.nn,
        )

    @property
    def rate(self) -> float | NotComputable:
        """The share k / n, 0..1."""
        return self.k / self.n if self.n else NOTHING_COUNTED


def total(counts: Sequence[ClusteredCount]) -> ClusteredCount:
    """All counts together; the empty count where there are none."""
    return sum(counts, ClusteredCount())


@dataclass(frozen=True, slots=True)
class DesignEffect:
    """By how much clustering inflates the variance of a rate, as one correlation pooled within all units.

    ``correlation`` is the intra-cluster correlation, 0..1; ``n_units`` and ``n_clusters`` say what it rests on.
    """

    correlation: float
    n_units: int
    n_clusters: int

    def factor(self, count: ClusteredCount) -> float:
        """1 + (m - 1) correlation, >= 1, with m = sum n_j^2 / sum n_j of this unit; 1 without any count.

        Kish 1965, Survey Sampling, section 8.2; for clusters of unequal size Kerry and Bland 2001,
        doi:10.1002/1097-0258(20010215)20:3<377::AID-SIM799>3.0.CO;2-N.
        """
        return 1.0 + self.correlation * (count.nn / count.n - 1.0) if count.n else 1.0

    def effective_n(self, count: ClusteredCount) -> float:
        """The n over the factor: as many independent captures would say as much."""
        return count.n / self.factor(count)


INDEPENDENT = DesignEffect(0.0, 0, 0)
"""No clustering: what to give where every cluster is a single capture."""


def design_effect(units: Sequence[ClusteredCount]) -> DesignEffect:
    """The design effect pooled within units; correlation 0 where no cluster holds two captures.

    Every unit is compared with its own rate, so that a bad unit does not inflate it: dividing z by the root of its
    mean square over units does (docs/adr/0010). Units share the correlation, not the rate.
    """
    counted = [unit for unit in units if unit.n]
    columns = (np.array([getattr(unit, name) for unit in counted], np.float64) for name in ("k", "n", "kk", "kn", "nn"))
    correlation = float(intra_cluster_correlation(*columns)) if counted else 0.0
    return DesignEffect(correlation, len(counted), sum(unit.n_clusters for unit in counted))


def intra_cluster_correlation(k: Floats, n: Floats, kk: Floats, kn: Floats, nn: Floats) -> Floats:
    """Intra-cluster correlation (...) from the sums of units (..., units), pooled within units, cut to 0..1.

    Moment estimator. In unit i with p = k/n the squared residuals sum to S = kk - 2 p kn + p^2 nn, and
    E S ~ P Q (n + rho (nn - n)) (1 - nn/n^2), the last factor for the fitted rate; E[p (1 - p)] =
    P Q (1 - (1 + rho (nn/n - 1)) / n). Both are summed over units and solved for rho. It is the ratio estimator of a
    clustered rate's variance (Rao and Scott 1992, doi:10.2307/2532311, eq. 2) written as a correlation, so that units
    with clusters of other sizes can share it. A unit of one cluster says nothing and is left out.
    """
    n = np.where(n > 0, n, 1.0)
    spread = 1.0 - nn / n**2
    tells = spread > _SMALLEST
    rate = k / n
    residual = np.where(tells, kk - 2.0 * rate * kn + rate**2 * nn, 0.0) / np.where(tells, spread, 1.0)
    observed = residual.sum(axis=-1)
    binomial = np.where(tells, n * rate * (1.0 - rate), 0.0).sum(axis=-1)
    n_all, n_units, squares, mean_sizes = (
        np.where(tells, each, 0.0).sum(axis=-1) for each in (n, np.ones_like(n), nn, nn / n)
    )
    ratio = observed / np.where(binomial > _SMALLEST, binomial, 1.0)
    excess = ratio * (n_all - n_units) - n_all
    leverage = (squares - n_all) + ratio * (mean_sizes - n_units)
    is_known = (binomial > _SMALLEST) & (leverage > _SMALLEST)
    found = np.where(is_known, excess / np.where(is_known, leverage, 1.0), 0.0)
    return np.asarray(np.clip(found, 0.0, 1.0), np.float64)


def clustered_interval(
    count: ClusteredCount, design: DesignEffect, confidence: float = 0.95
) -> Proportion | NotComputable:
    """The rate with Wilson's interval on the effective n; ``k`` and ``n`` stay the captures that were counted.

    Wilson 1927, doi:10.1080/01621459.1927.10502953, with n / design effect for n as Korn and Graubard 1998 do (Survey
    Methodology 24:193). Assumes the correlation of ``design`` for this unit, too.
    """
    if not count.n:
        return NOTHING_COUNTED
    return clustered_intervals([count], [design.effective_n(count)], confidence)[0]


def interval_on_effective_n(k: int, n: int, factor: float) -> Proportion | NotComputable:
    """``k`` of ``n`` with Wilson's 95 % interval on n / ``factor``: for counts whose own clusters were not kept.

    ``factor`` (>= 1) is the design effect of the counts they belong to (``DesignEffect.factor``).
    """
    if not n:
        return NOTHING_COUNTED
    return clustered_intervals([ClusteredCount.independent(k, n)], [n / factor])[0]


def proportion_or_none(k: int, n: int, factor: float) -> Proportion | None:
    """The same for pages and charts that show nothing where nothing was counted: None there."""
    match interval_on_effective_n(k, n, factor):
        case Proportion() as rate:
            return rate
        case NotComputable():
            return None


def proportions(counts: Sequence[tuple[int, int]], factor: float) -> tuple[Proportion | None, ...]:
    """``proportion_or_none`` of many (k, n) at once: one by one they take a tenth of a millisecond each."""
    known = [ClusteredCount.independent(k, n) for k, n in counts if n]
    found = iter(clustered_intervals(known, [count.n / factor for count in known])) if known else iter(())
    return tuple(next(found) if n else None for _, n in counts)


def clustered_intervals(
    counts: Sequence[ClusteredCount], effective_n: ArrayLike, confidence: float = 0.95
) -> tuple[Proportion, ...]:
    """``clustered_interval`` of many counts with n > 0 at once, on effective n (counts,) that are already known."""
    values, sizes = np.array([count.k / count.n for count in counts]), np.asarray(effective_n, np.float64)
    low, high = proportion_confint(values * sizes, sizes, alpha=1.0 - confidence, method="wilson")
    bounds = zip(counts, values.tolist(), np.minimum(low, values), np.maximum(high, values), strict=True)
    return tuple(
        Proportion(value, float(lower), float(upper), count.k, count.n, confidence)
        for count, value, lower, upper in bounds
    )
