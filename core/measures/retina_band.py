"""Where the intra-retinal band of a B-scan lies: the region in which QU-Net++ takes its indices. Pure; no network.

Roychowdhury 2021 crops OCT slices "to include the intra-retinal layers" and takes CoV and mean inside; how the band is
found is ours. It is found roughly, to choose images by, and is no layer segmentation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_ROWS_PER_SIGMA = 85.0
"""The Gaussian's sigma is the height over this: 3 px of 256, wider than speckle, narrower than any retina."""
_COLUMNS_SMOOTHED = 15
"""Median of the borders over so many neighbouring columns: a vessel's shadow is narrower."""
_N_LEVELS = 256
_WHITE = 250
"""Levels of the white corners that a device fills in where it has turned a B-scan."""
_MIN_COLUMNS_SHARE = 0.25
"""A bright object that spans fewer of the columns is no retina."""


def retina_band(bscan: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The retina of a B-scan (height, width) as a mask; empty where nothing band-like is brighter than the rest.

    The smoothed image is split at Otsu's threshold (Otsu 1979, doi:10.1109/TSMC.1979.4310076); the largest bright
    object is taken, in each column from its first to its last row, and both borders are smoothed over columns. Columns
    without it have no band.
    """
    region = np.zeros(bscan.shape, np.bool_)
    smooth = ndimage.gaussian_filter(without_white_border(bscan).astype(np.float32), bscan.shape[0] / _ROWS_PER_SIGMA)
    bright = _largest(smooth > otsu_threshold(smooth))
    columns = np.flatnonzero(bright.any(axis=0))
    if len(columns) < _MIN_COLUMNS_SHARE * bscan.shape[1]:
        return region
    first = bright.argmax(axis=0)[columns].astype(np.float64)
    last = bright.shape[0] - 1 - bright[::-1].argmax(axis=0)[columns].astype(np.float64)
    size = min(_COLUMNS_SMOOTHED, len(columns))
    top, bottom = (ndimage.median_filter(border, size=size, mode="nearest") for border in (first, last))
    rows = np.arange(bscan.shape[0])[:, None]
    region[:, columns] = (rows >= top) & (rows <= bottom)
    return region


def without_white_border(bscan: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The B-scan (height, width) with white areas that touch its edge set to the median of the rest."""
    labels, _ = ndimage.label(bscan >= _WHITE)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    border = np.isin(labels, edge[edge > 0])
    if not border.any() or border.all():
        return bscan
    return np.where(border, np.uint8(np.median(bscan[~border])), bscan).astype(np.uint8)


def otsu_threshold(levels: NDArray[np.float32]) -> float:
    """The level that parts ``levels`` (0..255, any shape) into two classes of greatest variance between them.

    An image of one level has that level as its threshold: nothing lies above it.
    """
    counts, edges = np.histogram(levels, bins=_N_LEVELS, range=(0.0, float(_N_LEVELS)))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    valid = (below > 0) & (above > 0)
    if not valid.any():
        return float(levels.max()) if levels.size else 0.0
    n_below, n_above = below[valid], above[valid]
    between = n_below * n_above * (sums[valid] / n_below - (sums[-1] - sums[valid]) / n_above) ** 2
    return float(edges[1:][valid][int(between.argmax())])


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected object (8 neighbours) of a mask."""
    labels, n_objects = ndimage.label(mask, structure=np.ones((3, 3)))
    if n_objects == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax(), np.bool_)
