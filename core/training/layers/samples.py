"""Training samples of the layer networks: canvases with the share of each class per cell, and phantoms among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.phantom.bscan import BscanLesion, BscanPhantom, draw_bscan, random_bscan_spec
from core.scoring.lanes.layer_canvas import normalised, on_canvas
from core.scoring.lanes.layer_mask import class_shares
from core.scoring.lanes.layer_scheme import Labels, in_scheme, n_classes
from core.training.layers.data import labels_in
from core.training.layers.recipe import LayersRecipe
from core.training.layers.vary import vary
from core.training.supervised.picture import Picture, read_grey_levels
from core.training.supervised.samples import Draw
from core.vocabulary import LayerScheme

_LESIONS = (BscanLesion.NONE, BscanLesion.FLUID, BscanLesion.FLUID, BscanLesion.DRUSEN, BscanLesion.CNV)
"""Of the training's phantoms, in turn: the public set shows macular oedema."""
_SIZES = ((496, 512), (496, 768), (384, 512), (256, 256))
"""Heights and widths of B-scans as devices export them, in turn."""
_PHANTOM_SEED = 40_000
"""Training draws its phantoms from here on, evaluation from core.training.layers.figures."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A B-scan as it is trained on: grey levels (S, S) and 255 times the share of each class (classes, S, S)."""

    grey: NDArray[np.uint8]
    shares: NDArray[np.uint8]


class LayerSamples:
    """Z-scored canvases (1, S, W) with the shares of the classes (classes, S, W); indexed by a Draw."""

    def __init__(self, pictures: Sequence[Picture], recipe: LayersRecipe, phantoms: Sequence[Canvas] = ()) -> None:
        self.pictures = list(pictures)
        self.recipe = recipe
        self.phantoms = list(phantoms)
        self._held: dict[int, Canvas] = {}

    def __len__(self) -> int:
        """Number of images; phantoms come in their stead."""
        return len(self.pictures)

    def __getitem__(self, draw: Draw, /) -> tuple[Tensor, Tensor]:
        """Input and label."""
        if draw.epoch < 0:
            canvas = self._at(draw.index)
            return _tensor(normalised(canvas.grey))[None], _tensor(_as_shares(canvas))
        rng = np.random.default_rng((self.recipe.seed, draw.epoch, draw.position))
        canvas = self._drawn(draw, rng)
        image, shares = vary(normalised(canvas.grey), _as_shares(canvas), self.recipe.augmentation, rng)
        rows, columns = (
            _crop(rng, size, wanted)
            for size, wanted in zip(image.shape, (self.recipe.crop_rows, self.recipe.crop_columns), strict=True)
        )
        return _tensor(image[rows, columns])[None], _tensor(shares[:, rows, columns])

    def _drawn(self, draw: Draw, rng: np.random.Generator) -> Canvas:
        if self.phantoms and rng.random() < self.recipe.phantom_share:
            return self.phantoms[int(rng.integers(len(self.phantoms)))]
        return self._at(draw.index)

    def _at(self, index: int) -> Canvas:
        if index not in self._held:
            record = self.pictures[index].record
            assert record.mask_path is not None  # the manifest was checked
            labels = labels_in(record.mask_path, self.recipe.scheme)
            self._held[index] = canvas_of(read_grey_levels(record.path), labels, self.recipe)
        return self._held[index]


def _crop(rng: np.random.Generator, size: int, wanted: int | None) -> slice:
    """So many of ``size`` rows or columns, anywhere; all where ``wanted`` is None."""
    length = wanted or size
    start = int(rng.integers(size - length + 1))
    return slice(start, start + length)


def canvas_of(image: NDArray[np.uint8], labels: Labels, recipe: LayersRecipe) -> Canvas:
    """A labelled B-scan (height, width) at the recipe's size."""
    size = recipe.image_px
    shares = class_shares(labels, n_classes(recipe.scheme), size, size)
    return Canvas(on_canvas(image, size), np.rint(255 * shares).astype(np.uint8))


def draw_phantoms(recipe: LayersRecipe) -> list[Canvas]:
    """The recipe's phantoms on the canvas; the same recipe gives the same."""
    found = []
    for number in range(recipe.n_phantoms):
        rng = np.random.default_rng([recipe.seed, _PHANTOM_SEED, number])
        height, width = _SIZES[number % len(_SIZES)]
        lesion = _LESIONS[(number // len(_SIZES)) % len(_LESIONS)]
        spec = random_bscan_spec(rng, lesion, height_px=height, width_px=width)
        phantom = draw_bscan(spec, _PHANTOM_SEED + recipe.seed * 100_003 + number)
        found.append(canvas_of(phantom.image, labels_of_phantom(phantom, recipe.scheme), recipe))
    return found


def labels_of_phantom(phantom: BscanPhantom, scheme: LayerScheme) -> Labels:
    """The true label map (height, width) of a phantom; with five classes the outer segments are the *transition*."""
    labels = in_scheme(phantom.labels, scheme)
    if scheme is not LayerScheme.FIVE:
        return labels
    rows = np.arange(labels.shape[0], dtype=np.float32)[:, None]
    labels = labels.copy()
    labels[(phantom.labels == n_classes(LayerScheme.DUKE_7) - 1) & (rows < phantom.rpe_row_px[0])] = 3
    return labels


def _as_shares(canvas: Canvas) -> NDArray[np.float32]:
    return canvas.shares.astype(np.float32) / np.float32(255.0)


def _tensor(values: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
