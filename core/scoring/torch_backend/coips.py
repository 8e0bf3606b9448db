"""Runs the COIPS networks: grades with one, FAZ maps with the best fold or the mean of all, mirrored."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import UsageError
from core.networks.coips_faz import FazNetwork, FazShape
from core.networks.coips_quality import QualityNetwork, QualityShape
from core.scoring.coips_card import CoipsCard
from core.scoring.lanes.zscore import resized, restored, zscore
from core.scoring.torch_backend.device import reproducible_inference
from core.scoring.torch_backend.stored_weights import filled, tensors_of

_AXES: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))
"""What to mirror: nothing, upside down, left to right, both."""


class Folds(StrEnum):
    """Which of a cross-validated model's networks answer."""

    BEST = "best"
    """The one of the highest Dice on its own validation fold, as the paper says."""
    ALL = "all"
    """The mean of all, each over four mirrored copies, as the released code does."""


class QualityGrader:
    """Grades images with one network."""

    def __init__(self, network: QualityNetwork, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device

    @classmethod
    def load(cls, weights: Path, card: CoipsCard, device: torch.device) -> Self:
        """Read the weights a card describes; UsageError where they are of another recipe or another shape."""
        _check_recipe(card, "coips-quality")
        network = QualityNetwork(QualityShape.model_validate(card.network))
        return cls(filled(network, tensors_of(weights), weights), device)

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Softmax (n, 3) in CoipsGrade order of grey images (height, width) of any size."""
        batch = _batch(images, self._network.shape.image_px, self._device)
        with reproducible_inference():
            found = torch.softmax(self._network(batch), dim=1)  # (n, 3)
        return found.double().cpu().numpy()


class FazSegmenter:
    """Finds the FAZ with one or several networks."""

    def __init__(self, networks: Sequence[FazNetwork], device: torch.device, *, mirrored: bool) -> None:
        self._networks = [network.to(device).eval() for network in networks]
        self._device = device
        self._axes = _AXES if mirrored else _AXES[:1]

    @classmethod
    def load(cls, weights: Path, card: CoipsCard, device: torch.device, folds: Folds) -> Self:
        """Read one fold or all; UsageError where the weights are of another recipe or another shape."""
        _check_recipe(card, "coips-faz")
        wanted = card.folds if folds is Folds.ALL else (card.best_fold,)
        networks = []
        for fold in wanted:
            network = FazNetwork(FazShape.model_validate(card.network))
            networks.append(filled(network, tensors_of(weights, f"fold-{fold}."), weights))
        return cls(networks, device, mirrored=folds is Folds.ALL)

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """The FAZ's probability at each pixel, a map (height, width) per grey image, at its own size."""
        batch = _batch(images, self._networks[0].shape.image_px, self._device)
        with reproducible_inference():
            passes = [self._pass(network, batch, axes) for network in self._networks for axes in self._axes]
            mean = torch.stack(passes).mean(dim=0).cpu().numpy()  # (n, S, S)
        return [restored(found, *image.shape) for found, image in zip(mean, images, strict=True)]

    @staticmethod
    def _pass(network: nn.Module, batch: Tensor, axes: tuple[int, ...]) -> Tensor:
        logits = network(torch.flip(batch, axes) if axes else batch)  # (n, 2, S, S)
        found = torch.softmax(torch.flip(logits, axes) if axes else logits, dim=1)
        return found[:, 1]


def _check_recipe(card: CoipsCard, name: str) -> None:
    if card.recipe_name != name:
        raise UsageError(f"The model was trained by {card.recipe_name}, not by {name}.", remedy="Give another --model.")


def _batch(images: Sequence[NDArray[np.uint8]], size_px: int, device: torch.device) -> Tensor:
    planes = np.stack([zscore(resized(image, size_px)) for image in images])[:, None]  # (n, 1, S, S)
    return torch.from_numpy(planes).to(device, memory_format=torch.channels_last)
