"""Whether a picture is only noise of one power law: a third opinion beside network and likeness.

Noise whose amplitude falls about as 1/f has roughly the spectrum of an OCTA image, so the other two may take it for one
(flatter and steeper noise they refuse). Two things together tell it apart: its power follows **one law over all
octaves**, while vessels, capillaries and speckle put a bump into an image's spectrum; and it is **symmetric**, as
likely as its own negative, while flow is bright lines on dark ground (or, in a deep slab, the shadows of large
vessels). Scans of a deep slab may lack the second and scans of low signal the first; none of the graded real ones
lacks both.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.ndimage import uniform_filter

from core.scoring.lanes.canvas import Placement
from core.scoring.lanes.likeness import N_BANDS

POWER_LAW_TOLERANCE = 0.68
"""Greatest deviation of a band's log power from a straight line over the octaves. 36 draws of noise of exponents
-0.4 to -1.5: at most 0.56 (the lowest octave holds few frequencies); graded real scans without bright lines: at least
0.81."""

SYMMETRY_TOLERANCE = 0.2
"""Sum of the two skewnesses below. Noise of six exponents: standard deviation 0.045, so this is above four of them."""

_SIGMAS_PX = (1.0, 2.0, 4.0)
_TRUNCATE = 3.0
"""Sigmas on either side after which a Gaussian is cut off."""
_WINDOW_PX = 33
_BORDER_PX = 8


def is_power_law_noise(canvas: NDArray[np.uint8], placement: Placement, log_band_powers: NDArray[np.float64]) -> bool:
    """Whether the image on its canvas (256, 256) has a power-law spectrum and favours neither bright nor dark lines.

    ``log_band_powers`` (6,): the first likeness features, log power per octave.
    """
    octaves = np.arange(N_BANDS)
    line = np.polyval(np.polyfit(octaves, log_band_powers[:N_BANDS], 1), octaves)
    if np.abs(log_band_powers[:N_BANDS] - line).max() > POWER_LAW_TOLERANCE:
        return False
    rows = slice(placement.top_px, placement.top_px + placement.inner_height_px)
    columns = slice(placement.left_px, placement.left_px + placement.inner_width_px)
    return abs(line_asymmetry(canvas[rows, columns])) < SYMMETRY_TOLERANCE


def line_asymmetry(image: NDArray[np.uint8]) -> float:
    """Skewness of details of about 2 and 4 px, summed: above 0 for bright lines on dark ground, 0 for Gaussian noise.

    Details are differences of Gaussians (sigma 1, 2, 4 px), each divided by its root mean square nearby, so that
    shading and the foveal zone do not count. Image (height, width), at least 32 px each way.
    """
    # With mirrored borders a Gaussian filter is a product in the cosine transform, here in a third of the time.
    spectrum = dctn(image.astype(np.float32) / np.float32(255))
    details = (idctn(spectrum * response) for response in _detail_responses(*image.shape))
    return sum(_skewness(_levelled(detail)) for detail in details)


@lru_cache(maxsize=8)
def _detail_responses(height: int, width: int) -> list[NDArray[np.float32]]:
    """What the differences of Gaussians (sigma 1 and 2, 2 and 4 px) leave of each cosine (height, width)."""
    blurred = [np.outer(_gaussian_response(height, sigma), _gaussian_response(width, sigma)) for sigma in _SIGMAS_PX]
    return [(finer - coarser).astype(np.float32) for finer, coarser in pairwise(blurred)]


def _gaussian_response(length: int, sigma_px: float) -> NDArray[np.float64]:
    """What a Gaussian, cut off at _TRUNCATE, leaves of each cosine of a mirrored line of ``length`` pixels."""
    radius = round(_TRUNCATE * sigma_px)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    cosines = np.cos(np.pi * np.outer(np.arange(length), offsets) / length)
    return np.asarray(cosines @ (weights / weights.sum()), np.float64)


def _levelled(detail: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.clip(uniform_filter(detail * detail, _WINDOW_PX), 0.0, None)  # rounding may leave a hair below nought
    inside = slice(_BORDER_PX, -_BORDER_PX)
    return np.asarray((detail / (np.sqrt(power) + 1e-3))[inside, inside], np.float32)


def _skewness(values: NDArray[np.float32]) -> float:
    centred = values - values.mean()
    squared = centred * centred  # a cube by multiplication: the power operator takes ten times as long
    variance = float(squared.mean())
    return float((squared * centred).mean()) / variance**1.5 if variance > 0 else 0.0
