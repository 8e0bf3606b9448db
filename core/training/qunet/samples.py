"""Training samples of QU-Net++: an image's region and its label map, varied; functions of seed, epoch and position."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.scoring.lanes.level_output import labels_at_input, network_input, region_box
from core.training.qunet.recipe import QuNetAugmentation, QuNetRecipe
from core.training.qunet.slices import read_labels
from core.training.supervised.picture import Picture, read_grey_levels
from core.training.supervised.samples import Draw


class Sample(NamedTuple):
    """An image as the network sees it, float32 (S, S) in 0..1, and its classes, uint8 (S, S)."""

    image: NDArray[np.float32]
    labels: NDArray[np.uint8]


class QuNetSamples:
    """Images (1, S, S) with their classes (S, S); indexed by a Draw, every file read once."""

    def __init__(self, pictures: Sequence[Picture], recipe: QuNetRecipe, levels: Sequence[int]) -> None:
        self.recipe = recipe
        self._held = [_sample(picture, recipe, levels) for picture in pictures]

    def __len__(self) -> int:
        """Number of images."""
        return len(self._held)

    def __getitem__(self, draw: Draw, /) -> tuple[Tensor, Tensor]:
        """Image and classes, varied where the draw belongs to an epoch."""
        sample = self._held[draw.index]
        if draw.epoch >= 0:
            rng = np.random.default_rng((self.recipe.seed, draw.epoch, draw.position))
            sample = varied(sample, self.recipe.augmentation, rng)
        labels = torch.from_numpy(sample.labels.astype(np.int64))
        return torch.from_numpy(sample.image[None].copy()), labels


def _sample(picture: Picture, recipe: QuNetRecipe, levels: Sequence[int]) -> Sample:
    image = read_grey_levels(picture.record.path)
    box = region_box(image, recipe.region)
    path = picture.record.mask_path
    labels = np.zeros(image.shape, np.uint8) if path is None else read_labels(path, levels)
    return Sample(network_input(image, box, recipe.image_px), labels_at_input(labels, box, recipe.image_px))


def varied(sample: Sample, variation: QuNetAugmentation, rng: np.random.Generator) -> Sample:
    """Flipped, turned, sheared and moved, image and labels alike; what comes in from outside is 0, background."""
    flip = -1.0 if rng.random() < variation.horizontal_flip else 1.0
    upside = -1.0 if rng.random() < variation.vertical_flip else 1.0
    angle = math.radians(rng.uniform(-1, 1) * variation.rotation_deg) if rng.random() < variation.rotation else 0.0
    shear = rng.uniform(-1, 1) * variation.shear
    size = sample.image.shape[0]
    down, right = rng.uniform(-1, 1, 2) * variation.shift * size
    cosine, sine = math.cos(angle), math.sin(angle)
    # From output to input, about the centre: shear, then turn, then mirror.
    a, b = flip * cosine, flip * (cosine * shear + sine)
    d, e = -upside * sine, upside * (cosine - sine * shear)
    centre = size / 2
    matrix = (
        a, b, centre - a * centre - b * centre + right,
        d, e, centre - d * centre - e * centre + down,
    )  # fmt: skip
    return Sample(
        np.asarray(_transformed(Image.fromarray(sample.image), matrix, Image.Resampling.BILINEAR), np.float32),
        np.asarray(_transformed(Image.fromarray(sample.labels), matrix, Image.Resampling.NEAREST), np.uint8),
    )


def _transformed(picture: Image.Image, matrix: tuple[float, ...], resampling: Image.Resampling) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample=resampling)
