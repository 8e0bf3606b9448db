"""Simple statistics of how an OCTA en-face image looks: grey levels, spectrum, lines, density. Pure; for comparisons.

None is a quality score. They serve to ask whether two sets of images (phantoms and real scans, two devices) could have
come from one source, so they are taken of images brought to one common size.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.measures.vessels import binarise

N_BANDS = 6
LOWEST_FREQUENCY = 0.01
"""Cycles per pixel; below it lies uneven light, which differs from scan to scan of one device."""

LEVEL_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

APPEARANCE_NAMES = (
    *(f"level_p{round(100 * quantile):02d}" for quantile in LEVEL_QUANTILES),
    "level_sd",
    *(f"spectrum_band_{band}" for band in range(1, N_BANDS + 1)),
    "line_correlation",
    "column_correlation",
    "line_step",
    "vessel_density_percent",
)
"""Names of the statistics, in the order of ``appearance``."""


def appearance(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The statistics (16,) of ``image`` (height, width; levels 0..255), in the order of APPEARANCE_NAMES; all finite.

    - ``level_p05`` ... ``level_p95`` (levels), ``level_sd`` (levels): quantiles and deviation of the histogram.
    - ``spectrum_band_1`` ... ``6`` (log10 of a share): radially averaged power in six bands from 0.01 to 0.5 cycles per
      pixel, equal in the logarithm, as shares of their sum: form of the spectrum, not contrast.
    - ``line_correlation``, ``column_correlation`` (-1..1): Pearson's r of neighbours, row by row and column by column.
    - ``line_step`` (levels): median absolute step of the row means from line to line; stripes raise it.
    - ``vessel_density_percent`` (%): core.measures.vessels.binarise.
    """
    values = image.astype(np.float64)
    step = np.median(np.abs(np.diff(values.mean(axis=1))))
    return np.array(
        [
            *np.quantile(values, LEVEL_QUANTILES),
            values.std(),
            *_band_shares(values),
            _correlation(values[:-1], values[1:]),
            _correlation(values[:, :-1], values[:, 1:]),
            step,
            100.0 * binarise(image).mean(),
        ]
    )


def _band_shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    window, band, counts = _bands(values.shape[0], values.shape[1])
    power = np.abs(np.fft.rfft2((values - values.mean()) * window)) ** 2
    radial = np.bincount(band.ravel(), power.ravel(), minlength=N_BANDS + 2)[1 : N_BANDS + 1] / counts
    return np.asarray(np.log10(radial / max(float(radial.sum()), 1e-12) + 1e-12), np.float64)


@lru_cache(maxsize=8)
def _bands(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """A Hann window, the band of each frequency (0 below, 1 to 6, 7 above) and the number of frequencies per band."""
    window = np.outer(np.hanning(height), np.hanning(width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    band = np.digitize(frequency, np.geomspace(LOWEST_FREQUENCY, 0.5, N_BANDS + 1))
    counts = np.bincount(band.ravel(), minlength=N_BANDS + 2)[1 : N_BANDS + 1]
    return window, band, np.maximum(counts, 1).astype(np.float64)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's r of all pixels; 1 where the image is flat, for then neighbours are equal."""
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0.0 else 1.0
