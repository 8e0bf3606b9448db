"""Where the fovea lies on a thickness map: the deepest point of its pit, or the point that a person marked. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.thickness_map import GRID_MM, FundusMap
from core.values import NotComputable

SMOOTHING_MM = 0.15
"""Sigma under which noise of single A-scans vanishes and the pit, about 2 mm from rim to rim, stays."""

SEARCH_MM = 1.5
"""How far from the middle of the sampled field the fovea may lie: of the macular volumes that technicians aim at it."""

_RING_MM = (0.8, 1.2)
"""Distance from the fovea at which the pit's rim stands. Depth and diameter of the pit, and the fovea as the point of
least total thickness within the rim, are those of Dubis et al. 2009, doi:10.1136/bjo.2008.150110."""
MIN_PIT_UM = 15.0
"""A dip less deep than this is no pit but noise or the slope of an oedema: a healthy pit is several times as deep. Our
choice."""
_MIN_RING_SHARE = 0.5

NO_PIT = NotComputable("no foveal pit was found; mark the fovea by hand")
OUTSIDE = NotComputable("the marked fovea lies outside the scanned field")


@dataclass(frozen=True, slots=True)
class Fovea:
    """The fovea on the fundus image, in mm from its upper left corner; ``is_manual`` where a person marked it."""

    x_mm: float
    y_mm: float
    is_manual: bool = False


def find_fovea(thickness: FundusMap) -> Fovea | NotComputable:
    """The deepest point of the foveal pit of a total-thickness map in um.

    The map is smoothed by SMOOTHING_MM over what is sampled; the thinnest cell within SEARCH_MM of the middle of the
    sampled field is the fovea if its mean ring at 0.8 to 1.2 mm stands at least MIN_PIT_UM higher. An eye without a
    pit (oedema, a hole filled in) has no thinnest point that means anything, and the person marks it.
    """
    sampled = thickness.sampled
    if not sampled.any():
        return NotComputable("no thickness was measured")
    smooth = _smoothed(thickness.values, sampled)
    rows, columns = np.nonzero(sampled)
    centre_x, centre_y = thickness.x_mm[columns].mean(), thickness.y_mm[rows].mean()
    near = sampled & (_distance_mm(thickness, float(centre_x), float(centre_y)) <= SEARCH_MM)
    if not near.any():
        return NO_PIT
    row, column = np.unravel_index(int(np.argmin(np.where(near, smooth, np.inf))), smooth.shape)
    fovea = Fovea(float(thickness.x_mm[column]), float(thickness.y_mm[row]))
    return fovea if _pit_um(thickness, smooth, fovea) >= MIN_PIT_UM else NO_PIT


def marked_fovea(thickness: FundusMap, x_mm: float, y_mm: float) -> Fovea | NotComputable:
    """The point that a person marked, if it lies in the mapped field; it overrules ``find_fovea``."""
    half = GRID_MM / 2.0
    is_inside = (
        thickness.x_mm[0] - half <= x_mm <= thickness.x_mm[-1] + half
        and thickness.y_mm[0] - half <= y_mm <= thickness.y_mm[-1] + half
    )
    return Fovea(x_mm, y_mm, is_manual=True) if is_inside else OUTSIDE


def _distance_mm(thickness: FundusMap, x_mm: float, y_mm: float) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.hypot(thickness.x_mm[None, :] - x_mm, thickness.y_mm[:, None] - y_mm)
    return distance


def _smoothed(values: NDArray[np.float32], sampled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Gaussian mean over the sampled cells only."""
    sigma = SMOOTHING_MM / GRID_MM
    weight = ndimage.gaussian_filter(sampled.astype(np.float64), sigma, mode="constant")
    total = ndimage.gaussian_filter(np.where(sampled, values, 0.0).astype(np.float64), sigma, mode="constant")
    return np.where(weight > 0, total / np.maximum(weight, 1e-12), np.inf)


def _pit_um(thickness: FundusMap, smooth: NDArray[np.float64], fovea: Fovea) -> float:
    """How far the ring around a point stands above it; 0 where less than half of the ring is sampled."""
    distance = _distance_mm(thickness, fovea.x_mm, fovea.y_mm)
    ring = (distance >= _RING_MM[0]) & (distance <= _RING_MM[1])
    whole_mm2 = np.pi * (_RING_MM[1] ** 2 - _RING_MM[0] ** 2)
    seen = ring & thickness.sampled
    if seen.sum() * thickness.cell_mm2 < _MIN_RING_SHARE * whole_mm2:
        return 0.0
    lowest = smooth[distance <= GRID_MM / 2.0].min()
    return float(thickness.values[seen].mean(dtype=np.float64) - lowest)
