"""Whether a picture can be an en-face scan of the optic disc at all, by plain statistics; NumPy and SciPy only.

A network answers for any picture. Beside what tells OCTA images from strangers (core.scoring.lanes.likeness) the
lane asks how the light lies over rows and columns (a B-scan is dark above and below its band, a disc lies in even
light), whether fine and middle structure is bright or dark (flow shows bright vessels, an en-face slab speckle and the
shadows of vessels), and how alike the halves are.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.scoring.card import Likeness
from core.scoring.lanes import likeness
from core.scoring.lanes.canvas import Placement
from core.scoring.lanes.zscore import resized

LIKENESS_PX = 128
"""Side of the square that is asked. Small, so that a scan's own number of pixels decides little."""
FEATURE_NAMES = (
    *likeness.FEATURE_NAMES,
    "log_row_spread",
    "log_column_spread",
    "fine_skewness",
    "middle_skewness",
    "log_fine_spread",
    "log_middle_spread",
    "upside_down_correlation",
    "mirrored_correlation",
)
_SCALES_PX = (1.0, 3.0, 8.0)
"""Sigmas of the blurs between which fine and middle structure lie."""
_MOST_SKEWNESS = 5.0


def onh_features(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The statistics (22,) of grey levels (height, width); all finite for any picture."""
    square = resized(image, LIKENESS_PX)
    values = square.astype(np.float32) / np.float32(255)
    shared = likeness.likeness_features(square, Placement.of(LIKENESS_PX, LIKENESS_PX, LIKENESS_PX))
    blurs = [ndimage.gaussian_filter(values, sigma) for sigma in _SCALES_PX]
    bands = [blurs[0] - blurs[1], blurs[1] - blurs[2]]
    spreads = [ndimage.gaussian_filter1d(values.mean(axis=axis), 2).std() for axis in (1, 0)]
    own = [
        *(np.log(spread + 1e-3) for spread in spreads),
        *(np.clip(_skewness(band), -_MOST_SKEWNESS, _MOST_SKEWNESS) for band in bands),
        *(np.log(band.std() + 1e-3) for band in bands),
        _correlation(blurs[1], blurs[1][::-1]),
        _correlation(blurs[1], blurs[1][:, ::-1]),
    ]
    return np.concatenate([shared, np.array(own, np.float64)])


def looks_like_a_disc_scan(image: NDArray[np.uint8], known: Likeness) -> bool:
    """Whether the picture lies near enough to the en-face scans of the optic disc that ``known`` was fitted on."""
    return likeness.distance(onh_features(image), known) <= known.max_distance


def _skewness(values: NDArray[np.float32]) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(float(centred.std()), 1e-3) ** 3)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Pearson's r; 0 where one of them is even."""
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
