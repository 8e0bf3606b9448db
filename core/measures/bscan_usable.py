"""Where a B-scan's retina is missing, cut off or dim: shares of its columns. Pure; uint8 (height, width)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.retina_band import retina_band

EDGE_PX = 2
"""A band that comes this close to the upper or lower edge leaves the picture."""
DIM_BELOW = 0.5
"""Of the median brightness of all columns."""
_MARGIN_SHARE = 0.25
_FILLED_LEVELS = 10
"""A column with less between its darkest and its brightest pixel was filled in by the device: it shows nothing."""
_COLUMNS_SMOOTHED_SHARE = 0.03
"""Of the width: a single vessel's shadow is no uneven illumination."""


@dataclass(frozen=True, slots=True)
class BscanCoverage:
    """Shares (0..1) of a B-scan's columns.

    Attributes
    ----------
    retina : columns in which a retina was found; higher is better
    cut : columns in which it leaves the picture at the top or the bottom; lower is better
    dim : of the columns that the device has not filled in, those with less than half of the median column's light
        above the background; lower is better. OSCAR-IB calls this illumination (Tewarie et al. 2012,
        doi:10.1371/journal.pone.0034823, criterion I).
    """

    retina: float
    cut: float
    dim: float


def bscan_coverage(image: NDArray[np.uint8]) -> BscanCoverage:
    """All three shares; ``cut`` of the columns with a retina."""
    floor = float(np.percentile(image, 25))
    # Dark rows above and below: else a retina that is cut off would not stand out from anything.
    margin = round(_MARGIN_SHARE * image.shape[0])
    band = retina_band(np.pad(image, ((margin, margin), (0, 0)), constant_values=round(floor)))
    band = band[margin : margin + image.shape[0]]
    columns = np.flatnonzero(band.any(axis=0))
    if not len(columns):
        return BscanCoverage(0.0, 0.0, 0.0)
    inside = band[:, columns]
    top = inside.argmax(axis=0)
    bottom = inside.shape[0] - 1 - inside[::-1].argmax(axis=0)
    cut = (top < EDGE_PX) | (bottom >= inside.shape[0] - EDGE_PX)
    seen = image[:, np.ptp(image, axis=0) > _FILLED_LEVELS].astype(np.float32)
    light = np.maximum(seen - floor, 0.0).sum(axis=0)
    size = max(1, round(_COLUMNS_SMOOTHED_SHARE * len(light)))
    light = ndimage.median_filter(light, size=size, mode="nearest")
    dim = light < DIM_BELOW * np.median(light)
    return BscanCoverage(len(columns) / image.shape[1], float(cut.mean()), float(dim.mean()))
