"""B-scan phantoms as an export gives them, with their class: what the B-scan lane learns from. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.phantom.bscan import BscanPhantom, draw_bscan, random_bscan_spec
from core.phantom.bscan_lesion import BscanLesion

NORMAL = "normal"
CLASSES = (NORMAL, *(lesion.value for lesion in BscanLesion if lesion is not BscanLesion.NONE))
"""What a phantom can show."""

WHITE_BORDER_SHARE = 0.3
"""Of the phantoms: about as many as in public sets of straightened exports."""
_WHITE = 255
_LEAST_PX = 12
"""A lesion of fewer pixels is not seen: the scan line just grazed it."""


@dataclass(frozen=True, slots=True)
class BscanExport:
    """A phantom as a file would show it.

    Attributes
    ----------
    image : uint8 (height, width)
        As drawn, some with the white wedges of straightened exports.
    classes : tuple of str
        What can be seen: "normal", or the names of the lesions, the intended one first.
    masks : bool (height, width) by lesion
        Only lesions that are there.
    """

    image: NDArray[np.uint8]
    classes: tuple[str, ...]
    masks: dict[str, NDArray[np.bool_]]
    phantom: BscanPhantom


def bscan_exports(count: int, seed: int, *, height_px: int = 496, width_px: int = 512) -> Iterator[BscanExport]:
    """Phantoms of every class in turn; the same arguments give the same bytes."""
    lesions = tuple(BscanLesion)
    rng = np.random.default_rng([17, seed])
    for number in range(count):
        spec = random_bscan_spec(rng, lesions[number % len(lesions)], height_px=height_px, width_px=width_px)
        yield _export(draw_bscan(spec, int(rng.integers(2**31))), rng)


def _export(phantom: BscanPhantom, rng: np.random.Generator) -> BscanExport:
    masks = {name: mask for name, mask in phantom.lesions.items() if np.count_nonzero(mask) >= _LEAST_PX}
    intended = phantom.spec.lesion.value
    classes = tuple(sorted(masks, key=lambda name: (name != intended, name))) or (NORMAL,)
    image = phantom.image
    if rng.random() < WHITE_BORDER_SHARE:
        white = _wedge(rng, *image.shape)
        retina = (phantom.labels > 0) | np.any(list(phantom.lesions.values()), axis=0)
        image = np.where(white & ~retina, np.uint8(_WHITE), image)
    return BscanExport(image, classes, masks, phantom)


def _wedge(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """The corner-to-corner strip that straightening leaves empty at the top or the bottom."""
    left, right = rng.uniform(0.0, 0.22, 2) * height
    depth = np.interp(np.arange(width), (0, width - 1), (left, right))[None, :]
    rows = np.arange(height)[:, None]
    return np.asarray(rows < depth if rng.random() < 0.6 else rows >= height - depth, np.bool_)  # noqa: PLR2004
