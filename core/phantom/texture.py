"""Random textures of a scan: capillary mesh, smooth fields, grain. Arrays are float32 (height, width)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]


@lru_cache(maxsize=256)
def _ring(size: int, wavelength_px: float, width: float, stretch: float, angle: float) -> Field:
    """Half a ring in frequency space; ``stretch`` > 1 lengthens structures along ``angle`` (radians)."""
    fy = fft.fftfreq(size).astype(np.float32)[:, None]
    fx = fft.rfftfreq(size).astype(np.float32)[None, :]
    along = (fx * np.cos(angle) + fy * np.sin(angle)) * stretch
    across = -fx * np.sin(angle) + fy * np.cos(angle)
    distance = np.hypot(along, across) * wavelength_px - 1.0
    ring = np.exp(-0.5 * (distance / width) ** 2)
    power = (ring[:, 1:] ** 2).sum() * 2.0 + (ring[:, 0] ** 2).sum()
    return np.asarray(ring * size / np.sqrt(2.0 * power), np.float32)


def _waves(rng: np.random.Generator, ring: Field) -> Field:
    """A real field of unit variance with the ring's spectrum."""
    size = ring.shape[0]
    white = rng.standard_normal((2, *ring.shape), dtype=np.float32)
    spectrum = np.empty(ring.shape, np.complex64)
    spectrum.real, spectrum.imag = white[0] * ring, white[1] * ring
    return np.asarray(fft.irfft2(spectrum, s=(size, size), norm="ortho"), np.float32)


@lru_cache(maxsize=256)
def _smoother(size: int, grain: float) -> Field:
    """Weights (size, nodes) that spread coarse white noise into a smooth field of unit variance, without direction."""
    spacing = 0.6 * grain
    nodes = np.arange(-3 * grain, 1.0 + 3 * grain + spacing, spacing)
    at = (np.arange(size) + 0.5) / size
    weights = np.exp(-0.5 * ((at[:, None] - nodes[None, :]) / (0.7 * grain)) ** 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)), np.float32)


def smooth_field(rng: np.random.Generator, size: int, grain: float) -> Field:
    """Slowly varying noise of mean 0 and variance 1; ``grain`` is the size of a blob as a share of the field."""
    weights = _smoother(size, grain)
    rough = rng.standard_normal((weights.shape[1], weights.shape[1]), dtype=np.float32)
    # einsum and not "@": the product is small, and BLAS threads spin on a machine that renders in several processes.
    rows = np.einsum("ij,jk->ik", weights, rough)
    return np.asarray(np.einsum("ik,jk->ij", rows, weights), np.float32)


def grain_field(rng: np.random.Generator, size: int, wavelength_px: float) -> Field:
    """Noise of mean 0 and variance 1 with blobs of about half of ``wavelength_px``."""
    return _waves(rng, _ring(size, max(2.1, round(wavelength_px, 2)), 0.5, 1.0, 0.0))


def _threads(waves: Field, width: float) -> Field:
    """Bright threads where a wavy field passes zero: a connected net with closed loops."""
    return np.asarray(np.exp(np.square(waves) * np.float32(-0.5 / width**2)), np.float32)


def lobular_mesh(rng: np.random.Generator, size: int, spacing_px: float) -> Field:
    """Capillary net without direction, as in the deep plexus; about 0..1. ``spacing_px`` between capillaries."""
    ring = _ring(size, max(2.1, round(2.0 * spacing_px, 2)), 0.28, 1.0, 0.0)
    return np.asarray(
        np.maximum(_threads(_waves(rng, ring), 0.40), 0.7 * _threads(_waves(rng, ring), 0.30)), np.float32
    )


def directed_mesh(rng: np.random.Generator, size: int, spacing_px: float, angle: Field) -> Field:
    """Capillary net whose threads follow ``angle`` (radians, modulo pi), as in the superficial plexus; about 0..1."""
    wavelength = max(2.1, round(2.0 * spacing_px, 2))
    total = np.zeros((size, size), np.float32)
    power = np.zeros((size, size), np.float32)
    double_cos, double_sin = np.cos(2.0 * angle), np.sin(2.0 * angle)
    for number in range(3):
        direction = number * np.pi / 3.0
        # cos^2 of the difference, by the double angle: one cosine for all directions.
        weight = 0.5 + 0.5 * (
            double_cos * np.float32(np.cos(2 * direction)) + double_sin * np.float32(np.sin(2 * direction))
        )
        weight *= weight
        total += weight * _waves(rng, _ring(size, wavelength, 0.35, 1.9, direction))
        power += weight * weight
    waves = np.asarray(total / np.sqrt(power), np.float32)
    other = _waves(rng, _ring(size, wavelength, 0.35, 1.0, 0.0))
    return np.asarray(np.maximum(_threads(waves, 0.42), 0.55 * _threads(other, 0.30)), np.float32)
