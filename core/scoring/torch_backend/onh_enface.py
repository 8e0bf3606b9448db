"""Scores batches of ONH en-face scans with the joint network."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import UsageError
from core.networks.onh_enface import OnhNetwork, OnhShape
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.onh_enface import OnhNetworkOutput, scores_of
from core.scoring.lanes.onh_input import FOUR_GRADES, PREPROCESSING, onh_input
from core.scoring.onh_card import OnhCard
from core.scoring.torch_backend.device import NO_MEMORY, in_halves, reproducible_inference
from core.scoring.torch_backend.grad_cam import class_maps
from core.scoring.torch_backend.stored_weights import filled, refuse_other_preprocessing, tensors_of
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ScanKind

CPU_FORWARD_BATCH, CUDA_FORWARD_BATCH = 4, 64
"""Scans per forward pass; halved on out-of-memory and left halved."""

Result = ScanScores | ScanFailure


def load_network(weights: Path, card: OnhCard, device: torch.device) -> OnhNetwork:
    """The network of a card with its weights (stored as float16 or float32), in eval mode on the device."""
    refuse_other_preprocessing(weights, card.preprocessing, PREPROCESSING)
    network = filled(OnhNetwork(OnhShape.model_validate(card.network)), tensors_of(weights), weights)
    return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class OnhForward:
    """The network's outputs for grey images of any size: what the scorer and the evaluation stand on."""

    def __init__(self, network: OnhNetwork, device: torch.device) -> None:
        self._network = network
        self._device = device

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[OnhNetworkOutput]:
        """One output per image (height, width); ValueError where one is too small."""
        planes = np.stack([onh_input(image, self._network.shape.image_px) for image in images])[:, None]
        with reproducible_inference():
            batch = torch.from_numpy(planes).to(self._device, memory_format=torch.channels_last)  # (B, 1, S, S)
            found = self._network(batch)
            maps = class_maps(found.features, self._network.grade_weight)
            parts = (found.grade, found.masks, maps, found.coarser[:, -1:])
            grades, masks, cams, levels = (part.float().cpu().numpy() for part in parts)
        return [
            OnhNetworkOutput(grade, mask, cam, level[0] if len(level) else None)
            for grade, mask, cam, level in zip(grades, masks, cams, levels, strict=True)
        ]


class OnhEnfaceScorer:
    """The lane's Scorer. Hold one per process."""

    def __init__(self, network: OnhNetwork, card: OnhCard, device: torch.device) -> None:
        self._forward = OnhForward(network, device)
        self._card = card
        self._batch = CPU_FORWARD_BATCH if device.type == "cpu" else CUDA_FORWARD_BATCH

    @classmethod
    def load(cls, weights: Path, card: OnhCard, device: torch.device) -> "OnhEnfaceScorer":
        """Read the weights that a card describes.

        Raises
        ------
        UsageError
            They do not belong together, or the model does not tell the four grades and the masks.
        """
        if card.grouping != FOUR_GRADES.name or card.network.get("architecture") == "classifier":
            what = "has no masks" if card.grouping == FOUR_GRADES.name else f"grades in groups {card.grouping}"
            raise UsageError(
                f"{weights.name} {what}; scans are scored with all four grades and with masks.",
                remedy="Train with --set grouping='0|1|2|3' and architecture fpn or unet; groups follow from that.",
            )
        return cls(load_network(weights, card, device), card, device)

    @property
    def kind(self) -> ScanKind:
        """ONH en face."""
        return ScanKind.ONH_ENFACE

    @property
    def identity(self) -> ModelIdentity:
        """Name, version, weights hash and preprocessing."""
        return self._card.identity

    @property
    def calibration(self) -> Calibration | None:
        """None for the bundled weights: they have seen no real scan."""
        return self._card.calibration

    def score(self, scans: Sequence[ScanInput]) -> list[Result]:
        """Score a batch; one result per scan, in order. A scan that fails takes no other with it."""
        results: list[Result] = []
        for start in range(0, len(scans), self._batch):
            results += self._score_within_memory(scans[start : start + self._batch])
        return results

    def _score_within_memory(self, scans: Sequence[ScanInput]) -> list[Result]:
        return in_halves(scans, self._score_chunk, alone_too_large=_too_large, on_halved=self._take_fewer)

    def _take_fewer(self, n: int) -> None:
        self._batch = min(self._batch, n)

    def _score_chunk(self, scans: Sequence[ScanInput]) -> list[Result]:
        """All at once; one by one where one of them cannot be taken."""
        started = time.perf_counter()
        try:
            outputs = self._forward([scan.image for scan in scans])
        except ValueError as error:
            if len(scans) == 1:
                return [ScanFailure(scans[0].key, str(error), is_transient=False)]
            return [result for scan in scans for result in self._score_chunk([scan])]
        seconds = (time.perf_counter() - started) / len(scans)
        return [self._conclude(scan, output, seconds) for scan, output in zip(scans, outputs, strict=True)]

    def _conclude(self, scan: ScanInput, output: OnhNetworkOutput, seconds: float) -> Result:
        started = time.perf_counter()
        if not (np.isfinite(output.grade_logits).all() and np.isfinite(output.mask_logits).all()):
            return ScanFailure(scan.key, "The network gave values that are not finite.", is_transient=False)
        scores = scores_of(scan, output, self._card, seconds=seconds)
        return replace(scores, seconds=seconds + time.perf_counter() - started)


def _too_large(scan: ScanInput) -> Result:
    return ScanFailure(scan.key, NO_MEMORY, is_transient=True)
