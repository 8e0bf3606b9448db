"""Runs a QU-Net++: the label map of an image, and Q, the agreement of its last two levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.measures.indices import NO_LEVELS
from core.measures.selection import level_agreement
from core.networks.qunet import QuNet, QuNetShape
from core.scoring.lanes.level_output import Box, Region, labels_at_image, network_input, region_box
from core.scoring.qunet_card import QuNetCard
from core.scoring.torch_backend.device import reproducible_inference
from core.scoring.torch_backend.stored_weights import filled, tensors_of
from core.values import Measure

BATCH = 8


@dataclass(frozen=True, slots=True)
class LevelReading:
    """What a network says of one image.

    Attributes
    ----------
    labels : uint8 (height, width)
        Classes of the last level at the image's own size, 0 background; 0 outside the region.
    q : Measure
        Agreement of the last two levels at the network's own size, 0..1; a U-Net has none.
    """

    labels: NDArray[np.uint8]
    q: Measure


class LevelReader:
    """A loaded network."""

    def __init__(self, network: QuNet, region: Region, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._region = region
        self._device = device

    @classmethod
    def load(cls, weights: Path, card: QuNetCard, device: torch.device) -> Self:
        """Read the weights a card describes; UsageError where they are those of another network."""
        network = filled(QuNet(QuNetShape.model_validate(card.network)), tensors_of(weights), weights)
        return cls(network, card.region, device)

    def read(self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[Box] | None = None) -> list[LevelReading]:
        """One reading per grey image (height, width), of any size, in their order; ``boxes``: where they are known."""
        found = [region_box(image, self._region) for image in images] if boxes is None else boxes
        starts = range(0, len(images), BATCH)
        return [reading for start in starts for reading in self._batch(images[start:][:BATCH], found[start:][:BATCH])]

    def _batch(self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[Box]) -> list[LevelReading]:
        size_px = self._network.shape.height_px
        planes = [network_input(image, box, size_px) for image, box in zip(images, boxes, strict=True)]
        batch = torch.from_numpy(np.stack(planes)[:, None]).to(self._device, memory_format=torch.channels_last)
        with reproducible_inference():
            levels = label_maps(self._network(batch)[:, -2:])  # (n, 2, S, S), or (n, 1, S, S) of a U-Net
        return [
            LevelReading(labels_at_image(own[-1], box, (image.shape[0], image.shape[1])), q_of(own))
            for own, box, image in zip(levels, boxes, images, strict=True)
        ]


def label_maps(logits: Tensor) -> NDArray[np.uint8]:
    """The likeliest class at each pixel of each level: uint8 (B, L, H, W) from logits (B, L, K, H, W).

    A logit orders the classes as its probability does, so neither sigmoid nor softmax is needed.
    """
    likeliest = logits[:, :, 0] > 0 if logits.shape[2] == 1 else logits.argmax(dim=2)
    return np.asarray(likeliest.to(torch.uint8).cpu().numpy(), np.uint8)


def q_of(levels: NDArray[np.uint8]) -> Measure:
    """Q of one image from its label maps (L, H, W), level 1 first; of a single level there is none."""
    return NO_LEVELS if len(levels) < 2 else level_agreement(levels[-2], levels[-1])  # noqa: PLR2004 - two to compare
