"""How a B-scan reaches the networks: white borders filled, one square size, grey levels 0 to 1; and the way back.

Diao et al. 2023 (doi:10.1016/j.bspc.2023.104810), section 3.1: "filling the white edges of the image, image resizing to
512 x 512, and grey level normalization to [0, 1]". Training imports this, so both see the same.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

PREPROCESSING = "bscan-1: white borders filled, square, grey levels 0 to 1"

WHITE_FROM = 250
"""Levels from here on are white; compression leaves some just below 255."""
LEAST_CONTACT_SHARE = 0.08
"""A white region is border where it touches one edge along at least this share of the shorter side.

A saturated retina runs into the left and right edge as well, but touches it with its thickness alone."""
SMALLEST_SIDE_PX = 64


def fill_white_borders(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The B-scan (height, width) with white regions at its edges as dark as its background.

    Exports that were straightened have white wedges, which a network takes for the brightest layer. They get the
    lower quartile of the other pixels: the vitreous and what lies below the choroid. An image without such a region
    comes back as it is.
    """
    white = image >= WHITE_FROM
    labels, n_regions = ndimage.label(white)
    if not n_regions:
        return image
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    contact = np.max([np.bincount(side, minlength=n_regions + 1) for side in sides], axis=0)
    contact[0] = 0
    border = np.flatnonzero(contact >= LEAST_CONTACT_SHARE * min(image.shape))
    if not len(border):
        return image
    # Resampling leaves a grey seam between wedge and picture: it goes, too.
    filled = ndimage.binary_dilation(np.isin(labels, border), iterations=3)
    if filled.all():
        return image
    return np.where(filled, np.uint8(np.percentile(image[~filled], 25)), image)


def on_canvas(image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The B-scan with filled borders, stretched to a square of this size; ValueError where it is too small."""
    if min(image.shape) < SMALLEST_SIDE_PX:
        raise ValueError(
            f"The image has {image.shape[1]} x {image.shape[0]} px; a B-scan has at least {SMALLEST_SIDE_PX} each way."
        )
    picture = Image.fromarray(fill_white_borders(image))
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.BILINEAR, reducing_gap=3.0), np.uint8)


def normalised(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels 0 to 1."""
    return np.asarray(canvas, np.float32) / np.float32(255)


def restored(found: NDArray[np.float32], height_px: int, width_px: int) -> NDArray[np.float32]:
    """A map (h, w) of the square at the B-scan's own size (height, width), bilinear."""
    picture = Image.fromarray(np.ascontiguousarray(found, np.float32))
    return np.asarray(picture.resize((width_px, height_px), Image.Resampling.BILINEAR), np.float32)
