"""Shrunken rates: every unit's rate drawn towards the others' as far as its own numbers are weak. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, expit, logit

from core.statistics.clustering import ClusteredCount, DesignEffect, design_effect
from core.statistics.proportions import NOTHING_COUNTED
from core.values import NotComputable

Floats = NDArray[np.float64]

MIN_UNITS = 3
"""With fewer units nothing can be learned about how far units differ."""

_N_MEANS, _N_WEIGHTS = 21, 20
"""Points of the grid over the population's mean and over how much a unit of middling size is drawn towards it."""
_REACH = 4.0
"""The grid of means spans so many standard errors of the mean to each side."""


@dataclass(frozen=True, slots=True)
class ShrunkenRate:
    """A unit's rate after shrinkage with its interval, 0..1; ``own_weight`` is the share its own numbers have in it."""

    value: float
    low: float
    high: float
    own_weight: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """The population of units as estimated (mean and standard deviation of their true rates), and every unit's rate.

    ``rates`` come in the order of the units; a unit without any count has the population's own.
    """

    mean: float
    between_sd: float
    design: DesignEffect
    rates: tuple[ShrunkenRate, ...]


def shrink(
    units: Sequence[ClusteredCount], *, design: DesignEffect | None = None, confidence: float = 0.95
) -> Shrinkage | NotComputable:
    """Empirical-Bayes rates of all units on their effective n; not computable with fewer than three counted units.

    Beta-binomial model: true rates are Beta(mu M, (1 - mu) M), and k of the effective n is binomial (Kleinman 1973,
    doi:10.1080/01621459.1973.10481332). mu and M are not fixed at an estimate, which makes intervals too narrow with
    few units (Kass and Steffey 1989, doi:10.1080/01621459.1989.10478825), but weighted by their likelihood over a grid,
    uniform in logit mu and in the variance between units (Morris and Tang 2011, doi:10.1214/10-STS349, for the normal
    model; with it intervals keep their coverage also where few units differ little). Each unit's mixture is summed up
    by the Beta of the same mean and variance.
    Assumes exchangeable units: give it sites of one kind, or standardised counts.
    """
    counted = [unit for unit in units if unit.n]
    if not counted:
        return NOTHING_COUNTED
    if len(counted) < MIN_UNITS:
        return NotComputable(f"fewer than {MIN_UNITS} units: how far units differ cannot be estimated")
    used = design_effect(counted) if design is None else design
    effective_n = np.array([used.effective_n(unit) for unit in units])
    hits = effective_n * np.array([unit.k / unit.n if unit.n else 0.0 for unit in units])
    return _summed_up(hits, effective_n, used, confidence)


def _summed_up(hits: Floats, sizes: Floats, design: DesignEffect, confidence: float) -> Shrinkage:
    means, totals, weights = _population(hits[sizes > 0], sizes[sizes > 0])
    a = (means * totals)[:, None] + hits  # (grid, units)
    whole = totals[:, None] + sizes
    centre = a / whole
    value = weights @ centre
    spread = weights @ (centre * (1.0 - centre) / (whole + 1.0) + centre**2) - value**2
    strength = np.maximum(value * (1.0 - value) / spread - 1.0, np.finfo(np.float64).tiny)
    tail = (1.0 - confidence) / 2.0
    low, high = (betaincinv(value * strength, (1.0 - value) * strength, at) for at in (tail, 1.0 - tail))
    own = weights @ (sizes / whole)
    mean = float(weights @ means)
    variance = float(weights @ (means * (1.0 - means) / (totals + 1.0) + means**2)) - mean**2
    rates = (
        ShrunkenRate(float(v), min(float(lo), float(v)), max(float(hi), float(v)), float(w), confidence)
        for v, lo, hi, w in zip(value, low, high, own, strict=True)
    )
    return Shrinkage(mean, float(np.sqrt(max(variance, 0.0))), design, tuple(rates))


def _population(hits: Floats, sizes: Floats) -> tuple[Floats, Floats, Floats]:
    """Means, totals M and weights (grid,) of the populations that may lie behind the units; weights sum to 1."""
    # Half a count on each side keeps the logit finite where every unit has nought, or all.
    pooled = (hits.sum() + 0.5) / (sizes.sum() + 1.0)
    middling = float(np.median(sizes))
    between = max(float(np.average((hits / sizes - pooled) ** 2, weights=sizes)), pooled * (1.0 - pooled) / sizes.sum())
    error = np.sqrt(between / len(sizes) + pooled * (1.0 - pooled) / sizes.sum()) / (pooled * (1.0 - pooled))
    means = expit(logit(pooled) + np.linspace(-_REACH, _REACH, _N_MEANS) * error)
    pull = (np.arange(_N_WEIGHTS) + 0.5) / _N_WEIGHTS
    totals = middling * pull / (1.0 - pull)
    mean, whole = (each.ravel() for each in np.meshgrid(means, totals, indexing="ij"))
    a, b = (mean * whole)[:, None], ((1.0 - mean) * whole)[:, None]
    likelihood = (betaln(a + hits, b + sizes - hits) - betaln(a, b)).sum(axis=1)
    # The grid is even in the pull B of a middling unit; variance ~ 1 / (M + 1), so its step is (M + 1)^-2 (1 - B)^-2.
    variance_per_step = (whole + 1.0) ** -2 * (1.0 + whole / middling) ** 2
    weights = np.exp(likelihood - likelihood.max()) * variance_per_step
    return mean, whole, weights / weights.sum()
