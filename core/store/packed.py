"""Vectors of counts as bytes: 32-bit integers, little-endian, so that thousands of them arrive in one piece."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

NUMBER = np.dtype("<i4")
Counts = NDArray[np.int64]
N_VISIT_SUMS = 6
"""Fields of core.statistics.clustering.ClusteredCount, in their order."""


def pack(counts: NDArray[np.int64]) -> bytes:
    """Counts of any shape, row by row; OverflowError where one needs more than 32 bits."""
    if counts.size and (counts.max() > np.iinfo(NUMBER).max or counts.min() < np.iinfo(NUMBER).min):
        raise OverflowError("A count exceeds 32 bits: the sums of the counts need a wider number.")
    return counts.astype(NUMBER).tobytes()


def unpack(data: bytes, n_columns: int = 1) -> Counts:
    """What ``pack`` made of a matrix (rows, n_columns)."""
    return np.frombuffer(data, NUMBER).astype(np.int64).reshape(-1, n_columns)


def unpack_rows(rows: Sequence[bytes | None], n_columns: int) -> Counts:
    """Vectors below each other (rows, n_columns): shorter ones end in noughts, None is all noughts."""
    found = np.zeros((len(rows), n_columns), np.int64)
    for place, row in enumerate(rows):
        if row:
            numbers = np.frombuffer(row, NUMBER)[:n_columns]
            found[place, : len(numbers)] = numbers
    return found


@cache
def visit_sums(composition: str) -> tuple[int, ...]:
    """What one visit adds to the six sums of the ungradable; ``3/2`` is three captures decided, two gradable."""
    decided, gradable = (int(part) for part in composition.split("/"))
    poor = decided - gradable
    return poor, decided, 1, poor**2, poor * decided, decided**2
