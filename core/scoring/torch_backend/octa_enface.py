"""Scores batches of OCTA en-face scans with the joint network: prepare, forward, conclude, the last two overlapping."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from core.errors import UsageError
from core.networks.octa_enface import OctaEnfaceNetwork, OctaEnfaceShape, build_octa_enface
from core.scoring.card import Calibration, ModelCard
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.canvas import PREPROCESSING, normalise
from core.scoring.lanes.octa_enface import NetworkOutput, PreparedScan, prepare, scores_of
from core.scoring.lanes.scan_heads import PREFIX, ScanHeads
from core.scoring.torch_backend.device import reproducible_inference
from core.scoring.torch_backend.grad_cam import class_maps
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ScanKind

CPU_FORWARD_BATCH, CUDA_FORWARD_BATCH = 8, 64
"""Scans per forward pass. On 2 CPU cores more than 8 brings nothing and costs cache; both are halved on
out-of-memory and stay halved."""

Result = ScanScores | ScanFailure


def load_network(weights: Path, card: ModelCard, device: torch.device) -> OctaEnfaceNetwork:
    """The network of a card with its weights (stored as float16 or float32), in eval mode on the device."""
    if card.preprocessing != PREPROCESSING:
        raise UsageError(
            f"{weights.name} expects the preprocessing {card.preprocessing!r}; this version has {PREPROCESSING!r}.",
            remedy="Use weights made for this version, or train again.",
        )
    network = build_octa_enface(OctaEnfaceShape.model_validate(card.network))
    try:
        tensors = {name: value for name, value in load_file(weights).items() if not name.startswith(PREFIX)}
        network.load_state_dict({name: _as_float32(value) for name, value in tensors.items()})
    except (SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"{weights.name} does not hold the network that its card describes ({str(error).splitlines()[0]})",
            remedy="Use weights and card written by the same training.",
        ) from error
    return network.eval().to(device)


def load_heads(weights: Path) -> ScanHeads | None:
    """The scan heads beside the network's weights; None where the training had no graded scans."""
    with safe_open(weights, framework="numpy") as stored:
        names = [name for name in stored.keys() if name.startswith(PREFIX)]  # noqa: SIM118 - not a dict
        tensors = {name: stored.get_tensor(name) for name in names}
    if not tensors:
        return None
    try:
        return ScanHeads.from_tensors(tensors)
    except ValueError as error:
        raise UsageError(
            f"{weights.name} has scan heads that cannot be used: {error}.",
            remedy="Use weights made for this version, or train again.",
        ) from error


class OctaEnfaceScorer:
    """The lane's Scorer. Hold one per process; ``score`` is to be called from one thread."""

    def __init__(
        self, network: OctaEnfaceNetwork, card: ModelCard, device: torch.device, heads: ScanHeads | None = None
    ) -> None:
        self._network = network
        self._heads = heads
        self._card = card
        self._device = device
        self._forward_batch = CPU_FORWARD_BATCH if device.type == "cpu" else CUDA_FORWARD_BATCH

    @property
    def network(self) -> OctaEnfaceNetwork:
        """The network, for checks that change a copy of it."""
        return self._network

    def with_network(self, network: OctaEnfaceNetwork) -> "OctaEnfaceScorer":
        """The same card and device with another network of the same shape."""
        return OctaEnfaceScorer(network, self._card, self._device, self._heads)

    def with_heads(self, heads: ScanHeads) -> "OctaEnfaceScorer":
        """The same network, card and device with other scan heads: what cross-validation asks."""
        return OctaEnfaceScorer(self._network, self._card, self._device, heads)

    @property
    def kind(self) -> ScanKind:
        """OCTA en face."""
        return ScanKind.OCTA_ENFACE

    @property
    def identity(self) -> ModelIdentity:
        """Name, version, weights hash and preprocessing, from the card."""
        return self._card.identity

    @property
    def calibration(self) -> Calibration | None:
        """The card's calibration scans, where it has them."""
        return self._card.calibration

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        """Score a batch; one result per scan, in order. A scan that fails takes no other with it."""
        results: dict[int, Result | Future[Result]] = {}
        ready: list[tuple[int, PreparedScan]] = []
        for index, scan in enumerate(scans):
            try:
                ready.append((index, prepare(scan)))
            except (ValueError, TypeError) as error:
                results[index] = ScanFailure(scan.key, str(error), is_transient=False)
        with ThreadPoolExecutor(max_workers=2) as pool:
            while ready:
                chunk, ready = ready[: self._forward_batch], ready[self._forward_batch :]
                results.update(self._score_chunk(chunk, pool))
            return [_settled(results[index]) for index in range(len(scans))]

    def _score_chunk(
        self, chunk: list[tuple[int, PreparedScan]], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Result | Future[Result]]]:
        started = time.perf_counter()
        try:
            outputs = self.forward(np.stack([prepared.canvas for _, prepared in chunk]))
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            yield from self._score_halves(chunk, pool)
            return
        seconds = (time.perf_counter() - started) / len(chunk)
        for (index, prepared), output in zip(chunk, outputs, strict=True):
            yield index, pool.submit(self._conclude, prepared, output, seconds)

    def _score_halves(
        self, chunk: list[tuple[int, PreparedScan]], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Result | Future[Result]]]:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if len(chunk) == 1:
            index, prepared = chunk[0]
            message = "The device has not enough free memory for a single scan."
            yield index, ScanFailure(prepared.scan.key, message, is_transient=True)
            return
        half = len(chunk) // 2
        self._forward_batch = min(self._forward_batch, half)
        yield from self._score_chunk(chunk[:half], pool)
        yield from self._score_chunk(chunk[half:], pool)

    def forward(self, canvases: NDArray[np.uint8]) -> list[NetworkOutput]:
        """The bare forward pass on canvases (B, 256, 256): what the whole pipeline's speed is measured against."""
        with reproducible_inference():
            image = torch.from_numpy(normalise(canvases)[:, None]).to(self._device, memory_format=torch.channels_last)
            output = self._network(image)
            maps = class_maps(output.features, self._network.grade_head.weight)
            parts = (output.grade, output.is_octa, output.artifacts, output.faz, maps, output.large_vessels)
            arrays = [part.float().cpu().numpy() for part in parts]
        return [
            NetworkOutput(grade, float(octa), artifacts, faz, cams, vessels)
            for grade, octa, artifacts, faz, cams, vessels in zip(*arrays, strict=True)
        ]

    def _conclude(self, prepared: PreparedScan, output: NetworkOutput, forward_seconds: float) -> Result:
        started = time.perf_counter()
        if not all(
            np.isfinite(part).all() for part in (output.grade_logits, output.artifact_logits, output.faz_logits)
        ):
            message = "The network gave values that are not finite."
            return ScanFailure(prepared.scan.key, message, is_transient=False)
        scores = scores_of(prepared, output, self._card, heads=self._heads, seconds=forward_seconds)
        return replace(scores, seconds=forward_seconds + time.perf_counter() - started)


def _as_float32(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own; the CPU allocator raises a RuntimeError that says so in words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return "DefaultCPUAllocator" in text or "out of memory" in text


def _settled(result: Result | Future[Result]) -> Result:
    return result.result() if isinstance(result, Future) else result
