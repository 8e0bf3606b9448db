"""Drift of a distribution by effect size: PSI, Jensen-Shannon and Wasserstein with practical thresholds. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from core.values import NotComputable

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

PSI_MODERATE, PSI_MAJOR = 0.10, 0.25
"""Rules of thumb of credit scoring (Siddiqi 2006; quoted by Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227)."""

JENSEN_SHANNON_MODERATE = 0.1
WASSERSTEIN_MODERATE = 0.1
"""Default thresholds of the Evidently library (`jensenshannon`, and `wasserstein` over the reference's s.d.)."""

MIN_SCANS = 30
"""Fewer scans on either side are too few to judge."""

N_BINS = 10

_N_DRAWS = 1000
_CHANCE_LEVEL = 0.997
"""Of each of three measures: all three together leave it about once in a hundred times by chance."""
_SEED = 11
_N_BRIDGES = 200
_MOST_KEPT = 16_384
"""So many comparisons are kept, of some hundred bytes each: those of 900 devices in several periods."""
_PLAIN_SHARES = (0.6, 0.85, 0.75)
"""What share of a limiting distribution's quantile the draws' quantile never fell below, with 30 scans and more."""


class DriftLevel(StrEnum):
    """What a manager reads."""

    NONE = "none"
    MODERATE = "moderate"
    MAJOR = "major"


@dataclass(frozen=True, slots=True)
class DriftMeasure:
    """One effect size, >= 0, its practical threshold, and what 997 of 1000 draws without any drift stay below.

    The last keeps small samples quiet: with 30 scans in ten bins PSI is around 0.3 by chance alone. It is None, because
    nothing was drawn, where each measure is below its threshold or plainly within what chance brings.
    """

    value: float
    threshold: float
    by_chance: float | None

    @property
    def is_beyond(self) -> bool:
        """Large enough to matter, and larger than so few scans show by chance."""
        return self.value >= self.threshold and self.by_chance is not None and self.value > self.by_chance


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the current distribution lies from the reference.

    Attributes
    ----------
    psi : DriftMeasure
        Sum of (p - q) ln(p / q) over the bins, symmetric, >= 0.
    jensen_shannon : DriftMeasure
        Jensen-Shannon distance to base 2, 0..1.
    wasserstein : DriftMeasure
        Mean distance that mass moves, in standard deviations of the reference.
    shift : float
        Difference of the means in the same unit; its sign says which way.
    """

    psi: DriftMeasure
    jensen_shannon: DriftMeasure
    wasserstein: DriftMeasure
    shift: float
    n_reference: int
    n_current: int

    @property
    def level(self) -> DriftLevel:
        """Major by PSI alone, moderate by any of the three."""
        if self.psi.is_beyond and self.psi.value >= PSI_MAJOR:
            return DriftLevel.MAJOR
        measures = (self.psi, self.jensen_shannon, self.wasserstein)
        return DriftLevel.MODERATE if any(measure.is_beyond for measure in measures) else DriftLevel.NONE


def drift(reference: ArrayLike, current: ArrayLike) -> Drift | NotComputable:
    """Drift of values (n,) against reference values (m,), in ten bins of equal numbers of the reference."""
    before, now = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if min(len(before), len(now)) < MIN_SCANS:
        return _too_few(len(before), len(now))
    inner = np.unique(np.quantile(before, np.arange(1, N_BINS) / N_BINS))
    places = [np.searchsorted(inner, values, side="right") for values in (before, now)]
    counts = [np.bincount(place, minlength=len(inner) + 1) for place in places]
    everything, place = np.concatenate([before, now]), np.concatenate(places)
    sizes = np.bincount(place, minlength=len(inner) + 1)
    sums = np.bincount(place, weights=everything, minlength=len(inner) + 1)
    middles = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.append(inner, inner[-1]))
    return drift_of_counts(counts[0], counts[1], middles)


def drift_of_counts(reference: ArrayLike, current: ArrayLike, middles: ArrayLike) -> Drift | NotComputable:
    """Drift of a histogram (bins,) against a reference histogram over the same bins, which lie at ``middles`` (bins,).

    PSI: Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227, eq. 1; Jensen-Shannon: Lin 1991, doi:10.1109/18.61115;
    Wasserstein: the area between the two distribution functions. Half a count is added to every bin for PSI, so that
    an empty one does not make it infinite. What chance brings is drawn from the pooled histogram, 1000 times, seeded,
    where it is not plain without drawing.
    Raises ValueError for histograms of other bins; not computable with fewer than 30 scans or a constant reference.
    """
    before, now = np.asarray(reference, np.int64), np.asarray(current, np.int64)
    at = np.asarray(middles, np.float64)
    if not before.shape == now.shape == at.shape:
        raise ValueError(f"histograms of {before.shape}, {now.shape} and {at.shape} bins cannot be compared")
    return _compared(before.tobytes(), now.tobytes(), at.tobytes())


@lru_cache(maxsize=_MOST_KEPT)
def _compared(reference: bytes, current: bytes, middles: bytes) -> Drift | NotComputable:
    """The same of histograms as bytes. Most devices' histograms are those of the last look, and drawing is slow."""
    before, now = np.frombuffer(reference, np.int64), np.frombuffer(current, np.int64)
    at = np.frombuffer(middles, np.float64)
    n_before, n_now = int(before.sum()), int(now.sum())
    if min(n_before, n_now) < MIN_SCANS:
        return _too_few(n_before, n_now)
    mean = float(before @ at) / n_before
    spread = float(np.sqrt(before @ (at - mean) ** 2 / n_before))
    if not spread:
        return NotComputable("all values of the reference are equal")
    found = _effect_sizes(before, now, at / spread)
    thresholds = (PSI_MODERATE, JENSEN_SHANNON_MODERATE, WASSERSTEIN_MODERATE)
    is_small = found < thresholds
    is_plain = is_small.all() or (is_small | (found < _plainly_chance(before, now, at / spread))).all()
    chance = (None, None, None) if is_plain else _by_chance(before, now, at / spread)
    psi, jensen_shannon, wasserstein = (
        DriftMeasure(float(value), border, noise)
        for value, border, noise in zip(found, thresholds, chance, strict=True)
    )
    shift = (float(now @ at) / n_now - mean) / spread
    return Drift(psi, jensen_shannon, wasserstein, shift, n_before, n_now)


def _plainly_chance(before: Counts, now: Counts, at: Floats) -> Floats:
    """Effect sizes (3,) so small that a thousand draws would surely say: by chance.

    Well below their limiting distributions, which overstate PSI with few scans: without drift PSI / (1/n + 1/m) tends
    to chi-square with a degree of freedom less than there are bins (Yurdakul and Naranjo 2020, theorem 1), the squared
    Jensen-Shannon distance to an eighth of that in bits, and the distribution functions' difference to a normal bridge.
    """
    n_before, n_now = int(before.sum()), int(now.sum())
    pooled = (before + now) / (n_before + n_now)
    scale = 1.0 / n_before + 1.0 / n_now
    psi = scale * float(chdtri(max(int((pooled > 0.0).sum()) - 1, 1), 1.0 - _CHANCE_LEVEL))
    root = np.sqrt(pooled)
    normal = _normals(len(pooled))
    bridge = np.sqrt(scale) * (root * normal - pooled * (normal @ root)[:, None])
    order = np.argsort(at)
    gaps = np.abs(np.cumsum(bridge[:, order], axis=-1))[:, :-1] @ np.diff(at[order])
    limits = np.array([psi, np.sqrt(psi / (8.0 * np.log(2.0))), np.quantile(gaps, _CHANCE_LEVEL)])
    return np.asarray(limits * _PLAIN_SHARES, np.float64)


@cache
def _normals(n_bins: int) -> Floats:
    """The draws of ``_plainly_chance`` (bridges, bins): the same for all histograms of so many bins."""
    return np.random.default_rng(_SEED).standard_normal((_N_BRIDGES, n_bins))


def _by_chance(before: Counts, now: Counts, at: Floats) -> tuple[float, ...]:
    """What 997 of 1000 pairs of histograms stay below that are drawn from one distribution, measure by measure."""
    rng = np.random.default_rng(_SEED)
    n_before, n_now = int(before.sum()), int(now.sum())
    pooled = (before + now) / (n_before + n_now)
    drawn = [rng.multinomial(n, pooled, size=_N_DRAWS) for n in (n_before, n_now)]
    return tuple(np.quantile(_effect_sizes(drawn[0], drawn[1], at), _CHANCE_LEVEL, axis=-1).tolist())


def _too_few(n_reference: int, n_current: int) -> NotComputable:
    return NotComputable(f"fewer than {MIN_SCANS} scans to compare ({n_reference} before, {n_current} now)")


def _effect_sizes(before: Counts, now: Counts, at: Floats) -> Floats:
    """PSI, Jensen-Shannon distance and Wasserstein distance (3, ...) of histograms (..., bins) at places (bins,)."""
    p, q = (_shares(counts, 0.5) for counts in (before, now))
    psi = ((p - q) * np.log(p / q)).sum(axis=-1)
    p, q = (_shares(counts, 0.0) for counts in (before, now))
    both = (p + q) / 2.0
    divergence = (_relative(p, both) + _relative(q, both)).sum(axis=-1) / 2.0
    order = np.argsort(at)
    gaps = np.abs(np.cumsum((p - q)[..., order], axis=-1))[..., :-1] @ np.diff(at[order])
    return np.stack([psi, np.sqrt(np.clip(divergence, 0.0, 1.0)), gaps])


def _shares(counts: Counts, added: float) -> Floats:
    raised = counts + added
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def _relative(p: Floats, both: Floats) -> Floats:
    """The terms p log2(p / both); 0 where p is."""
    safe = np.where(p > 0.0, p, 1.0)
    return np.where(p > 0.0, p * np.log2(safe / np.where(both > 0.0, both, 1.0)), 0.0)
