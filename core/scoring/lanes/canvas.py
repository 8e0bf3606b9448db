"""Places images on the network's square canvas and maps its outputs back to their own size; no network library.

Training imports this, so that a network never sees another geometry or normalisation than it was trained on.
Changing anything here changes PREPROCESSING.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array

PREPROCESSING = "octa-canvas-256/2"
"""Stored with every assessment: longer side to 256 px, centred, padded with the normalised zero."""

CANVAS_PX = 256
"""Devices write 304 to 512 px and public copies are resampled; at 256 px their spectra become comparable, which
takes away a clue to the source. It is also what two CPU cores score at well over 12 scans/s."""

MEAN, SPREAD = 0.25, 0.2
"""Rounded mean and standard deviation of grey levels in [0, 1] over the public OCTA images trained on."""

MIN_SIDE_PX = 32
"""Below this an en-face image shows nothing that can be graded."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image of ``height_px`` x ``width_px`` lies on the canvas."""

    height_px: int
    width_px: int
    top_px: int
    left_px: int
    inner_height_px: int
    inner_width_px: int

    @classmethod
    def of(cls, height_px: int, width_px: int, canvas_px: int = CANVAS_PX) -> "Placement":
        """The placement of an image of this size: longer side fills the canvas, the other is centred."""
        scale = canvas_px / max(height_px, width_px)
        inner_height, inner_width = max(1, round(height_px * scale)), max(1, round(width_px * scale))
        top, left = (canvas_px - inner_height) // 2, (canvas_px - inner_width) // 2
        return cls(height_px, width_px, top, left, inner_height, inner_width)

    def box(self, stride_px: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the image on a map of the canvas with this stride."""
        right, bottom = self.left_px + self.inner_width_px, self.top_px + self.inner_height_px
        return self.left_px / stride_px, self.top_px / stride_px, right / stride_px, bottom / stride_px


def place(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Placement]:
    """The image (height, width), anti-aliased, on the canvas (256, 256) in grey levels; padding is level 64.

    Raises
    ------
    ValueError
        The array is not two-dimensional, or a side is shorter than 32 px.
    """
    if image.ndim != 2 or min(image.shape) < MIN_SIDE_PX:  # noqa: PLR2004 - height and width
        raise ValueError(
            f"Expected a grey image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px, got shape {image.shape}."
        )
    height, width = image.shape
    placement = Placement.of(height, width)
    inner = Image.fromarray(image).resize(
        (placement.inner_width_px, placement.inner_height_px), Image.Resampling.BILINEAR
    )
    canvas = np.full((CANVAS_PX, CANVAS_PX), round(MEAN * 255), dtype=np.uint8)
    rows = slice(placement.top_px, placement.top_px + placement.inner_height_px)
    columns = slice(placement.left_px, placement.left_px + placement.inner_width_px)
    canvas[rows, columns] = np.asarray(inner)
    return canvas, placement


def normalise(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels (..., H, W) to the network's range, same shape."""
    return ((canvas.astype(np.float32) / np.float32(255)) - np.float32(MEAN)) / np.float32(SPREAD)


def logistic(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logistic function of logits of any shape; scipy's expit takes five times as long."""
    odds = np.maximum(logits, np.float32(-80))  # exp overflows float32 beyond 88
    np.exp(np.negative(odds, out=odds), out=odds)
    return np.asarray(np.reciprocal(np.add(odds, 1, out=odds), out=odds), np.float32)


def restore(network_map: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """A map (h, w) that covers the canvas, brought to the image's own size (height, width), padding cut off first.

    Cells that lie wholly in the padding are dropped before anything is interpolated: a value outside the image
    must not bleed into it.
    """
    stride = CANVAS_PX // network_map.shape[0]
    left, top, right, bottom = placement.box(stride)
    first_row, first_column = int(top), int(left)
    cells = network_map[first_row : int(np.ceil(bottom)), first_column : int(np.ceil(right))]
    height, width = cells.shape
    across = _bilinear(width, placement.width_px, left - first_column, right - first_column)
    down = _bilinear(height, placement.height_px, top - first_row, bottom - first_row)
    # A sparse product is fast where rows lie whole in memory, hence the copy; Pillow itself takes four times as long.
    wide = np.ascontiguousarray((across @ cells.T).T)
    return np.asarray(down @ wide, np.float32)


@lru_cache(maxsize=64)
def _bilinear(n_cells: int, size_px: int, start: float, stop: float) -> csr_array:
    """Pillow's bilinear weights (size_px, n_cells) for bringing the cells from ``start`` to ``stop`` to ``size_px``."""
    each_cell = Image.fromarray(np.eye(n_cells, dtype=np.float32))
    weights = each_cell.resize((n_cells, size_px), Image.Resampling.BILINEAR, box=(0, start, n_cells, stop))
    return csr_array(np.asarray(weights, np.float32))
