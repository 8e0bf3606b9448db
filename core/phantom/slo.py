"""Draws the fundus image that B-scans are placed on: vessels, optic disc, darker macula. Seeded and pure."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.phantom.fovea import draw_faz
from core.phantom.vessels import grow_vessels

_DISC_MM = (4.5, -0.3)
"""Centre of the optic disc from the fovea, nasal and down: 15.5 degrees and a little above it."""
_DISC_RADIUS_MM = (0.85, 0.95)
_SHRINK = (0.40, 0.55, 0.75, 0.85)
"""Grey level that arcades, branches, twigs and end twigs leave of the background under infrared light."""


def draw_slo(
    rng: np.random.Generator, *, size_px: int, mm_per_px: float, fovea_mm: tuple[float, float], is_right_eye: bool
) -> NDArray[np.uint8]:
    """An infrared fundus image, uint8 (size, size); ``fovea_mm`` lies in it from its upper left corner."""
    x = (np.arange(size_px) + 0.5)[None, :] * mm_per_px - fovea_mm[0]
    y = (np.arange(size_px) + 0.5)[:, None] * mm_per_px - fovea_mm[1]
    light = 118.0 * (1.0 - 0.22 * np.exp(-(x**2 + y**2) / (2.0 * 0.9**2)))
    light *= 1.0 - 0.06 * ((x / 5.0) ** 2 + (y / 5.0) ** 2)
    side = 1.0 if is_right_eye else -1.0
    disc = np.hypot((x - side * _DISC_MM[0]) / _DISC_RADIUS_MM[0], (y - _DISC_MM[1]) / _DISC_RADIUS_MM[1])
    light += 90.0 / (1.0 + np.exp(np.clip((disc - 1.0) / 0.08, -30.0, 30.0)))
    light *= _vessel_shade(rng, size_px, mm_per_px, fovea_mm, is_right_eye=is_right_eye)
    grain = ndimage.gaussian_filter(rng.standard_normal((size_px, size_px)), 0.7)
    return np.asarray(np.clip(light * (1.0 + 0.10 * grain), 0.0, 255.0) + 0.5, np.uint8)


def _vessel_shade(
    rng: np.random.Generator, size_px: int, mm_per_px: float, fovea_mm: tuple[float, float], *, is_right_eye: bool
) -> NDArray[np.float64]:
    """Share of light that vessels leave, (size, size)."""
    generations = grow_vessels(rng, draw_faz(rng, None), size_px * mm_per_px / 2.0, is_right_eye=is_right_eye)
    canvas = Image.new("L", (size_px, size_px), 255)
    draw = ImageDraw.Draw(canvas)
    for vessels, left in reversed(list(zip(generations, _SHRINK, strict=True))):
        for path, radius in zip(vessels.path_mm, vessels.radius_mm, strict=True):
            points = (path[~np.isnan(path[:, 0])] + np.array(fovea_mm)) / mm_per_px
            width = max(1, round(2.0 * float(np.nanmean(radius)) / mm_per_px))
            draw.line([(float(px), float(py)) for px, py in points], fill=round(255 * left), width=width)
    return ndimage.gaussian_filter(np.asarray(canvas, np.float64) / 255.0, 0.6)
