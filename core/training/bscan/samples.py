"""Training B-scans as tensors: the image, which classes it may show, which it does, and masks of the lesions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from core.scoring.lanes.bscan_canvas import normalised, on_canvas
from core.training.bscan.label import NORMAL, BscanRecord, record_of
from core.training.bscan.recipe import BscanRecipe
from core.training.supervised.augment import augment
from core.training.supervised.picture import Picture, read_grey_levels, read_mask
from core.training.supervised.samples import Draw

UNKNOWN = -1.0
"""In ``present``: nobody says whether this lesion is there."""
_HELD_BYTES = 1_000_000_000
_HALF = 127


class BscanLabel(NamedTuple):
    """What a B-scan is compared with; K classes with the normal one first, L = K - 1 lesions."""

    possible: Tensor  # (K,) 1 where the scan may show the class; a single 1 where it is known
    present: Tensor  # (L,) 1 there, 0 not there, -1 unknown
    masks: Tensor  # (L, S, S) 0 and 1
    is_mask_known: Tensor  # () 1 where the masks are


class BscanSamples(Dataset[tuple[Tensor, BscanLabel]]):
    """Images (1, S, S), grey levels 0 to 1, with their labels; indexed by a Draw."""

    def __init__(self, pictures: Sequence[Picture], recipe: BscanRecipe, classes: Sequence[str]) -> None:
        self.pictures = list(pictures)
        self.recipe = recipe
        self.classes = tuple(classes)
        self._held: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        self._held_bytes = 0

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pictures)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, BscanLabel]:
        """Image and label, varied where the draw has an epoch."""
        record = record_of(self.pictures[draw.index])
        canvas, bits = self._at(record)
        image = normalised(canvas)
        if draw.epoch >= 0:
            rng = np.random.default_rng((self.recipe.seed, draw.epoch, draw.position))
            image, bits = self._varied(image, bits, rng)
        masks = np.stack([(bits >> place) & 1 for place in range(len(self.classes) - 1)])  # (L, S, S)
        label = BscanLabel(
            possible=torch.tensor([float(name in record.classes) for name in self.classes]),
            present=torch.tensor([presence(record, name) for name in self.classes[1:]]),
            masks=torch.from_numpy(masks),
            is_mask_known=torch.tensor(float(record.is_mask_known)),
        )
        return torch.from_numpy(image[None].copy()), label

    def _varied(
        self, image: NDArray[np.float32], bits: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The augmentations are written for z-scored images; grey levels stay within 0 and 1."""
        mean, spread = float(image.mean()), max(float(image.std()), 1e-6)
        varied, moved = augment((image - mean) / spread, bits, self.recipe.augmentation, rng)
        assert moved is not None
        return np.clip(varied * spread + mean, 0, 1).astype(np.float32), moved

    def _at(self, record: BscanRecord) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Canvas, and lesions as bits in the order of the classes; decoded once as long as there is room."""
        if record.file in self._held:
            return self._held[record.file]
        size_px = self.recipe.image_px
        canvas, bits = on_canvas(read_grey_levels(record.path), size_px), np.zeros((size_px, size_px), np.uint8)
        for place, name in enumerate(self.classes[1:]):
            for owner, path in record.mask_paths:
                if name in record.classes and owner in {"", name}:
                    bits |= np.left_shift(mask_on_canvas(read_mask(path), size_px).astype(np.uint8), place)
        if self._held_bytes + 2 * canvas.nbytes <= _HELD_BYTES:
            self._held[record.file] = canvas, bits
            self._held_bytes += 2 * canvas.nbytes
        return canvas, bits


def presence(record: BscanRecord, name: str) -> float:
    """1 where a lesion is there, 0 where not, UNKNOWN where it may be."""
    if name not in record.classes:
        return 0.0
    return UNKNOWN if record.is_one_of else 1.0


def mask_on_canvas(mask: NDArray[np.bool_], size_px: int) -> NDArray[np.bool_]:
    """A mask (height, width) on the square: where at least half of a pixel is lesion."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.BOX)) > _HALF


def is_pathological(picture: Picture) -> bool:
    """Whether a scan certainly shows a lesion; those train the segmentation."""
    return NORMAL not in record_of(picture).classes


def balanced(pictures: Sequence[Picture], least_share: float) -> list[Picture]:
    """The pictures, those of rare sources repeated until each source is about this share of all."""
    found = list(pictures)
    by_source: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_source.setdefault(picture.record.source, []).append(picture)
    for _, group in sorted(by_source.items()):
        wanted = round(least_share * len(pictures))
        found += [group[place % len(group)] for place in range(max(0, wanted - len(group)))]
    return found
