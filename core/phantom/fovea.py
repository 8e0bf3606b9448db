"""The outline of a simulated foveal avascular zone: irregular, of a drawn area, with analytic area and perimeter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.phantom.spec import HEALTHY_FAZ_MEAN_MM2, HEALTHY_FAZ_SD_MM2
from core.vocabulary import Slab

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)
_SLAB_FACTOR = {Slab.SUPERFICIAL: 1.0, Slab.DEEP: 1.35, Slab.INNER_RETINA: 0.92}
"""Deep FAZ is larger than superficial in healthy eyes; merging all plexuses shows the smallest."""


@dataclass(frozen=True, slots=True)
class FazOutline:
    """Radius in mm for 720 equally spaced directions (x right, y down), about the FAZ's centre."""

    radius_mm: NDArray[np.float64]

    @property
    def area_mm2(self) -> float:
        """Area inside the outline by the polar integral, mm^2."""
        return float(0.5 * np.sum(self.radius_mm**2) * (2.0 * np.pi / _ANGLES.size))

    @property
    def perimeter_mm(self) -> float:
        """Length of the closed 720-gon, mm."""
        x, y = self.points_mm
        return float(np.hypot(np.diff(x, append=x[0]), np.diff(y, append=y[0])).sum())

    @property
    def centroid_mm(self) -> tuple[float, float]:
        """Centroid (x, y) against the outline's own centre, mm."""
        third = self.radius_mm**3 / 3.0 * (2.0 * np.pi / _ANGLES.size)
        return float((third * np.cos(_ANGLES)).sum() / self.area_mm2), float(
            (third * np.sin(_ANGLES)).sum() / self.area_mm2
        )

    @property
    def points_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The outline's points, x and y in mm about its centre."""
        return self.radius_mm * np.cos(_ANGLES), self.radius_mm * np.sin(_ANGLES)

    def scaled(self, area_factor: float) -> "FazOutline":
        """The same form with ``area_factor`` times the area."""
        return FazOutline(self.radius_mm * np.sqrt(area_factor))

    def radius_at(self, angle: NDArray[np.floating]) -> NDArray[np.float64]:
        """Radius in mm towards ``angle`` in radians, any shape."""
        place = np.mod(angle, 2.0 * np.pi) * (_ANGLES.size / (2.0 * np.pi))
        below = place.astype(np.intp)
        closed = np.append(self.radius_mm, self.radius_mm[:2])
        low = closed[below]
        return np.asarray(low + (place - below) * (closed[below + 1] - low), np.float64)


def draw_faz(rng: np.random.Generator, area_mm2: float | None) -> FazOutline:
    """The outline of one eye in the superficial slab, of the given area; None draws a healthy one."""
    drawn = float(np.clip(rng.normal(HEALTHY_FAZ_MEAN_MM2, HEALTHY_FAZ_SD_MM2), 0.06, 0.65))
    axis_ratio = rng.uniform(1.0, 1.3)
    tilt = rng.uniform(0.0, np.pi)
    shape = 1.0 / np.hypot(np.cos(_ANGLES - tilt), axis_ratio * np.sin(_ANGLES - tilt))
    ripple = np.zeros_like(_ANGLES)
    for order in range(2, 14):
        ripple += rng.normal(0.0, 0.11 / order**0.9) * np.cos(order * _ANGLES + rng.uniform(0.0, 2.0 * np.pi))
    outline = FazOutline(shape * np.exp(ripple))
    return outline.scaled((drawn if area_mm2 is None else area_mm2) / outline.area_mm2)


def in_slab(superficial: FazOutline, slab: Slab) -> FazOutline:
    """The same eye's outline as another slab shows it: of the same form, larger or smaller."""
    return superficial.scaled(_SLAB_FACTOR[slab])
