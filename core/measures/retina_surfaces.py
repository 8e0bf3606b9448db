"""The retina's borders and thickness as surfaces over the fundus, and the difference of two eyes or visits. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.fovea import Fovea
from core.measures.thickness import NO_DEPTH_SCALE, NO_RETINA, Rows, thickness_by_boundaries_um
from core.measures.thickness_map import FundusMap, lay_out
from core.values import NotComputable
from core.volume import OctVolume


@dataclass(frozen=True, slots=True)
class RetinaSurfaces:
    """Where the retina starts and ends, and how thick it is, on the same cells of the fundus.

    ``start`` and ``end`` are depths in um below the B-scan's first row, ``thickness`` is in um; NaN where nothing was
    measured.
    """

    start: FundusMap
    end: FundusMap
    thickness: FundusMap


def lay_surfaces(inner_row_px: Rows, outer_row_px: Rows, volume: OctVolume) -> RetinaSurfaces | NotComputable:
    """Surfaces of the inner and outer boundary: rows of the B-scan, float32 (n, width) each, NaN where there is none.

    NotComputable where the file states no depth scale, where the capture has no surface between its B-scans
    (``core.measures.thickness_map.lay_out``), and where no retina was found.
    """
    if volume.z_um_per_px is None:
        return NO_DEPTH_SCALE
    thickness_um = thickness_by_boundaries_um(inner_row_px, outer_row_px, volume.z_um_per_px)
    has_retina = np.isfinite(thickness_um)
    if not has_retina.any():
        return NO_RETINA
    laid = []
    for values in (inner_row_px * volume.z_um_per_px, outer_row_px * volume.z_um_per_px, thickness_um):
        surface = lay_out(np.where(has_retina, values, np.nan).astype(np.float32), volume)
        if isinstance(surface, NotComputable):
            return surface
        laid.append(surface)
    return RetinaSurfaces(*laid)


def difference_at_fovea(
    one: FundusMap, one_fovea: Fovea, other: FundusMap, other_fovea: Fovea, *, is_mirrored: bool = False
) -> FundusMap:
    """``one`` minus ``other`` on the cells of ``one``, the two laid on each other at the fovea.

    ``is_mirrored`` turns the other left to right, so that nasal meets nasal where the two are fellow eyes. The maps
    are shifted and not turned: a head held at another angle shows as a difference. The other is read between its
    cells linearly; cells where either has no value are NaN.
    """
    side = -1.0 if is_mirrored else 1.0
    x_mm = other_fovea.x_mm + side * (one.x_mm - one_fovea.x_mm)
    y_mm = other_fovea.y_mm + (one.y_mm - one_fovea.y_mm)
    columns, rows = _places_in(other.x_mm, x_mm), _places_in(other.y_mm, y_mm)
    places = np.stack(np.broadcast_arrays(rows[:, None], columns[None, :]))  # (2, rows, columns)
    read: NDArray[np.float64] = ndimage.map_coordinates(
        other.values.astype(np.float64), places, order=1, mode="constant", cval=np.nan
    )
    return FundusMap((one.values - read).astype(np.float32), one.x_mm, one.y_mm)


def _places_in(axis_mm: NDArray[np.float64], places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional indices of ``places_mm`` along an evenly spaced axis; beyond its ends they lie outside."""
    step = (axis_mm[-1] - axis_mm[0]) / (axis_mm.size - 1) if axis_mm.size > 1 else 1.0
    return np.asarray((places_mm - axis_mm[0]) / step, np.float64)
