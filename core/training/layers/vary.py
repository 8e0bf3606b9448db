"""Varies a B-scan and the shares of its classes together: height, tilt, depth scale, flip, borders, shadows, tone."""

import numpy as np
from numpy.typing import NDArray

from core.training.supervised.augment import augment
from core.training.supervised.recipe import Augmentation

Image = NDArray[np.float32]
Shares = NDArray[np.float32]

_SHIFT, _TILT, _ZOOM = 0.14, 0.10, (0.78, 1.22)
"""Up and down by this share of the height; rows per column; stretch in depth."""
_P_MOVED, _P_BORDER, _P_SHADOW = 0.8, 0.2, 0.15


def vary(image: Image, shares: Shares, variation: Augmentation, rng: np.random.Generator) -> tuple[Image, Shares]:
    """The z-scored image (height, width) and its class shares (classes, height, width), varied alike."""
    if rng.random() < variation.horizontal_flip:
        image, shares = image[:, ::-1], shares[:, :, ::-1]
    if rng.random() < _P_MOVED:
        image, shares = _moved(image, shares, rng)
    image = image.copy()
    if rng.random() < _P_BORDER:
        _black_border(image, rng)
    if rng.random() < _P_SHADOW:
        _shade(image, rng)
    toned, _ = augment(image, None, variation.model_copy(update={"horizontal_flip": 0.0}), rng)
    return toned, np.ascontiguousarray(shares)


def _moved(image: Image, shares: Shares, rng: np.random.Generator) -> tuple[Image, Shares]:
    """Each column slid and stretched for itself, with linear interpolation between rows."""
    height, width = image.shape
    zoom = float(rng.uniform(*_ZOOM))
    slide = rng.uniform(-_SHIFT, _SHIFT) * height
    slope = rng.uniform(-_TILT, _TILT) * (np.arange(width) - width / 2.0)
    rows = (np.arange(height) - height / 2.0)[:, None] / zoom + height / 2.0 - slide - slope[None, :]
    outside = (rows < 0) | (rows > height - 1)
    rows = np.clip(rows, 0.0, height - 1.001)
    upper = rows.astype(np.int64)
    share = (rows - upper).astype(np.float32)
    columns = np.arange(width)[None, :]
    moved = image[upper, columns] * (1 - share) + image[upper + 1, columns] * share
    classes = shares[:, upper, columns] * (1 - share) + shares[:, upper + 1, columns] * share
    moved[outside] = image.min()
    classes[:, outside] = 0.0
    classes[0][outside] = 1.0
    return np.asarray(moved, np.float32), np.asarray(classes, np.float32)


def _black_border(image: Image, rng: np.random.Generator) -> None:
    """Frames that were registered leave black wedges above and below."""
    height, width = image.shape
    top = rng.uniform(0.0, 0.06) * height + rng.uniform(-0.05, 0.05) * np.arange(width)
    bottom = height - rng.uniform(0.0, 0.2) * height
    rows = np.arange(height)[:, None]
    image[(rows < top[None, :]) | (rows > bottom)] = image.min()


def _shade(image: Image, rng: np.random.Generator) -> None:
    """A band of columns that light hardly reaches."""
    width = image.shape[1]
    place, half = rng.uniform(0, width), rng.uniform(0.02, 0.15) * width
    light = 1.0 - rng.uniform(0.3, 0.9) * np.exp(-np.square((np.arange(width) - place) / half))
    floor = image.min()
    image[...] = (image - floor) * light[None, :].astype(np.float32) + floor
