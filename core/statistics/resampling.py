"""Intervals that resample groups of images (subjects, near duplicates), never single images of one group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

N_RESAMPLES = 1000
MIN_VALID_SHARE = 0.5
"""Where fewer resamples than this allow the figure (one class only), it rests on a handful of images: not reported."""

_SEED = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval; ``low <= value <= high``."""

    value: float
    low: float
    high: float


Indices = NDArray[np.intp]
Statistic = Callable[[Indices], Mapping[str, float | None]]
"""Takes image indices (with repetitions) and gives named figures; None where the images allow none."""


def bootstrap(statistic: Statistic, groups: Sequence[str], *, confidence: float = 0.95) -> dict[str, Interval]:
    """Each figure of all images with its interval; figures that have no value are left out.

    The expanded percentile interval (Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 5): the plain
    percentiles are too narrow by the factor sqrt((n - 1) / n) and by z instead of t, which matters below some 50
    groups. Groups are drawn with replacement, all images of a group together (Davison and Hinkley 1997, section 3.8).
    A bound never excludes the value itself: statistics such as the calibration error are biased under resampling.

    Parameters
    ----------
    groups : sequence of str
        The group of each image; images of one group are not independent.
    """
    if not groups:
        return {}
    values = statistic(np.arange(len(groups)))
    members = _members(groups)
    rng = np.random.default_rng(_SEED)
    resampled: dict[str, list[float]] = {name: [] for name, value in values.items() if value is not None}
    for _ in range(N_RESAMPLES):
        drawn = rng.integers(len(members), size=len(members))
        figures = statistic(np.concatenate([members[index] for index in drawn]))
        for name, found in resampled.items():
            figure = figures[name]
            if figure is not None:
                found.append(figure)
    tail = expanded_tail(len(members), confidence)
    return {
        name: _interval(value, resampled[name], tail)
        for name, value in values.items()
        if value is not None and len(resampled[name]) >= MIN_VALID_SHARE * N_RESAMPLES
    }


def bootstrap_by_subject(
    statistic: Callable[[Indices], float | None], subjects: Sequence[str], *, confidence: float = 0.95
) -> Interval | None:
    """``bootstrap`` of a single figure; None where it has no value."""
    return bootstrap(lambda index: {"": statistic(index)}, subjects, confidence=confidence).get("")


def share_interval(is_hit: NDArray[np.bool_], groups: Sequence[str], *, confidence: float = 0.95) -> Interval | None:
    """The share of hits and its interval; None without images.

    Exact (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404) where every image is a group of its own, and where
    all images agree: then every resample agrees as well, and 12 of 12 would be given as a certainty. In that case the
    groups are counted, not the images.
    """
    if not len(is_hit):
        return None
    n_groups = len(set(groups))
    value = float(is_hit.mean())
    if n_groups == len(groups) or value in {0.0, 1.0}:
        low, high = proportion_confint(round(value * n_groups), n_groups, alpha=1 - confidence, method="beta")
        return Interval(value, min(float(low), value), max(float(high), value))
    members = _members(groups)
    k, n = np.array([(is_hit[member].sum(), len(member)) for member in members]).T
    # The draws of ``bootstrap``, all at once: a share needs no image twice.
    drawn = np.random.default_rng(_SEED).integers(n_groups, size=(N_RESAMPLES, n_groups))
    shares = k[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    return _interval(value, shares, expanded_tail(n_groups, confidence))


def _members(groups: Sequence[str]) -> list[Indices]:
    """Image indices of each group, groups in the order of their names."""
    _, group_of = np.unique(np.array(groups, dtype=str), return_inverse=True)
    order = np.argsort(group_of, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1))


def expanded_tail(n_groups: int, confidence: float) -> float:
    """The tail to cut from resamples of so many groups: that of t instead of z, widened by sqrt(n / (n - 1))."""
    tail = (1 - confidence) / 2
    if n_groups < 2:  # noqa: PLR2004 - one group says nothing about the spread between groups
        return tail
    return float(norm.cdf(np.sqrt(n_groups / (n_groups - 1)) * t.ppf(tail, n_groups - 1)))


def _interval(value: float, resampled: Sequence[float] | NDArray[np.float64], tail: float) -> Interval:
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(float(value), min(float(low), float(value)), max(float(high), float(value)))
