"""How good the signal of a B-scan is: signal-to-noise ratio and contrast-to-noise ratio. Pure; NumPy and SciPy only.

Both compare the retina's band with the vitreous above it, in the display grey of the export. They rank scans of one
device and one export against each other: a tone curve changes both, so neither has a cut-off that holds across devices.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.retina_band import retina_band
from core.values import Measure, Measured, NotComputable

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MARGIN_SHARE = 0.02
"""Of the height: rows above the band that belong to neither, where the retina's edge blurs."""
LEAST_BACKGROUND_PX = 400
"""Fewer pixels give no spread worth the name."""
NOISE_WINDOW_PX = 7
"""Side of the square whose mean is taken as the signal: wider than a speckle, narrower than a layer."""
QUANTISATION = 1 / math.sqrt(12)
"""Standard deviation (levels) of rounding to whole levels: less noise than that cannot be seen in 8 bits."""

NO_BAND = NotComputable("no retina was found")
NO_BACKGROUND = NotComputable("no vitreous is in the picture")
CLIPPED = NotComputable("the background is clipped to black")


@dataclass(frozen=True, slots=True)
class BscanQuality:
    """Signal quality of one B-scan; see ``bscan_quality``."""

    snr_db: Measure
    contrast: Measure


def bscan_quality(image: Image) -> BscanQuality:
    """Both figures of a B-scan (height, width), grey levels 0..255.

    - ``snr_db`` (dB, higher is better): 20 log10((mean of the retina - mean of the vitreous) / noise of the vitreous).
      Sensitive to speckle, cataract, poor alignment, few averaged frames.
    - ``contrast`` (no unit, higher is better): (mean of the retina - mean of the vitreous) / sqrt(noise of the retina^2
      + noise of the vitreous^2). A contrast-to-noise ratio (Adler et al. 2004, doi:10.1364/OPEX.12.002404), not its
      logarithm.

    Noise is the standard deviation of what is left when each pixel's 7 x 7 mean is taken away: layers, membranes and
    haze in the vitreous are no noise.

    The vitreous is all above the retina's band (core.measures.retina_band) but a margin, and without even areas that
    the device filled in.
    """
    band = retina_band(image)
    if not band.any():
        return BscanQuality(NO_BAND, NO_BAND)
    background = vitreous(image, band)
    if np.count_nonzero(background) < LEAST_BACKGROUND_PX:
        return BscanQuality(NO_BACKGROUND, NO_BACKGROUND)
    levels = image.astype(np.float32)
    retina, dark = levels[band], levels[background]
    rise = float(retina.mean() - dark.mean())
    if rise <= 0:
        return BscanQuality(NO_BAND, NO_BAND)
    residue = levels - ndimage.uniform_filter(levels, NOISE_WINDOW_PX)
    noise, in_retina = float(residue[background].std()), float(residue[band].std())
    if noise <= QUANTISATION:
        return BscanQuality(CLIPPED, CLIPPED)
    return BscanQuality(
        snr_db=Measured(20.0 * math.log10(rise / noise)), contrast=Measured(rise / math.hypot(noise, in_retina))
    )


def vitreous(image: Image, band: Mask) -> Mask:
    """What lies above the band, a margin away, and is not evenly filled; (height, width)."""
    height = image.shape[0]
    top = np.where(band.any(axis=0), band.argmax(axis=0), 0)
    rows = np.arange(height)[:, None]
    above = rows < top[None, :] - round(MARGIN_SHARE * height)
    levels = image.astype(np.int16)
    even = ndimage.maximum_filter(levels, 5) == ndimage.minimum_filter(levels, 5)
    return np.asarray(above & ~even, np.bool_)
