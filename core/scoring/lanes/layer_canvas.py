"""The input of the layer networks: a B-scan on a square canvas, z-scored by itself. NumPy and Pillow only."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.scoring.lanes.zscore import zscore

CANVAS_PX = 256
"""Height and width of the canvas; the public layer set is published in this size."""
PREPROCESSING = "bscan-canvas-zscore/1"
"""Stored in the card: resized to the square canvas by area, sides independent of each other, then z-scored."""


def on_canvas(image: NDArray[np.uint8], size_px: int = CANVAS_PX) -> NDArray[np.uint8]:
    """A B-scan's grey levels (height, width) at (size_px, size_px): means of areas where both sides shrink."""
    shrinks = image.shape[0] >= size_px and image.shape[1] >= size_px
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((size_px, size_px), how), np.uint8)


def normalised(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network sees of a canvas: grey levels minus their mean, over their spread."""
    return zscore(canvas)
