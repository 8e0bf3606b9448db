"""Random textures of a scan: capillary mesh, smooth fields, grain. Arrays are float32 (height, width)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]


@lru_cache(maxsize=128)
def _ring(size: int, wavelength_px: float, width: float, stretch: float, angle: float) -> Field:
    """A ring in frequency space; ``stretch`` > 1 lengthens structures along ``angle`` (radians)."""
    fy = fft.fftfreq(size).astype(np.float32)[:, None]
    fx = fft.fftfreq(size).astype(np.float32)[None, :]
    along = (fx * np.cos(angle) + fy * np.sin(angle)) * stretch
    across = -fx * np.sin(angle) + fy * np.cos(angle)
    distance = np.hypot(along, across) * wavelength_px - 1.0
    ring = np.exp(-0.5 * (distance / width) ** 2).astype(np.float32)
    return np.asarray(ring / np.sqrt((ring**2).mean()), np.float32)


def _pair(rng: np.random.Generator, ring: Field) -> tuple[Field, Field]:
    """Two independent real fields of unit variance with the ring's spectrum, for the price of one transform."""
    size = ring.shape[0]
    white = rng.standard_normal((2, size, size), dtype=np.float32)
    both = fft.ifft2((white[0] + 1j * white[1]) * ring, norm="ortho")
    return both.real, both.imag


def smooth_field(rng: np.random.Generator, size: int, grain: float) -> Field:
    """Slowly varying noise in 0..1, evenly spread; ``grain`` is the size of a blob as a share of the field."""
    coarse = max(3, round(2.0 / grain))
    rough = rng.standard_normal((coarse + 4, coarse + 4)).astype(np.float32)
    at = np.linspace(1.0, coarse + 1.99, size)
    base = at.astype(np.intp)
    t = (at - base).astype(np.float32)
    t = t * t * (3.0 - 2.0 * t)
    rows = rough[base] * (1.0 - t)[:, None] + rough[base + 1] * t[:, None]
    return np.asarray(rows[:, base] * (1.0 - t) + rows[:, base + 1] * t, np.float32)


def _threads(waves: Field, width: float) -> Field:
    """Bright threads where a wavy field passes zero: a connected net with closed loops."""
    return np.asarray(np.exp(-0.5 * (waves / width) ** 2), np.float32)


def lobular_mesh(rng: np.random.Generator, size: int, spacing_px: float) -> Field:
    """Capillary net without direction, as in the deep plexus; about 0..1. ``spacing_px`` between capillaries."""
    fine, coarse = _pair(rng, _ring(size, max(2.1, round(2.0 * spacing_px, 2)), 0.28, 1.0, 0.0))
    return np.maximum(_threads(fine, 0.40), 0.7 * _threads(coarse, 0.30))


def directed_mesh(rng: np.random.Generator, size: int, spacing_px: float, angle: Field) -> Field:
    """Capillary net whose threads follow ``angle`` (radians, modulo pi), as in the superficial plexus; about 0..1."""
    wavelength = max(2.1, round(2.0 * spacing_px, 2))
    total = np.zeros((size, size), np.float32)
    weights = np.zeros((size, size), np.float32)
    for base in (0.0, np.pi / 2):
        ring_a, ring_b = (_ring(size, wavelength, 0.35, 1.7, base + shift) for shift in (0.0, np.pi / 4))
        for ring, direction in ((ring_a, base), (ring_b, base + np.pi / 4)):
            weight = np.cos(angle - direction) ** 4
            total += weight * _pair(rng, ring)[0]
            weights += weight**2
    waves = total / np.sqrt(weights)
    other, _ = _pair(rng, _ring(size, wavelength, 0.35, 1.0, 0.0))
    return np.maximum(_threads(waves, 0.42), 0.55 * _threads(other, 0.30))
