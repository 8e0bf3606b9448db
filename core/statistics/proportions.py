"""Rates with intervals: a count out of a count, never a bare percentage. Pure."""

from dataclasses import dataclass

from statsmodels.stats.proportion import proportion_confint

from core.values import NotComputable

NOTHING_COUNTED = NotComputable("nothing counted yet")


@dataclass(frozen=True, slots=True)
class Proportion:
    """``k`` of ``n`` with a confidence interval; ``value``, ``low`` and ``high`` lie in 0..1, low <= value <= high."""

    value: float
    low: float
    high: float
    k: int
    n: int
    confidence: float


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> Proportion | NotComputable:
    """``k`` of ``n`` with Wilson's score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Assumes independent units: give it patient visits or acquisitions of different visits, not the slabs of one
    capture. Without any unit (n = 0) there is no rate. Raises ValueError for counts that cannot be.
    """
    return _interval(k, n, confidence, method="wilson")


def exact_interval(k: int, n: int, confidence: float = 0.95) -> Proportion | NotComputable:
    """``k`` of ``n`` with the exact interval of Clopper and Pearson (1934, doi:10.1093/biomet/26.4.404).

    It never covers less often than it says, which is what a statement about rare events needs; it is wider than
    Wilson's. Assumes independent units. Raises ValueError for counts that cannot be.
    """
    return _interval(k, n, confidence, method="beta")


def _interval(k: int, n: int, confidence: float, *, method: str) -> Proportion | NotComputable:
    if n < 0 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion; 0 <= k <= n is expected")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1, got {confidence}")
    if n == 0:
        return NOTHING_COUNTED
    low, high = proportion_confint(k, n, alpha=1.0 - confidence, method=method)
    value = k / n
    # At k = 0 and k = n rounding may put a bound a hair on the wrong side of the value.
    return Proportion(value, min(float(low), value), max(float(high), value), k, n, confidence)
