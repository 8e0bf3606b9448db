"""Varies a training image, and its mask with it; everything is drawn from the generator that is passed in."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from core.training.supervised.recipe import Augmentation

_MAX_NOISE_VARIANCE = 0.1
_BLUR_PX = (0.5, 1.0)
_BRIGHTNESS = _CONTRAST = (0.75, 1.25)
_GAMMA = (0.7, 1.5)


def augment(
    image: NDArray[np.float32], mask: NDArray[np.uint8] | None, variation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    """The z-scored image (height, width), varied; its mask of 0 and 1 moved along. What turns in is 0, the mean."""
    image, mask = _moved(image, mask, variation, rng)
    if rng.random() < variation.noise:
        spread = math.sqrt(rng.uniform(0, _MAX_NOISE_VARIANCE))
        image = image + rng.normal(0, spread, image.shape).astype(np.float32)
    if rng.random() < variation.blur:
        image = gaussian_filter(image, rng.uniform(*_BLUR_PX))
    if rng.random() < variation.brightness:
        image = image * rng.uniform(*_BRIGHTNESS)
    if rng.random() < variation.contrast:
        image = _contrast(image, rng.uniform(*_CONTRAST))
    if rng.random() < variation.gamma:
        image = _gamma(image, rng.uniform(*_GAMMA))
    return np.ascontiguousarray(image, np.float32), None if mask is None else np.ascontiguousarray(mask)


def _moved(
    image: NDArray[np.float32], mask: NDArray[np.uint8] | None, variation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    flips = rng.random() < variation.horizontal_flip, rng.random() < variation.vertical_flip
    angle = rng.uniform(-1, 1) * variation.rotation_deg if rng.random() < variation.rotation else 0.0
    zoom = rng.uniform(*variation.zoom_range) if rng.random() < variation.zoom else 1.0
    slices = (slice(None, None, -1 if flips[1] else 1), slice(None, None, -1 if flips[0] else 1))
    image, mask = image[slices], None if mask is None else mask[slices]
    if angle == 0 and zoom == 1:
        return image, mask
    matrix = _about_centre(image.shape, math.radians(angle), zoom)
    turned = _transformed(image, matrix, Image.Resampling.BILINEAR)
    return turned, None if mask is None else _transformed(mask, matrix, Image.Resampling.NEAREST)


def _about_centre(shape: tuple[int, ...], angle_rad: float, zoom: float) -> tuple[float, ...]:
    """Pillow's affine coefficients (output to input) that turn and enlarge about the image's centre."""
    cosine, sine = math.cos(angle_rad) / zoom, math.sin(angle_rad) / zoom
    centre_y, centre_x = shape[0] / 2, shape[1] / 2
    return (
        cosine, sine, centre_x - cosine * centre_x - sine * centre_y,
        -sine, cosine, centre_y + sine * centre_x - cosine * centre_y,
    )  # fmt: skip


def _transformed(pixels: NDArray, matrix: tuple[float, ...], resampling: Image.Resampling) -> NDArray:  # type: ignore[type-arg]
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    moved = picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample=resampling)
    return np.asarray(moved, dtype=pixels.dtype)


def _contrast(image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Stretch about the mean, kept within the range that was there, as nnU-Net does."""
    mean = image.mean()
    return np.asarray(np.clip((image - mean) * factor + mean, image.min(), image.max()), np.float32)


def _gamma(image: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    """Gamma on the image's own range, mean and spread restored."""
    low, spread = image.min(), np.ptp(image)
    if spread == 0:
        return image
    bent = ((image - low) / spread) ** gamma * spread + low
    return np.asarray((bent - bent.mean()) / max(bent.std(), 1e-8) * image.std() + image.mean(), np.float32)
