"""QU-Net++'s no-reference image indices of one grey image. Pure; uint8 (height, width), levels 0..255.

Source: Roychowdhury 2021, "QU-net++: Image Quality Detection Framework for Segmentation of Medical 3D Image Stacks",
step 1. The paper names the indices and not their kernels: ours are stated at each. They rank images of one set against
each other; none has a cut-off that holds across devices.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.measures.regions import field_region
from core.values import ImageIndices, Measure, Measured, NotComputable

_EXCHANGES = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8), (4, 7), (3, 6), (1, 4),
    (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip
"""The 19 exchanges that put the median of nine values in the middle (Paeth 1990, Graphics Gems, pp. 171-175)."""

FLAT = NotComputable("the image is flat")
NO_REGION = NotComputable("the image is black")
NO_LEVELS = NotComputable("no deep-supervision head")

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def image_indices(image: Image, roi: Mask | None = None, q_level_agreement: Measure = NO_LEVELS) -> ImageIndices:
    """The four indices of ``image`` inside ``roi`` (None: the field without its black border).

    ``q_level_agreement`` is handed through where a network has it: it is the agreement of two of its levels.
    """
    region = field_region(image) if roi is None else roi
    if not region.any():
        return ImageIndices(NO_REGION, NO_REGION, NO_REGION, NO_REGION, q_level_agreement)
    return ImageIndices(
        blurriness=blurriness(image, region),
        psnr_inverse=psnr_inverse(image, region),
        cov=cov(image, region),
        mean=Measured(float(_inside(image, region).mean())),
        q_level_agreement=q_level_agreement,
    )


def blurriness(image: Image, region: Mask) -> Measure:
    """1 / variance of the Laplacian (1 / level^2, > 0); higher is blurrier, noise makes it lower.

    Kernel: the four-neighbour Laplacian (0 1 0; 1 -4 1; 0 1 0), edges repeated. A flat image has none.
    """
    padded = np.pad(image.astype(np.int16), 1, mode="edge")
    neighbours = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    laplacian = neighbours - 4 * padded[1:-1, 1:-1]
    variance = _variance(_inside(laplacian, region))
    return Measured(1.0 / variance) if variance > 0.0 else FLAT


def psnr_inverse(image: Image, region: Mask) -> Measure:
    """Variance of (image - its median filter) over the maximum level (levels, >= 0); higher is noisier.

    Kernel: square median of 3 x 3 pixels, edges repeated.
    """
    smooth = median_of_nine(image)
    levels = _inside(image, region)
    residue = np.subtract(levels, _inside(smooth, region), dtype=np.int16)
    peak = float(levels.max())
    return Measured(_variance(residue) / peak) if peak > 0.0 else NO_REGION


def _variance(levels: NDArray[Any]) -> float:
    """Of whole numbers below 2^11; float32 keeps six digits and takes half the time of float64."""
    return float(levels.astype(np.float32).var())


def _inside(plane: NDArray[Any], region: Mask) -> NDArray[Any]:
    """The region's values; a whole field, the usual case, is not copied."""
    return plane.ravel() if region.all() else plane[region]


def median_of_nine(image: Image) -> Image:
    """The 3 x 3 median of ``image``, edges repeated; over whole planes at once, 15 times as fast as a rank filter."""
    padded = np.pad(image, 1, mode="edge")
    height, width = image.shape
    planes = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    for low, high in _EXCHANGES:
        planes[low], planes[high] = np.minimum(planes[low], planes[high]), np.maximum(planes[low], planes[high])
    return planes[4]


def cov(image: Image, region: Mask) -> Measure:
    """The paper's CoV: variance over maximum (levels, >= 0) inside the region. Not the coefficient of variation."""
    inside = _inside(image, region)
    peak = float(inside.max())
    return Measured(_variance(inside) / peak) if peak > 0.0 else NO_REGION
