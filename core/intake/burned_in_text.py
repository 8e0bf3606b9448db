"""Finds lettering burned into a scan's pixels, so that a name never travels on with an image. Runs without torch.

The weights are those of core.networks.text_detector, trained by core.training.text_detector; the model card in
core/weights says on what and how well. The forward pass is repeated here in NumPy because the upload route runs in
the dashboard's process, which never loads torch.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from scipy import ndimage

WEIGHTS_FILE = Path(__file__).resolve().parents[1] / "weights" / "text-detector.safetensors"
CELL_PX = 4
"""The network answers per cell of 4 x 4 pixels."""
CELL_PROBABILITY = 0.7
MIN_LINE_CELLS = 8
"""Cells that a region must hold to be called lettering: measured, see the model card."""
MIN_ELONGATION = 1.5
"""A line of text is longer than it is high."""
BORDER_FRACTION = 0.1
"""Lettering that devices and export programs add lies along an edge, within this share of the side: level lines near
the top or the bottom, upright ones near the left or the right. The ragged seams of eye movements, the detector's
commonest error, lie anywhere."""
MAX_FULL_SIZE_PX = 4_000_000
"""A larger image is searched at half its size (again and again), where lettering of 24 pixels looks like 12."""

_TILE_PX = 512
_OVERLAP_PX = 64
"""More than half the network's receptive field of 86 pixels, so that tiles give the same cells as the whole."""
_MIN_SIDE_PX = 128


@dataclass(frozen=True, slots=True)
class Region:
    """A box in pixels of the image, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def widened(self, width: int, height: int) -> "Region":
        """The box with a margin of its own line height, inside an image of ``width`` x ``height`` pixels.

        The detector sees the middle of a line better than its ends and the strokes above and below it.
        """
        margin = max(min(self.right - self.left, self.bottom - self.top), 3 * CELL_PX)
        return Region(
            max(self.left - margin, 0),
            max(self.top - margin // 2, 0),
            min(self.right + margin, width),
            min(self.bottom + margin // 2, height),
        )

    def as_document(self) -> dict[str, int]:
        """The box as JSON for ``batch_file.text_regions``."""
        return asdict(self)


def find_lettering(image: NDArray[np.uint8], *, weights: Path = WEIGHTS_FILE) -> tuple[Region, ...]:
    """Boxes around what looks like lettering in ``image``, uint8 (height, width); empty where nothing does.

    Lettering from about 12 to 60 pixels high is found, level or turned by 90 degrees; larger lettering too where
    the image is large.
    """
    regions: list[Region] = []
    for step, scaled in _scales(image):
        probability = text_probability(scaled, weights=weights)
        labels, _ = ndimage.label(probability > CELL_PROBABILITY, structure=np.ones((3, 3)))
        areas = np.bincount(labels.ravel())
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            if areas[label] >= MIN_LINE_CELLS and _lies_like_a_caption(rows, columns, labels.shape):
                factor = CELL_PX * step
                regions.append(
                    Region(
                        columns.start * factor,
                        rows.start * factor,
                        min(columns.stop * factor, image.shape[1]),
                        min(rows.stop * factor, image.shape[0]),
                    )
                )
    return tuple(regions)


def _lies_like_a_caption(rows: slice, columns: slice, shape: tuple[int, ...]) -> bool:
    """Whether a box of cells is a line in shape, along and near an edge of the map (height, width)."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if max(height, width) < MIN_ELONGATION * min(height, width):
        return False
    across, length = (rows, shape[0]) if width >= height else (columns, shape[1])
    return bool(min(across.start, length - across.stop) <= BORDER_FRACTION * length)


def text_probability(image: NDArray[np.uint8], *, weights: Path = WEIGHTS_FILE) -> NDArray[np.float32]:
    """Probability per cell that it lies in a line of text, float32 (ceil(height / 4), ceil(width / 4))."""
    height, width = (-(-length // CELL_PX) * CELL_PX for length in image.shape)
    padded = np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1])), mode="edge")
    logits = np.empty((height // CELL_PX, width // CELL_PX), np.float32)
    detector = _detector(weights)
    for rows, columns in _tiles(height, width):
        outer_rows, inner_rows = _with_overlap(rows, height)
        outer_columns, inner_columns = _with_overlap(columns, width)
        tile = _forward(padded[outer_rows, outer_columns], detector)
        logits[_cells(rows), _cells(columns)] = tile[_cells(inner_rows), _cells(inner_columns)]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _scales(image: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The image at full, half and quarter size (step 1, 2, 4), from the largest size that is searched."""
    step = 1
    while image.size / step**2 > MAX_FULL_SIZE_PX:
        step *= 2
    for _ in range(3):
        if min(image.shape) // step < _MIN_SIDE_PX and step > 1:
            return
        reduced = image if step == 1 else np.asarray(Image.fromarray(image).reduce(step), dtype=np.uint8)
        yield step, reduced
        step *= 2


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, _TILE_PX):
        for left in range(0, width, _TILE_PX):
            yield slice(top, min(top + _TILE_PX, height)), slice(left, min(left + _TILE_PX, width))


def _with_overlap(part: slice, length: int) -> tuple[slice, slice]:
    """The part with its surroundings, and where the part lies inside that."""
    start, stop = max(part.start - _OVERLAP_PX, 0), min(part.stop + _OVERLAP_PX, length)
    return slice(start, stop), slice(part.start - start, part.stop - start)


def _cells(pixels: slice) -> slice:
    return slice(pixels.start // CELL_PX, pixels.stop // CELL_PX)


@dataclass(frozen=True, slots=True)
class _Detector:
    """The network's parameters: per layer kernel (d, c, 3, 3), bias (d,) and dilation; then the head."""

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32], int], ...]
    head: NDArray[np.float32]
    head_bias: float


@cache
def _detector(weights: Path) -> _Detector:
    with safe_open(weights, framework="numpy") as stored:
        dilations = [int(word) for word in stored.metadata()["dilations"].split(",")]
        layers = tuple(
            (stored.get_tensor(f"layers.{number}.weight"), stored.get_tensor(f"layers.{number}.bias"), dilation)
            for number, dilation in enumerate(dilations)
        )
        head = stored.get_tensor("head.weight").reshape(-1)
        return _Detector(layers, head, float(stored.get_tensor("head.bias")[0]))


def _forward(image: NDArray[np.uint8], detector: _Detector) -> NDArray[np.float32]:
    """Logits (height / 4, width / 4) of one tile; the layers of core.networks.text_detector, in their order."""
    features = image.astype(np.float32)[:, :, None] / np.float32(255) - np.float32(0.5)  # (h, w, 1)
    for number, (kernel, bias, dilation) in enumerate(detector.layers):
        features = np.maximum(_convolve(features, kernel, dilation) + bias, 0)  # (h, w, c)
        if number < 2:  # noqa: PLR2004 - two poolings make the cell of 4 pixels
            height, width, channels = features.shape
            features = features.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    return np.asarray(features @ detector.head + np.float32(detector.head_bias), dtype=np.float32)


def _convolve(features: NDArray[np.float32], kernel: NDArray[np.float32], dilation: int) -> NDArray[np.float32]:
    """3 x 3 convolution of (h, w, c) with a kernel (d, c, 3, 3), zero padding: the sum of nine shifted products."""
    height, width, channels = features.shape
    padded = np.pad(features, ((dilation, dilation), (dilation, dilation), (0, 0)))
    shifted = [
        padded[dy * dilation : dy * dilation + height, dx * dilation : dx * dilation + width]
        for dy in range(3)
        for dx in range(3)
    ]
    taps = kernel.transpose(2, 3, 1, 0).reshape(9, channels, -1)
    if channels == 1:
        columns = np.concatenate(shifted, axis=2)  # (h, w, 9)
        return np.asarray(columns @ taps[:, 0, :], dtype=np.float32)
    total = np.zeros((height, width, kernel.shape[0]), np.float32)
    for piece, tap in zip(shifted, taps, strict=True):
        total += piece @ tap
    return total
