"""The input of the COIPS networks: resized to a square, then z-scored by itself (eq. 1); NumPy and Pillow only."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PREPROCESSING = "square-zscore/1"
"""Stored in the card: resized to the square input without keeping the sides' ratio, then eq. 1 per image."""


def resized(image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Grey levels (height, width) at (size_px, size_px), anti-aliased where it shrinks."""
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.BILINEAR), dtype=np.uint8)


def zscore(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Eq. 1 of COIPS: grey levels (height, width) minus their mean, over their standard deviation; 0 if even."""
    values = image.astype(np.float32)
    spread = float(values.std())
    return np.asarray((values - values.mean()) / spread if spread > 0 else np.zeros_like(values), np.float32)


def restored(probability: NDArray[np.float32], height_px: int, width_px: int) -> NDArray[np.float32]:
    """A map (size_px, size_px) of the square input at the image's own size (height, width)."""
    picture = Image.fromarray(np.ascontiguousarray(probability, dtype=np.float32))
    return np.asarray(picture.resize((width_px, height_px), Image.Resampling.BILINEAR), dtype=np.float32)
