"""Whether the scan is centred on the fovea: offset of the FAZ's centroid, judged by what it cuts off. Pure."""

import numpy as np
from numpy.typing import NDArray

from core.measures.faz import NO_FAZ, faz_centroid_px
from core.values import CENTRATION_LOSS, Centration, Measured, NotComputable, Scale, SeverityThresholds


def centration(
    faz_mask: NDArray[np.bool_], scale: Scale | None, thresholds: SeverityThresholds = CENTRATION_LOSS
) -> Centration:
    """Offset of the FAZ's centroid from the image centre; not computable where no FAZ is visible.

    - ``offset_mm`` (mm, >= 0): needs a scale. Fixation alone moves a centred scan by 2 to 10 % of the field.
    - ``offset_fraction`` (0..0.71): sqrt((dx / width)^2 + (dy / height)^2).
    - ``severity``: by the share of the fovea-centred circle, as large as the field allows, that falls outside the
      field; more than 10 % is severe (sector loss, Kamalipour et al. 2021, PMC8463411, Table 1). In a square field
      that is an offset of 15 % of the width; mild begins at 10 % of the width.
    """
    centroid = faz_centroid_px(faz_mask)
    if isinstance(centroid, NotComputable):
        return Centration(NO_FAZ, NO_FAZ, None)
    height, width = faz_mask.shape
    dx, dy = centroid[0] - width / 2.0, centroid[1] - height / 2.0
    x_size, y_size = (1.0, 1.0) if scale is None else (scale.x_mm_per_px, scale.y_mm_per_px)
    loss = circle_loss((width * x_size, height * y_size), (dx * x_size, dy * y_size))
    return Centration(
        NotComputable("no scale") if scale is None else Measured(float(np.hypot(dx * x_size, dy * y_size))),
        Measured(float(np.hypot(dx / width, dy / height))),
        thresholds.severity(loss),
    )


def circle_loss(field: tuple[float, float], offset: tuple[float, float]) -> float:
    """Share (0..1) of the largest circle that fits ``field`` which leaves it when moved by ``offset``.

    Both are (x, y) in one unit. The loss is the sum of the circular segments beyond the sides,
    r^2 acos(1 - h/r) - (r - h) sqrt(2 r h - h^2) each; a corner beyond two sides counts twice, which needs an
    offset of more than 29 % of the field in both directions, far beyond severe.
    """
    radius = min(field) / 2.0
    cut = sum(_segment(radius, radius - (size / 2.0 - abs(move))) for size, move in zip(field, offset, strict=True))
    return float(min(1.0, cut / (np.pi * radius**2)))


def _segment(radius: float, depth: float) -> float:
    """Area of a circle's segment of ``depth``, 0..2 radii."""
    h = float(np.clip(depth, 0.0, 2.0 * radius))
    return float(radius**2 * np.arccos(1.0 - h / radius) - (radius - h) * np.sqrt(2.0 * radius * h - h**2))
