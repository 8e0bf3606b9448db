"""Training samples of the ONH recipe: image, class of the grade, label map; pure functions of seed, epoch, position."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.scoring.lanes.onh_input import normalise
from core.scoring.lanes.zscore import resized
from core.training.onh.recipe import OnhRecipe
from core.training.supervised.augment import augment
from core.training.supervised.picture import Picture, read_grey_levels, read_labels
from core.training.supervised.samples import Draw

_HELD_BYTES = 1_000_000_000
"""Resized images and label maps are held in memory up to this: 30,000 of 128 px."""


Held = dict[tuple[str, int], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Grey levels and label maps by file and size."""


class OnhSamples:
    """Images (1, S, S) with (class of the grade (), label map (S, S)); indexed by a Draw.

    ``held`` is shared by trainings on the same folder, so that its files are decoded once.
    """

    def __init__(self, pictures: Sequence[Picture], recipe: OnhRecipe, held: Held | None = None) -> None:
        self.pictures = list(pictures)
        self.recipe = recipe
        self._class_of = recipe.groups.class_of
        self._held: Held = {} if held is None else held

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pictures)

    def __getitem__(self, draw: Draw, /) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Normalised image, and its two labels."""
        grey, labels = self._at(draw.index)
        image, mask = normalise(grey), labels
        if draw.epoch >= 0:
            rng = np.random.default_rng((self.recipe.seed, draw.epoch, draw.position))
            image, moved = augment(image, mask, self.recipe.augmentation, rng)
            assert moved is not None
            mask = moved
        grade = self.pictures[draw.index].record.grade
        assert grade is not None  # the manifest was checked
        label = torch.tensor(self._class_of[int(grade)])
        return torch.from_numpy(image[None].copy()), (label, torch.from_numpy(mask.astype(np.int64)))

    def _at(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Grey levels and label map at the recipe's size; decoded once as long as there is room."""
        record, size_px = self.pictures[index].record, self.recipe.image_px
        key = (record.file, size_px)
        if key in self._held:
            return self._held[key]
        assert record.mask_path is not None  # the manifest was checked
        found = resized(read_grey_levels(record.path), size_px), _resized_labels(record.mask_path, size_px)
        if len(self._held) * 2 * size_px**2 <= _HELD_BYTES:
            self._held[key] = found
        return found


def _resized_labels(path: Path, size_px: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(read_labels(path))
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.NEAREST), np.uint8)
