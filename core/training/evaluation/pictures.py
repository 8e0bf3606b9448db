"""Cases as pictures: the scan, the truth drawn onto it, the model's mask drawn onto it. PNG bytes."""

import io
from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

PANEL_PX, GAP_PX = 240, 6
TRUTH_COLOUR, MODEL_COLOUR = (82, 216, 208), (255, 168, 60)
LABEL_COLOURS = {
    "turquoise": (82, 216, 208),
    "orange": (255, 168, 60),
    "pink": (236, 112, 160),
    "green": (128, 190, 90),
    "blue": (112, 150, 236),
    "yellow": (232, 214, 84),
    "violet": (180, 130, 214),
    "red": (220, 96, 72),
}
"""Of the classes of a label map, background left out; the same in truth and model."""
FILL = 0.28

Rgb = NDArray[np.uint8]
Grey = NDArray[np.uint8]


def mask_picture(image: Grey, truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> bytes:
    """Scan | drawn mask | found mask, side by side."""
    return _side_by_side(_panel(image), _panel(image, truth, TRUTH_COLOUR), _panel(image, found, MODEL_COLOUR))


def labels_picture(image: Grey, truth: NDArray[np.uint8], found: NDArray[np.uint8]) -> bytes:
    """Scan | drawn classes | found classes; label maps (height, width) with 0 for the background."""
    return _side_by_side(_panel(image), _labels(image, truth), _labels(image, found))


def scan_picture(image: Grey) -> bytes:
    """The scan alone, at the same size."""
    return _png(_panel(image))


def _labels(image: Grey, labels: NDArray[np.uint8]) -> Rgb:
    panel = _panel(image)
    for label, colour in zip(range(1, int(labels.max()) + 1), cycle(LABEL_COLOURS.values()), strict=False):
        panel = _drawn(panel, labels == label, colour)
    return panel


def legend(names: Sequence[str]) -> str:
    """Which class of a label map has which colour; ``names`` without the background."""
    pairs = zip(names, cycle(LABEL_COLOURS), strict=False)
    return "Colours: " + ", ".join(f"{name} {colour}" for name, colour in pairs) + "."


def _panel(image: Grey, mask: NDArray[np.bool_] | None = None, colour: tuple[int, int, int] = TRUTH_COLOUR) -> Rgb:
    grey = np.asarray(Image.fromarray(image).resize((PANEL_PX, PANEL_PX), Image.Resampling.BILINEAR), np.uint8)
    panel = np.repeat(grey[:, :, None], 3, axis=2)
    return panel if mask is None else _drawn(panel, mask, colour)


def _drawn(panel: Rgb, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> Rgb:
    small = np.asarray(Image.fromarray(mask).resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST), np.bool_)
    outline = small & ~ndimage.binary_erosion(small, iterations=2)
    painted = panel.astype(np.float64)
    painted[small] = (1 - FILL) * painted[small] + FILL * np.array(colour)
    painted[outline] = colour
    return painted.round().astype(np.uint8)


def _side_by_side(*panels: Rgb) -> bytes:
    gap = np.full((PANEL_PX, GAP_PX, 3), 255, np.uint8)
    joined = [panels[0]]
    for panel in panels[1:]:
        joined += [gap, panel]
    return _png(np.concatenate(joined, axis=1))


def _png(pixels: Rgb) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
