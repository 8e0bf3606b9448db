"""Runs a layer network over B-scans: class probabilities on the canvas, several B-scans beside each other on a CPU."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.measures.indices import NO_LEVELS
from core.networks.layers import LayerShape, LayerUNet, LeveledLayers, build_layers
from core.scoring.lanes.layer_canvas import PREPROCESSING, normalised, on_canvas
from core.scoring.lanes.layer_output import Layers, layers_of
from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.device import reproducible_inference, side_by_side
from core.scoring.torch_backend.qunet import q_of
from core.scoring.torch_backend.stored_weights import filled, refuse_other_preprocessing, tensors_of
from core.values import Measure

CPU_BATCH, CUDA_BATCH = 2, 32
"""B-scans per forward pass: on a CPU core more bring nothing, and small chunks spread evenly over the cores."""

Image = NDArray[np.uint8]


class LayerSegmenter:
    """Finds the layers of B-scans with one network. Several threads may call it."""

    def __init__(self, network: nn.Module, card: LayersCard, device: torch.device) -> None:
        self._network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self.card = card

    @classmethod
    def load(cls, weights: Path, card: LayersCard, device: torch.device) -> Self:
        """Read the weights that a card describes.

        Raises
        ------
        UsageError
            They expect another preprocessing, or are of another network.
        """
        refuse_other_preprocessing(weights, card.preprocessing, PREPROCESSING)
        network = filled(build_layers(LayerShape.model_validate(card.network), seed=0), tensors_of(weights), weights)
        return cls(network, card, device)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Made at the first call: threads do not survive a fork."""
        return side_by_side()

    @property
    def _leveled(self) -> LayerUNet | LeveledLayers | None:
        """The network where it has levels to compare."""
        network = self._network
        return network if isinstance(network, LayerUNet | LeveledLayers) and network.n_levels > 1 else None

    @property
    def has_levels(self) -> bool:
        """Whether its B-scans have a Q."""
        return self._leveled is not None

    def layers(self, bscans: Sequence[Image]) -> Iterator[Layers]:
        """Boundaries and labels of each B-scan (height, width), in order, at its own size."""
        return (found for found, _ in self.readings(bscans))

    def readings(self, bscans: Sequence[Image]) -> Iterator[tuple[Layers, Measure]]:
        """The same with the Q of each B-scan (core.measures.selection); no Q where the network has no levels."""
        size = CPU_BATCH if self._device.type == "cpu" else CUDA_BATCH
        chunks = [bscans[first : first + size] for first in range(0, len(bscans), size)]
        found = self._threads.map(self._chunk, chunks) if self._device.type == "cpu" else map(self._chunk, chunks)
        for chunk in found:
            yield from chunk

    def _chunk(self, bscans: Sequence[Image]) -> list[tuple[Layers, Measure]]:
        """Forward pass and conclusion of a few B-scans; only their boundaries, labels and Q are kept."""
        size_px = int(self.card.network["image_px"])
        canvases = [on_canvas(image, size_px) for image in bscans]
        probabilities, qs = self._forward(canvases)
        return [
            (layers_of(found, image.shape[0], image.shape[1], canvas), q)
            for found, q, image, canvas in zip(probabilities, qs, bscans, canvases, strict=True)
        ]

    def probabilities(self, canvases: Sequence[Image]) -> NDArray[np.float32]:
        """Class probabilities (n, classes, S, S) of B-scans on their canvases (S, S), in one forward pass."""
        return self._forward(canvases)[0]

    def level_labels(self, canvases: Sequence[Image]) -> NDArray[np.uint8]:
        """Class of every cell (n, L, S, S) at every level, the answer last, of B-scans on their canvases (S, S)."""
        assert self._leveled is not None, "asked only where has_levels"
        inputs = np.stack([normalised(canvas) for canvas in canvases])[:, None]
        with reproducible_inference():
            batch = torch.from_numpy(inputs).to(self._device, memory_format=torch.channels_last)
            labels = self._leveled.levels(batch).argmax(dim=2)
        return np.asarray(labels.to(torch.uint8).cpu().numpy(), np.uint8)

    def _forward(self, canvases: Sequence[Image]) -> tuple[NDArray[np.float32], list[Measure]]:
        """Class probabilities and Q of each canvas; a network with levels is asked for its last two at once."""
        inputs = np.stack([normalised(canvas) for canvas in canvases])[:, None]
        qs: list[Measure] = [NO_LEVELS] * len(canvases)
        with reproducible_inference():
            batch = torch.from_numpy(inputs).to(self._device, memory_format=torch.channels_last)
            if self._leveled is not None:
                levels = self._leveled.levels(batch, last=2)  # (n, 2, classes, canvas, canvas)
                qs = [q_of(labels) for labels in levels.argmax(dim=2).to(torch.uint8).cpu().numpy()]
                logits = levels[:, -1]
            else:
                logits = self._network(batch)
            found = torch.softmax(logits.float(), dim=1)  # (n, classes, canvas, canvas)
        return np.ascontiguousarray(found.cpu().numpy(), np.float32), qs
