"""The three ways of dividing the retina into layers: names, colours, and what one says in the terms of another."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.vocabulary import LayerScheme

Labels = NDArray[np.uint8]


CLASS_NAMES: dict[LayerScheme, tuple[str, ...]] = {
    LayerScheme.RETINA: ("background", "retina"),
    LayerScheme.FIVE: ("background", "rest of retina", "photoreceptor layer", "transition", "pigment epithelium"),
    LayerScheme.DUKE_7: ("background", "ILM-RNFL", "GCL-IPL", "INL", "OPL", "ONL-ISM", "ISE", "OS-RPE"),
}
"""By class number."""

BOUNDARY_NAMES: dict[LayerScheme, tuple[str, ...]] = {
    LayerScheme.RETINA: ("ILM", "RPE/Bruch"),
    LayerScheme.FIVE: ("ILM", "start of photoreceptors", "end of photoreceptors", "start of RPE", "RPE/Bruch"),
    LayerScheme.DUKE_7: (
        "ILM", "RNFL/GCL", "IPL/INL", "INL/OPL", "OPL/ONL", "ONL/ISE", "ISE/OS-RPE", "RPE/Bruch",
    ),
}  # fmt: skip
"""From top to bottom: boundary k lies between class k and class k + 1, the last one under the last class."""

PALETTE = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip
"""Colours of the classes, red, green, blue: Okabe and Ito's, told apart by colour-blind people too."""

_DUKE_7_IN_FIVE = (0, 1, 1, 1, 1, 1, 2, 4)
"""ISE is the photoreceptor layer, OS-RPE the pigment epithelium; the *transition* has no counterpart there."""


_BOUNDARIES_FROM: dict[tuple[LayerScheme, LayerScheme], tuple[int, ...]] = {
    (LayerScheme.DUKE_7, LayerScheme.FIVE): (0, 5, 6, 6, 7),
    (LayerScheme.DUKE_7, LayerScheme.RETINA): (0, 7),
    (LayerScheme.FIVE, LayerScheme.RETINA): (0, 4),
}
"""Which boundaries of one scheme are those of a coarser one; of the *transition*, which duke-7 has not, both are one,
so that it has no thickness."""


def n_classes(scheme: LayerScheme) -> int:
    """Number of classes, background included; as many boundaries has a column."""
    return len(CLASS_NAMES[scheme])


def in_scheme(labels: Labels, scheme: LayerScheme) -> Labels:
    """A duke-7 label map (height, width) in the classes of another scheme."""
    if scheme is LayerScheme.DUKE_7:
        return labels
    table = np.array(_DUKE_7_IN_FIVE if scheme is LayerScheme.FIVE else (0, *[1] * 7), np.uint8)
    return table[labels]


def coarser_schemes(scheme: LayerScheme) -> tuple[LayerScheme, ...]:
    """The other schemes that boundaries of this one can be said in."""
    return tuple(to for known, to in _BOUNDARIES_FROM if known is scheme)


def boundaries_in(boundary_row_px: NDArray[np.float32], known: LayerScheme, wanted: LayerScheme) -> NDArray[np.float32]:
    """Boundaries (n, width) of one scheme as those of another, which must be it or one of its coarser ones."""
    return boundary_row_px if wanted is known else boundary_row_px[list(_BOUNDARIES_FROM[known, wanted])]


def labels_of_boundaries(boundary_row_px: NDArray[np.floating], height_px: int) -> Labels:
    """Class of every pixel (height, width) from boundaries (n, width); rows count from 0 at the top pixel's centre.

    Layer k takes the rows r with boundary[k-1] <= r < boundary[k]. Columns with NaN are background.
    """
    rows = np.arange(height_px, dtype=np.float32)[:, None]
    passed = np.zeros((height_px, boundary_row_px.shape[1]), np.uint8)
    for boundary in boundary_row_px:
        passed += rows >= boundary[None, :]  # NaN compares False
    passed[passed == len(boundary_row_px)] = 0  # below the last boundary
    passed[:, ~np.isfinite(boundary_row_px).all(axis=0)] = 0
    return passed


def layers_png(labels: Labels) -> bytes:
    """Indexed-colour PNG of a label map (height, width): the pixel value is the class, the palette is PALETTE."""
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([level for colour in PALETTE for level in colour])
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=False)
    return buffer.getvalue()
