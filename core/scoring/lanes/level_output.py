"""What QU-Net++ sees of an image and how its label maps come back to the image's own size; NumPy and Pillow only."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.measures.regions import box_of, field_region
from core.measures.retina_band import retina_band

PREPROCESSING = "qunet-region/1"
"""Stored in the card: cropped to the region's box with a margin, resized to a square, grey levels spread to 0..255."""
MARGIN_SHARE = 0.08
"""Of the box's height, above and below: the band is found roughly."""
_MAX_LEVEL = 255.0


class Region(StrEnum):
    """What of an image is looked at: the paper crops OCT slices to the retina and masks CT slices to the lung."""

    BAND = "band"
    """The intra-retinal band of a B-scan."""
    FIELD = "field"
    """The field of an en-face image, without its black border."""


@dataclass(frozen=True, slots=True)
class Box:
    """Rows and columns of the part that was cut out, half open."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an image (height, width) with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def region_mask(image: NDArray[np.uint8], region: Region) -> NDArray[np.bool_]:
    """The region in which CoV and mean are taken, as a mask (height, width); the field where no band is found."""
    if region is Region.BAND:
        band = retina_band(image)
        if band.any():
            return band
    return field_region(image)


def region_box(image: NDArray[np.uint8], region: Region) -> Box:
    """The box that is cut out: the band's rows with a margin over the full width, or the field; else all of it."""
    height, width = image.shape
    found = box_of(region_mask(image, region))
    if found is None:
        return Box(0, height, 0, width)
    rows, columns = found
    if region is Region.FIELD:
        return Box(rows.start, rows.stop, columns.start, columns.stop)
    margin = round((rows.stop - rows.start) * MARGIN_SHARE)
    return Box(max(0, rows.start - margin), min(height, rows.stop + margin), 0, width)


def network_input(image: NDArray[np.uint8], box: Box, size_px: int) -> NDArray[np.float32]:
    """The part of an image (height, width) at (size_px, size_px), its darkest level 0 and its brightest 1."""
    part = Image.fromarray(np.ascontiguousarray(image[box.slices]))
    grey = np.asarray(part.resize((size_px, size_px), Image.Resampling.BILINEAR), dtype=np.float32)
    low, spread = float(grey.min()), float(np.ptp(grey))
    return np.asarray((grey - low) / spread if spread > 0 else grey / _MAX_LEVEL, np.float32)


def labels_at_input(labels: NDArray[np.uint8], box: Box, size_px: int) -> NDArray[np.uint8]:
    """A label map (height, width) as ``network_input`` cuts and resizes the image; no class is made up in between."""
    part = Image.fromarray(np.ascontiguousarray(labels[box.slices]))
    return np.asarray(part.resize((size_px, size_px), Image.Resampling.NEAREST), dtype=np.uint8)


def labels_at_image(labels: NDArray[np.uint8], box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A label map (size_px, size_px) at its place in an image of ``shape`` (height, width); 0 outside the box."""
    whole = np.zeros(shape, np.uint8)
    size = (box.right - box.left, box.bottom - box.top)
    whole[box.slices] = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    return whole
