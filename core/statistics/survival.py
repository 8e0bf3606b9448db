"""Turn-around times of which some are still running: Kaplan-Meier curve, median and 90th percentile. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import CensoredData, ecdf, norm

from core.statistics.proportions import NOTHING_COUNTED
from core.values import NotComputable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DurationQuantile:
    """The time by which ``share`` of the items are done, with its interval, in the unit of the durations.

    ``high`` is None where the curve's upper band has not come down that far yet: the interval is open upwards.
    """

    share: float
    value: float
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class TurnAround:
    """How long items take, the open ones counted as long as they have been open.

    Attributes
    ----------
    n, n_open : int
        All items, and those still open.
    median, p90 : DurationQuantile or NotComputable
        Not computable while the curve has not come down to one half or one tenth.
    times, open_share : float array (steps,)
        Kaplan-Meier curve: share still open just after each time, 0..1; 1 before the first.
    low, high : float array (steps,)
        Pointwise band of the curve at the same times, 0..1.
    """

    n: int
    n_open: int
    median: DurationQuantile | NotComputable
    p90: DurationQuantile | NotComputable
    times: Floats
    open_share: Floats
    low: Floats
    high: Floats


def turn_around(durations: ArrayLike, is_closed: ArrayLike, confidence: float = 0.95) -> TurnAround | NotComputable:
    """Median, 90th percentile and curve of durations (n,), >= 0, of which the open ones have lasted so long by now.

    Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452; intervals of the quantiles are the times at which the
    pointwise band of the curve on the log-log scale holds the share (Brookmeyer and Crowley 1982, doi:10.2307/2530286).
    Assumes that items open now would take as long as others of their age: leaving out the open ones would make a
    backlog look fast. An item that ended otherwise (not possible) is the caller's choice: closed, or open until then.
    Raises ValueError for durations below 0.
    """
    lasted, closed = np.asarray(durations, np.float64), np.asarray(is_closed, np.bool_)
    if lasted.shape != closed.shape or (lasted < 0).any():
        raise ValueError("every item needs a duration of at least 0 and whether it is closed")
    if not len(lasted):
        return NOTHING_COUNTED
    found = ecdf(CensoredData(uncensored=lasted[closed], right=lasted[~closed])).sf
    times, share = np.asarray(found.quantiles, np.float64), np.asarray(found.probabilities, np.float64)
    low, high = _band(times, share, lasted, closed, confidence)
    median, p90 = (_quantile(at, times, share, low, high) for at in (0.5, 0.9))
    return TurnAround(len(lasted), int((~closed).sum()), median, p90, times, share, low, high)


def duration_reached(durations: ArrayLike, is_closed: ArrayLike, share: float) -> float | None:
    """The time by which ``share`` (0..1) of durations (n,) are done; None while the curve is not down that far.

    The point of ``turn_around``'s curve alone, without its band: for hundreds of small groups at once.
    """
    lasted, closed = np.asarray(durations, np.float64), np.asarray(is_closed, np.bool_)
    order = np.lexsort((~closed, lasted))  # what ends at the moment another is cut off was at risk beside it
    at_risk = np.arange(len(order), 0, -1)
    open_share = np.cumprod(np.where(closed[order], 1.0 - 1.0 / at_risk, 1.0), dtype=np.float64)
    return _first_time(lasted[order], open_share, 1.0 - share)


def _band(
    times: Floats, share: Floats, lasted: Floats, closed: NDArray[np.bool_], confidence: float
) -> tuple[Floats, Floats]:
    """Pointwise band of the curve on the log-log scale with Greenwood's variance; 0 to 1 where it has no meaning.

    Kalbfleisch and Prentice 2002, The Statistical Analysis of Failure Time Data, section 1.4.
    """
    at_risk = len(lasted) - np.searchsorted(np.sort(lasted), times, side="left")
    ended = (lasted[None, :] == times[:, None])[:, closed].sum(axis=1)
    is_inner = (share > 0.0) & (share < 1.0)
    greenwood = np.cumsum(np.where(at_risk > ended, ended / (at_risk * np.maximum(at_risk - ended, 1)), 0.0))
    log_share = np.log(np.where(is_inner, share, 0.5))
    swing = norm.ppf((1.0 + confidence) / 2.0) * np.sqrt(greenwood) / log_share
    low, high = (np.where(is_inner, share ** np.exp(sign * swing), share) for sign in (-1.0, 1.0))
    # After the last item the curve is 0 and Greenwood's variance has no value: the band stays as wide as it was.
    last = np.flatnonzero(is_inner)
    if (share == 0.0).any():
        high = np.where(share == 0.0, high[last[-1]] if len(last) else 1.0, high)
    return low, high


def _quantile(at: float, times: Floats, share: Floats, low: Floats, high: Floats) -> DurationQuantile | NotComputable:
    value, first, last = (_first_time(times, curve, 1.0 - at) for curve in (share, low, high))
    if value is None or first is None:
        return NotComputable(f"less than {at:.0%} are done by the longest time seen")
    return DurationQuantile(at, value, min(first, value), last)


def _first_time(times: Floats, curve: Floats, level: float) -> float | None:
    # Products of shares may miss 0.5 or 0.1 by a rounding error.
    reached = np.flatnonzero(curve <= level + 1e-12)
    return float(times[reached[0]]) if len(reached) else None
