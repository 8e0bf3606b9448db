"""Bootstrap intervals that resample subjects, not images: images of one eye are not independent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1000
_SEED = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % bootstrap interval (percentiles; Efron and Tibshirani 1993)."""

    value: float
    low: float
    high: float


def bootstrap_by_subject(
    statistic: Callable[[NDArray[np.intp]], float | None], subjects: Sequence[str], *, confidence: float = 0.95
) -> Interval | None:
    """The statistic of all images and its interval; None where it has no value for all of them.

    Parameters
    ----------
    statistic : callable
        Takes image indices (with repetitions) and gives a number, or None where they allow none (one class only);
        such resamples are left out.
    subjects : sequence of str
        The subject of each image.
    """
    value = statistic(np.arange(len(subjects)))
    if value is None:
        return None
    names = sorted(set(subjects))
    members = {name: np.flatnonzero([subject == name for subject in subjects]) for name in names}
    rng = np.random.default_rng(_SEED)
    resampled = []
    for _ in range(N_RESAMPLES):
        drawn = rng.integers(len(names), size=len(names))
        figure = statistic(np.concatenate([members[names[index]] for index in drawn]))
        if figure is not None:
            resampled.append(figure)
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]) if resampled else (value, value)
    return Interval(value, float(low), float(high))
