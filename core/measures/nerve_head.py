"""Where the optic nerve head lies in an en-face scan, and how large it is. Pure; masks are bool (height, width)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.regions import box_of
from core.values import Measure, Measured, NotComputable, Scale

SMALLEST_FRACTION = 0.005
"""A smaller part of the image is no nerve head: 0.18 mm^2 of a 6 x 6 mm field, a tenth of a normal disc (2.69 mm^2 on
average, 0.80 to 5.54 mm^2; Jonas et al. 1988, Invest Ophthalmol Vis Sci 29:1151)."""

FAR_OFF_FRACTION = 0.15
"""From this offset of the field's width on, more than a tenth of the disc-centred circle as large as the field leaves
it: severe decentration by the same rule as for the fovea (core.measures.centration)."""

NO_DISC = NotComputable("no optic nerve head visible")
NO_SCALE = NotComputable("no scale")

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NerveHead:
    """The nerve head's size and place."""

    area_mm2: Measure
    offset_mm: Measure
    """Of its centre from the image's, >= 0."""
    offset_fraction: float
    """sqrt((dx / width)^2 + (dy / height)^2), 0 to 0.71."""
    touches_border: bool
    """True: cut off by the field; area and offset are those of what is seen."""

    @property
    def is_far_off(self) -> bool:
        """Whether the scan is not centred on it."""
        return self.offset_fraction >= FAR_OFF_FRACTION


def nerve_head_component(mask: Mask) -> Mask:
    """The largest connected part of ``mask`` (8 neighbours), holes filled; empty where it is too small to be one."""
    found = np.zeros(mask.shape, np.bool_)
    box = box_of(mask)
    if box is None:
        return found
    labels, _ = ndimage.label(mask[box], structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    if sizes.max() >= SMALLEST_FRACTION * mask.size:
        found[box] = ndimage.binary_fill_holes(labels == int(np.argmax(sizes)) + 1)
    return found


def nerve_head(mask: Mask, scale: Scale | None) -> NerveHead | NotComputable:
    """Area (mm^2, pixels times the area of one) and offset of a mask's nerve head; NotComputable without one."""
    disc = nerve_head_component(mask)
    rows, columns = np.nonzero(disc)
    if not len(rows):
        return NO_DISC
    height, width = mask.shape
    dx, dy = columns.mean() + 0.5 - width / 2.0, rows.mean() + 0.5 - height / 2.0
    touches = bool(disc[0].any() or disc[-1].any() or disc[:, 0].any() or disc[:, -1].any())
    area: Measure = NO_SCALE
    offset: Measure = NO_SCALE
    if scale is not None:
        area = Measured(float(len(rows) * scale.area_mm2_per_px))
        offset = Measured(float(np.hypot(dx * scale.x_mm_per_px, dy * scale.y_mm_per_px)))
    return NerveHead(area, offset, float(np.hypot(dx / width, dy / height)), touches)
