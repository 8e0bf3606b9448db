"""Cases as pictures: the scan, the truth drawn onto it, the model's mask drawn onto it. PNG bytes."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.training.evaluation.cases import Zone

PANEL_PX, GAP_PX = 240, 6
TRUTH_COLOUR, MODEL_COLOUR = (82, 216, 208), (255, 168, 60)
FILL = 0.28

Rgb = NDArray[np.uint8]


def zone_picture(zone: Zone) -> bytes:
    """Scan | drawn FAZ | found FAZ, side by side."""
    panels = [
        _panel(zone.image, None, TRUTH_COLOUR),
        _panel(zone.image, zone.truth, TRUTH_COLOUR),
        _panel(zone.image, zone.found, MODEL_COLOUR),
    ]
    gap = np.full((PANEL_PX, GAP_PX, 3), 255, np.uint8)
    return _png(np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1))


def scan_picture(image: NDArray[np.uint8]) -> bytes:
    """The scan alone, at the same size."""
    return _png(_panel(image, None, TRUTH_COLOUR))


def _panel(image: NDArray[np.uint8], mask: NDArray[np.bool_] | None, colour: tuple[int, int, int]) -> Rgb:
    grey = np.asarray(Image.fromarray(image).resize((PANEL_PX, PANEL_PX), Image.Resampling.BILINEAR), np.float64)
    panel = np.repeat(grey[:, :, None], 3, axis=2)
    if mask is not None:
        small = np.asarray(Image.fromarray(mask).resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST), np.bool_)
        outline = small & ~ndimage.binary_erosion(small, iterations=2)
        panel[small] = (1 - FILL) * panel[small] + FILL * np.array(colour)
        panel[outline] = colour
    return panel.round().astype(np.uint8)


def _png(pixels: Rgb) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
