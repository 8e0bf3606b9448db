"""Weights under which rare classes count as much as frequent ones."""

import numpy as np
from numpy.typing import NDArray

N_CLASSES = 3
UNKNOWN = -1
"""Stands for a class that nobody gave."""


def balanced_weights(truth: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n,) that make every class of ``truth`` (n,) as heavy as any other among the scans of each weight."""
    balanced = np.zeros(len(truth))
    for level in np.unique(weight):
        chosen = weight == level
        counts = np.bincount(truth[chosen], minlength=N_CLASSES)
        per_scan = chosen.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        balanced[chosen] = level * per_scan[truth[chosen]]
    return balanced
