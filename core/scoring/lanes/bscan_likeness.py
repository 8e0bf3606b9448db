"""How much a picture looks like a B-scan: plain statistics of the picture, and of the one bright band that lies in it.

Grey levels and spectrum alone (core.scoring.lanes.likeness) change with the device, and a photograph may have those
of a B-scan. What every B-scan has is a band, bright before dark, from the left edge to the right, whose rows change
little from column to column. No threshold is set on any of it: the distance from the B-scans seen in training decides.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.scoring.card import Likeness
from core.scoring.lanes.bscan_canvas import on_canvas
from core.scoring.lanes.canvas import Placement
from core.scoring.lanes.likeness import FEATURE_NAMES as PICTURE_NAMES
from core.scoring.lanes.likeness import distance, likeness_features

LIKENESS_PX = 256
"""Side of the square on which the picture is looked at."""
NAMES = (*PICTURE_NAMES, "band_gradient_ratio", "band_share", "band_wholeness", "band_jump", "band_at_edge")
"""Of the statistics, in their order."""

_BLUR_PX = 4.0
"""Speckle and single layers vanish, the band stays."""
_EDGE_PX, _STEP_PX = 6, 8


def bscan_features(filled: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The statistics (19,) of a B-scan (height, width) whose white borders are filled; finite for any picture."""
    square = on_canvas(filled, LIKENESS_PX)
    picture = likeness_features(square, Placement.of(LIKENESS_PX, LIKENESS_PX, LIKENESS_PX))
    return np.concatenate([picture, band_features(square)])


def band_features(square: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the brighter half of every column of a square (S, S) looks like.

    A pixel belongs to it above the middle of its column's darkest and brightest level, both without speckle.

    Returns
    -------
    float64 (5,)
        Logarithm of vertical over horizontal change; share of the rows; share of the rows between its first and last
        pixel (1: one piece); logarithm of how many pixels its centre moves within 8 columns; share of the columns in
        which it lies at the upper edge plus that in which it lies at the lower.
    """
    smooth = gaussian_filter(square.astype(np.float32), _BLUR_PX)
    down, across = np.abs(np.diff(smooth, axis=0)).mean(), np.abs(np.diff(smooth, axis=1)).mean()
    middle = (smooth.min(axis=0) + smooth.max(axis=0)) / 2
    bright = smooth > middle
    count = np.maximum(bright.sum(axis=0), 1)
    first, last = bright.argmax(axis=0), len(bright) - 1 - bright[::-1].argmax(axis=0)
    centre = (bright * np.arange(len(bright))[:, None]).sum(axis=0) / count
    jump = np.abs(centre[_STEP_PX:] - centre[:-_STEP_PX]).mean()
    at_edge = (smooth[:_EDGE_PX].mean(axis=0) > middle).mean() + (smooth[-_EDGE_PX:].mean(axis=0) > middle).mean()
    return np.array(
        [
            np.log((down + 0.05) / (across + 0.05)),
            count.mean() / len(bright),
            (count / (last - first + 1)).mean(),
            np.log(jump + 1),
            at_edge,
        ],
        dtype=np.float64,
    )


def is_like_bscan(filled: NDArray[np.uint8], likeness: Likeness) -> bool:
    """Whether a picture lies no further from a card's B-scans than they allow; by those statistics that it names."""
    values = dict(zip(NAMES, bscan_features(filled), strict=True))
    named = np.array([values[name] for name in likeness.feature_names])
    return distance(named, likeness) <= likeness.max_distance
