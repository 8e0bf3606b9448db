"""Indirectly standardised rates: what a unit would show with everybody's mix of cases. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect
from core.statistics.funnel import ALARM_LEVEL, MIN_COUNTED, two_sided_p
from core.statistics.proportions import NOTHING_COUNTED
from core.values import NotComputable

Floats = NDArray[np.float64]

NOTHING_EXPECTED = NotComputable("no capture of these kinds has the outcome anywhere")

_FARTHEST = 20.0
"""On the logit scale: odds of a billion to one, beyond any count, and still apart from 1 in double precision."""


@dataclass(frozen=True, slots=True)
class CaseMix:
    """A unit's count, whole and as ``k`` of ``n`` per stratum (kind, slab, field, age group, diagnosis together).

    ``count`` carries the clusters: a visit's captures may fall into several strata. Raises ValueError where the strata
    do not add up to it.
    """

    count: ClusteredCount
    strata: Mapping[str, tuple[int, int]]

    def __post_init__(self) -> None:
        k, n = (sum(each[place] for each in self.strata.values()) for place in (0, 1))
        if (k, n) != (self.count.k, self.count.n) or any(not 0 <= k <= n for k, n in self.strata.values()):
            raise ValueError(f"strata add up to {k} of {n}, the unit has {self.count.k} of {self.count.n}")


@dataclass(frozen=True, slots=True)
class StandardisedRate:
    """A unit's rate as if its cases were those of the standard.

    Attributes
    ----------
    value, low, high : float
        Ratio times the standard's overall rate, with its interval; may exceed 1 where all cases are easy and many fail.
    ratio, low_ratio, high_ratio : float
        Observed over expected count; 1 is as expected.
    observed : int
        k of the unit.
    expected : float
        Count that the standard's stratum rates foresee for the unit's own cases, > 0.
    p_value : float
        Two-sided, of the observed count against the expected one, on the effective n: for a funnel or its control of
        false discoveries.
    """

    value: float
    low: float
    high: float
    ratio: float
    low_ratio: float
    high_ratio: float
    observed: int
    expected: float
    p_value: float
    confidence: float


def standardise(
    units: Sequence[CaseMix],
    *,
    standard: Mapping[str, tuple[int, int]] | None = None,
    design: DesignEffect | None = None,
    confidence: float = 0.95,
) -> tuple[StandardisedRate | NotComputable, ...]:
    """Indirectly standardised rates in the order of the units.

    observed / expected times the overall rate (Breslow and Day 1987, IARC Scientific Publications 82, section 2.3);
    ``standard`` gives k of n per stratum, all units together where none is given. The interval moves all the unit's
    stratum odds by one common factor until the observed count lies z standard errors away: Wilson's interval where
    there is one stratum. Variances are inflated by the design effect.

    Assumes that a unit differs from the standard by the same odds ratio in every stratum, and takes the standard's
    rates for known: with few units, or one that holds most captures, intervals are too narrow.
    """
    reference = _pooled(units) if standard is None else standard
    used = design_effect([unit.count for unit in units]) if design is None else design
    k, n = (sum(each[place] for each in reference.values()) for place in (0, 1))
    return tuple(_standardised(unit, reference, k / max(n, 1), used, confidence) for unit in units)


def usual_standard(
    units: Sequence[CaseMix], *, design: DesignEffect, min_counted: int = MIN_COUNTED
) -> tuple[dict[str, tuple[int, int]], tuple[int, ...]]:
    """The standard of all units without those that are not usual for their cases, and the places of those left out.

    As ``funnel.usual_rate``, but each unit is held against what its own cases foresee: a unit that was sent hard cases
    stays in, and lends the standard what it knows of them. While a unit beyond the 99.8 % limits is left the farthest
    goes; less than half of those with ``min_counted`` captures go, and none that alone holds a kind of case.
    """
    if not units:
        return {}, ()
    names = list(_pooled(units))
    k, n = (
        np.array([[unit.strata.get(name, (0, 0))[place] for name in names] for unit in units], np.float64)
        for place in (0, 1)
    )
    sizes = np.array([design.effective_n(unit.count) for unit in units])
    counted = np.maximum(n.sum(axis=1), 1.0)
    is_judged, is_in = n.sum(axis=1) >= min_counted, np.ones(len(units), np.bool_)
    while True:
        of_standard = n[is_in].sum(axis=0)
        expected = n @ (k[is_in].sum(axis=0) / np.maximum(of_standard, 1.0))
        is_replaceable = ((n == 0.0) | (n < of_standard)).all(axis=1)
        p_values = two_sided_p(k.sum(axis=1) / counted, sizes, expected / counted)
        p_values = np.where(is_in & is_judged & is_replaceable, p_values, 1.0)
        farthest = int(np.argmin(p_values))
        if p_values[farthest] >= 1.0 - ALARM_LEVEL or 2 * ((~is_in).sum() + 1) >= is_judged.sum():
            break
        is_in[farthest] = False
    standard = _pooled([unit for unit, stays in zip(units, is_in, strict=True) if stays])
    return standard, tuple(np.flatnonzero(~is_in).tolist())


def _pooled(units: Sequence[CaseMix]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for unit in units:
        for stratum, (k, n) in unit.strata.items():
            so_far = sums.get(stratum, (0, 0))
            sums[stratum] = (so_far[0] + k, so_far[1] + n)
    return sums


def _standardised(
    unit: CaseMix,
    standard: Mapping[str, tuple[int, int]],
    overall: float,
    design: DesignEffect,
    confidence: float,
) -> StandardisedRate | NotComputable:
    if not unit.count.n:
        return NOTHING_COUNTED
    strata = [stratum for stratum, (_, n) in unit.strata.items() if n]
    unknown = [stratum for stratum in strata if not standard.get(stratum, (0, 0))[1]]
    if unknown:
        return NotComputable(f"the standard holds no case like {unknown[0]}")
    k, n = np.array([standard[stratum] for stratum in strata], np.float64).T
    own = np.array([unit.strata[stratum][1] for stratum in strata], np.float64)
    expected = float(own @ (k / n))
    if not expected:
        return NOTHING_EXPECTED
    # A stratum of none or all has no odds to move: half a capture is lent to it.
    rates = np.where((k == 0) | (k == n), (k + 0.5) / (n + 1.0), k / n)
    bounds = _bounds(unit.count, own, logit(rates), design.factor(unit.count), confidence)
    ratio = unit.count.k / expected
    low, high = min(bounds[0] / expected, ratio), max(bounds[1] / expected, ratio)
    p_value = two_sided_p([unit.count.k / unit.count.n], [design.effective_n(unit.count)], expected / unit.count.n)
    return StandardisedRate(
        value=ratio * overall,
        low=low * overall,
        high=high * overall,
        ratio=ratio,
        low_ratio=low,
        high_ratio=high,
        observed=unit.count.k,
        expected=expected,
        p_value=float(p_value[0]),
        confidence=confidence,
    )


def _bounds(
    count: ClusteredCount, own: Floats, log_odds: Floats, factor: float, confidence: float
) -> tuple[float, float]:
    """Expected counts, as many standard errors below and above the observed one as the confidence asks."""
    z = float(norm.ppf((1.0 + confidence) / 2.0))

    def foreseen(shift: float) -> float:
        return float(own @ expit(log_odds + shift))

    def distance(shift: float, wanted: float) -> float:
        rates = expit(log_odds + shift)
        return (count.k - float(own @ rates)) - wanted * float(np.sqrt(factor * (own @ (rates * (1.0 - rates)))))

    low = 0.0 if count.k == 0 else foreseen(brentq(distance, -_FARTHEST, _FARTHEST, args=(z,)))
    high = float(count.n) if count.k == count.n else foreseen(brentq(distance, -_FARTHEST, _FARTHEST, args=(-z,)))
    return low, high
