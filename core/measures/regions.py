"""Parts of an image on which measures are taken: a circle in millimetres, the field without its black border."""

import numpy as np
from numpy.typing import NDArray

from core.values import NotComputable, Scale

BORDER_LEVEL = 4
"""Grey levels up to this count as an export's black border; real OCTA background lies above it somewhere in a line."""


def circle_region(shape: tuple[int, int], scale: Scale, diameter_mm: float) -> NDArray[np.bool_]:
    """Pixels of an image (height, width) whose centre lies in the centred circle of ``diameter_mm`` (> 0)."""
    height, width = shape
    y = (np.arange(height) + 0.5 - height / 2.0) * scale.y_mm_per_px
    x = (np.arange(width) + 0.5 - width / 2.0) * scale.x_mm_per_px
    return np.asarray(np.hypot(x[None, :], y[:, None]) <= diameter_mm / 2.0, np.bool_)


def region_of_interest(
    shape: tuple[int, int], scale: Scale | None, diameter_mm: float | None
) -> NDArray[np.bool_] | NotComputable:
    """The protocol's region: the whole field where ``diameter_mm`` is None, else a circle, which needs a scale."""
    if diameter_mm is None:
        return np.ones(shape, np.bool_)
    return NotComputable("no scale") if scale is None else circle_region(shape, scale, diameter_mm)


def field_region(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The field without its black border: the smallest box that holds every line with a level above BORDER_LEVEL.

    ``image`` is (height, width); an image that is black all over has an empty field.
    """
    region = np.zeros(image.shape, np.bool_)
    box = box_of(image > BORDER_LEVEL)
    if box is not None:
        region[box] = True
    return region


def box_of(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Rows and columns of the smallest box that holds every set pixel of ``mask``; None where none is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
