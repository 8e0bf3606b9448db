"""Scores batches of B-scans with the dual guidance networks: classify, take the heat map, segment with it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.networks.bscan import BscanShape, CamUnet, CmCnn, JointNetwork, activation_maps, guiding_map
from core.scoring.bscan_card import BscanCard
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.bscan import BscanOutput, PreparedBscan, prepare, scores_of
from core.scoring.lanes.bscan_canvas import PREPROCESSING, normalised
from core.scoring.torch_backend.device import NO_MEMORY, in_halves, reproducible_inference, side_by_side
from core.scoring.torch_backend.stored_weights import filled, refuse_other_preprocessing, tensors_of
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ScanKind

CPU_FORWARD_BATCH, CUDA_FORWARD_BATCH = 2, 32
NORMAL = 0
"""Index of the normal class."""

Result = ScanScores | ScanFailure
_Ready = tuple[int, PreparedBscan]


class TwoStages:
    """CM-CNN and the CAM-UNet that it guides, as one thing to ask."""

    def __init__(self, classifier: nn.Module, segmenter: nn.Module, device: torch.device) -> None:
        self._classifier: Any = _ready(classifier, device)
        self._segmenter = _ready(segmenter, device)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of images (B, 1, S, S): probabilities (B, K), maps (B, K, h, w), coarse (B, h, w), lesions (B, 1, S, S)."""
        output = self._classifier(image)
        weights = self._classifier.classifier.weight
        lesions = torch.sigmoid(self._segmenter(image, guiding_map(output, weights, NORMAL)))
        maps = activation_maps(output.features, weights)
        coarse = torch.zeros_like(maps[:, 0]) if output.mask_logits is None else torch.sigmoid(output.mask_logits)[:, 0]
        return torch.softmax(output.class_logits, dim=1), maps, coarse, lesions


class EndToEnd:
    """The network that does both at once, as one thing to ask."""

    def __init__(self, network: JointNetwork, device: torch.device) -> None:
        self._network = _ready(network, device)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As TwoStages, with a mask per lesion; normal is what is left by the likeliest lesion."""
        output = self._network(image)
        present = torch.sigmoid(output.class_logits)  # (B, L)
        normal = 1 - present.amax(dim=1, keepdim=True)
        empty = torch.zeros_like(output.maps[:, :1])
        coarse = torch.sigmoid(output.mask_logits).amax(dim=1)
        return (
            torch.cat([normal, present], dim=1),
            torch.cat([empty, output.maps], dim=1),
            coarse,
            torch.sigmoid(output.lesion_logits),
        )


Networks = TwoStages | EndToEnd


def load_networks(weights: Path, card: BscanCard, device: torch.device) -> Networks:
    """The networks of a card with their weights (stored as float16 or float32).

    Raises
    ------
    UsageError
        They expect another preprocessing, or are other networks.
    """
    refuse_other_preprocessing(weights, card.preprocessing, PREPROCESSING)
    shape = BscanShape.model_validate(card.network)
    if card.networks == "end-to-end":
        return EndToEnd(filled(JointNetwork(shape), tensors_of(weights, "joint."), weights), device)
    return TwoStages(
        filled(CmCnn(shape), tensors_of(weights, "classifier."), weights),
        filled(CamUnet(shape), tensors_of(weights, "segmenter."), weights),
        device,
    )


class BscanScorer:
    """The lane's Scorer. Hold one per process; several threads may call ``score``, and share the cores."""

    def __init__(self, networks: Networks, card: BscanCard, device: torch.device) -> None:
        self._networks = networks
        self._card = card
        self._device = device
        self._is_on_cpu = device.type == "cpu"
        self._forward_batch = CPU_FORWARD_BATCH if self._is_on_cpu else CUDA_FORWARD_BATCH
        self._on_device_alone = Lock()

    @classmethod
    def load(cls, weights: Path, card: BscanCard, device: torch.device) -> "BscanScorer":
        """A scorer of the weights that a card describes."""
        return cls(load_networks(weights, card, device), card, device)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Made at the first scoring: threads do not survive a fork."""
        return side_by_side()

    @property
    def kind(self) -> ScanKind:
        """B-scans."""
        return ScanKind.BSCAN

    @property
    def identity(self) -> ModelIdentity:
        """Name, version, weights hash and preprocessing, from the card."""
        return self._card.identity

    @property
    def calibration(self) -> Calibration | None:
        """The card's calibration scans, where it has them."""
        return self._card.calibration

    def score(self, scans: Sequence[ScanInput]) -> list[Result]:
        """Score a batch; one result per scan, in order. A scan that fails takes no other with it."""
        results: dict[int, Result] = {}
        ready: list[_Ready] = []
        for index, scan in enumerate(scans):
            try:
                ready.append((index, prepare(scan, int(self._card.network["image_px"]))))
            except (ValueError, TypeError) as error:
                results[index] = ScanFailure(scan.key, str(error), is_transient=False)
        size = self._forward_batch
        chunks = [ready[first : first + size] for first in range(0, len(ready), size)]
        for found in self._threads.map(self._score_within_memory, chunks):
            results.update(found)
        return [results[index] for index in range(len(scans))]

    def outputs(self, canvases: NDArray[np.uint8]) -> list[BscanOutput]:
        """What the networks say of canvases (n, S, S), in one pass."""
        with reproducible_inference():
            image = torch.from_numpy(normalised(canvases)[:, None]).to(self._device, memory_format=torch.channels_last)
            arrays = [part.float().cpu().numpy() for part in self._networks(image)]
        return [BscanOutput(*parts) for parts in zip(*arrays, strict=True)]

    def _score_within_memory(self, chunk: Sequence[_Ready]) -> list[tuple[int, Result]]:
        """The chunk's results; halved as often as the device's memory asks."""

        def too_large(alone: _Ready) -> tuple[int, Result]:
            return alone[0], ScanFailure(alone[1].scan.key, NO_MEMORY, is_transient=True)

        return in_halves(chunk, self._score_chunk, alone_too_large=too_large, on_halved=self._take_fewer)

    def _take_fewer(self, n: int) -> None:
        self._forward_batch = min(self._forward_batch, n)

    def _score_chunk(self, chunk: Sequence[_Ready]) -> list[tuple[int, Result]]:
        started = time.perf_counter()
        canvases = np.stack([prepared.canvas for _, prepared in chunk])
        if self._is_on_cpu:
            outputs = self.outputs(canvases)
        else:
            with self._on_device_alone:
                outputs = self.outputs(canvases)
        seconds = (time.perf_counter() - started) / len(chunk)
        return [
            (index, self._conclude(prepared, output, seconds))
            for (index, prepared), output in zip(chunk, outputs, strict=True)
        ]

    def _conclude(self, prepared: PreparedBscan, output: BscanOutput, seconds: float) -> Result:
        started = time.perf_counter()
        if not all(np.isfinite(part).all() for part in (output.probabilities, output.lesions, output.maps)):
            message = "The network gave values that are not finite."
            return ScanFailure(prepared.scan.key, message, is_transient=False)
        scores = scores_of(prepared, output, self._card, seconds=seconds)
        return replace(scores, seconds=seconds + time.perf_counter() - started)


def _ready(network: nn.Module, device: torch.device) -> nn.Module:
    placed: nn.Module = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed
