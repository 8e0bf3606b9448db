"""Training samples as pure functions of seed, epoch and position: a resumed training sees the very same ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from core.scoring.lanes.zscore import resized, zscore
from core.training.supervised.augment import augment
from core.training.supervised.picture import Picture, read_grey_levels, read_mask
from core.training.supervised.recipe import SupervisedRecipe

_HELD_BYTES = 1_000_000_000
"""Resized images are held in memory up to this: 4,000 of 512 px, or 20,000 of 224 px."""


Tensors = Tensor | tuple["Tensors", ...]
"""What a network takes or a loss compares with: a tensor, or several."""


class DrawnSamples(Protocol):
    """Samples that are indexed by a Draw; each an input and a label, each of them a tensor or a tuple of tensors."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, draw: Any, /) -> tuple[Any, Any]:
        """Input and label."""
        ...


@dataclass(frozen=True, slots=True)
class Draw:
    """Which image, and the epoch and place in it that seed its variation; epoch -1: as it is."""

    index: int
    epoch: int = -1
    position: int = 0


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """Images (1, S, S) with their grade () or mask (S, S); indexed by a Draw."""

    def __init__(self, pictures: Sequence[Picture], recipe: SupervisedRecipe) -> None:
        self.pictures = list(pictures)
        self.recipe = recipe
        self._held: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8] | None]] = {}
        self._held_bytes = 0

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pictures)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Normalised image and label."""
        grey, mask = self._at(draw.index)
        image = zscore(grey)
        if draw.epoch >= 0:
            rng = np.random.default_rng((self.recipe.seed, draw.epoch, draw.position))
            image, mask = augment(image, mask, self.recipe.augmentation, rng)
        grade = self.pictures[draw.index].record.grade
        label = torch.tensor(int(grade or 0)) if mask is None else torch.from_numpy(mask.copy())
        return torch.from_numpy(image[None].copy()), label

    def _at(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Grey levels and mask (0, 1) at the recipe's size; decoded once as long as there is room."""
        if index in self._held:
            return self._held[index]
        record, size_px = self.pictures[index].record, self.recipe.image_px
        grey = resized(read_grey_levels(record.path), size_px)
        mask = None if record.mask_path is None else _resized_mask(record.mask_path, size_px)
        if self._held_bytes + grey.nbytes * 2 <= _HELD_BYTES:
            self._held[index] = (grey, mask)
            self._held_bytes += grey.nbytes * (1 if mask is None else 2)
        return grey, mask


def epoch_draws(n_images: int, recipe: SupervisedRecipe, epoch: int) -> list[list[Draw]]:
    """The batches of an epoch: every image once in random order, or a fixed number drawn with replacement.

    A last batch that is not full is left out where there are others: batch normalisation does not bear a batch of one.
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    size = recipe.batch_size
    if recipe.batches_per_epoch is not None:
        order = rng.integers(n_images, size=recipe.batches_per_epoch * size)
    else:
        order = rng.permutation(n_images)
        order = order[: max(n_images // size, 1) * size]
    draws = [Draw(int(index), epoch, position) for position, index in enumerate(order)]
    return [draws[start : start + size] for start in range(0, len(draws), size)]


def plain_draws(n_images: int, batch_size: int) -> list[list[Draw]]:
    """Every image once, in order, as it is."""
    draws = [Draw(index) for index in range(n_images)]
    return [draws[start : start + batch_size] for start in range(0, n_images, batch_size)]


def load(samples: DrawnSamples, draws: Sequence[Sequence[Draw]], *, n_workers: int) -> Iterator[tuple[Any, Any]]:
    """Batches of images (B, 1, S, S) and labels, in the order of ``draws`` whatever the number of worker processes."""
    loader: DataLoader[tuple[Any, Any]] = DataLoader(
        samples,  # type: ignore[arg-type]  # a dataset by its two methods
        batch_sampler=draws,  # type: ignore[arg-type]  # the keys are ours, torch's stubs think of integers
        num_workers=n_workers,
        pin_memory=torch.cuda.is_available(),
    )
    yield from loader


def _resized_mask(path: Path, size_px: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(read_mask(path).astype(np.uint8))
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.NEAREST), dtype=np.uint8)
