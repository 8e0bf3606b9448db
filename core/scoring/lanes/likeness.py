"""How much a picture looks like an OCTA en-face image by plain statistics: a second opinion beside the network's.

A network trained against some strangers may be sure of itself on others. Grey-level and spectral statistics with a
Mahalanobis distance cannot be fooled in the same way: what lies far from every OCTA image seen is a stranger.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft2
from scipy.ndimage import uniform_filter

from core.scoring.card import Likeness
from core.scoring.lanes.canvas import Placement

N_BANDS = 6

FEATURE_NAMES = (
    *(f"log_power_band_{band}" for band in range(N_BANDS)),
    "mean",
    "standard_deviation",
    "skewness",
    "dark_fraction",
    "bright_fraction",
    "row_column_gradient_ratio",
    "local_contrast_spread",
    "median_local_contrast",
)


def likeness_features(canvas: NDArray[np.uint8], placement: Placement) -> NDArray[np.float64]:
    """The statistics (14,) of the image on its canvas (256, 256), padding left out; all finite for any picture."""
    rows = slice(placement.top_px, placement.top_px + placement.inner_height_px)
    columns = slice(placement.left_px, placement.left_px + placement.inner_width_px)
    values = canvas[rows, columns].astype(np.float32) / np.float32(255)
    mean, spread = float(values.mean()), float(values.std())
    centred = values - np.float32(mean)
    skewness = float((centred * centred * centred).mean()) / max(spread, 1e-3) ** 3
    down, across = np.abs(np.diff(values, axis=0)).mean(), np.abs(np.diff(values, axis=1)).mean()
    local_mean = uniform_filter(values, 9)
    local = np.sqrt(np.clip(uniform_filter(values * values, 9) - local_mean * local_mean, 0, None))
    return np.array(
        [
            *_band_powers(centred),
            mean,
            spread,
            np.clip(skewness, -10, 10),
            np.sqrt((values < 0.02).mean()),  # noqa: PLR2004 - darker than five of 255 levels
            np.sqrt((values > 0.98).mean()),  # noqa: PLR2004 - brighter than 250
            np.log((down + 1e-3) / (across + 1e-3)),
            np.log(local.std() + 1e-3),
            np.log(_median(local) + 1e-3),
        ],
        dtype=np.float64,
    )


def distance(features: NDArray[np.float64], likeness: Likeness) -> float:
    """Mahalanobis distance of the features from the OCTA images that ``likeness`` was fitted on."""
    offset = features - np.asarray(likeness.mean)
    return float(np.sqrt(max(0.0, offset @ np.asarray(likeness.precision) @ offset)))


def _band_powers(centred: NDArray[np.float32]) -> list[float]:
    """Logarithm of the mean spectral power in six octave-like bands up to the Nyquist frequency."""
    window, band, counts = _window_and_bands(centred.shape[0], centred.shape[1])
    spectrum = rfft2(centred * window)
    power = spectrum.real**2 + spectrum.imag**2
    totals = np.bincount(band, power.ravel(), minlength=N_BANDS + 2)[1 : N_BANDS + 1]
    return [float(value) for value in np.log(totals / window.sum() / counts + 1e-6)]


def _median(values: NDArray[np.float32]) -> float:
    """NumPy's median looks for NaN as well, which takes four times as long."""
    middle = values.size // 2
    halves = np.partition(values, middle, axis=None)
    return float(halves[middle] if values.size % 2 else (halves[:middle].max() + halves[middle]) / 2)


@lru_cache(maxsize=32)
def _window_and_bands(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """A Hann window, the band of each frequency in a row and the number of frequencies in bands 1 to 6 (at least 1).

    Band 0 lies below them, 7 above (the corners).
    """
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    edges = 0.5 * 2.0 ** -np.arange(N_BANDS, -1, -1)
    band = np.digitize(frequency, edges).ravel()
    counts = np.bincount(band, minlength=N_BANDS + 2)[1 : N_BANDS + 1]
    return window, band, np.maximum(counts, 1)
