"""Makes one label map of many masks, and resizes label maps without inventing a class. NumPy and Pillow only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def first_run(mask: Mask) -> Mask:
    """The topmost run of each column (height, width); what comes below a gap is dropped.

    The repair of paper 004, "Avoid dataset superposition": once a column has left the retina, all further rows are
    background.
    """
    left = np.cumsum(~mask & (np.cumsum(mask, axis=0) > 0), axis=0) > 0
    return np.asarray(mask & ~left, np.bool_)


def join_masks(retina: Mask, layers: Sequence[Mask]) -> Labels:
    """One label map (height, width) of a retina's mask and its layers' from top to bottom.

    0 outside the retina, 1 the rest of it, 2 and on the layers. Pixels of a layer outside the retina are repaired:
    they become background, as do further runs of the retina below a gap. Where layers overlap, the lower one counts.
    """
    whole = first_run(retina)
    joined = whole.astype(np.uint8)
    for number, layer in enumerate(layers, start=2):
        joined[layer & whole] = number
    return joined


def class_shares(labels: Labels, n_classes: int, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Share of each class in every cell of a smaller or larger grid, float32 (classes, height, width); sums to 1.

    Each class is resized for itself, by area where it shrinks: averaging class *numbers* would make class 2 of the
    border between 1 and 3.
    """
    planes = []
    for number in range(n_classes):
        plane = Image.fromarray((labels == number).astype(np.float32))
        shrinks = labels.shape[0] >= height_px and labels.shape[1] >= width_px
        how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        planes.append(np.asarray(plane.resize((width_px, height_px), how), np.float32))
    shares = np.stack(planes)
    return np.asarray(shares / shares.sum(axis=0, keepdims=True), np.float32)


def resize_labels(labels: Labels, height_px: int, width_px: int) -> Labels:
    """A label map at another size: each cell takes the class with the largest share, the inner one of equal ones."""
    shares = class_shares(labels, int(labels.max()) + 1, height_px, width_px)
    return np.asarray(shares.argmax(axis=0), np.uint8)
