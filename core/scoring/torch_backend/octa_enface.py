"""Scores batches of OCTA en-face scans with the joint network: prepare, forward, conclude; every core has work."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from core.errors import UsageError
from core.networks.faz_refiner import FazRefiner
from core.networks.octa_enface import OctaEnfaceNetwork, OctaEnfaceShape, build_octa_enface
from core.scoring.card import Calibration, ModelCard
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.canvas import PREPROCESSING, normalise
from core.scoring.lanes.faz_looks import See, SeenScan, WideLook, second_looks
from core.scoring.lanes.faz_region import FazDetail
from core.scoring.lanes.octa_enface import NetworkOutput, PreparedScan, coarse_faz_of, prepare, scores_of
from core.scoring.lanes.scan_heads import PREFIX, ScanHeads
from core.scoring.torch_backend.device import NO_MEMORY, in_halves, reproducible_inference, side_by_side
from core.scoring.torch_backend.grad_cam import class_maps
from core.scoring.torch_backend.stored_weights import filled, refuse_other_preprocessing, tensors_of
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ScanKind

CPU_FORWARD_BATCH, CUDA_FORWARD_BATCH = 4, 64
"""Scans per forward pass. On a CPU core more than 4 brings hardly anything, and small chunks spread evenly over the
cores; both are halved on out-of-memory and stay halved."""

Result = ScanScores | ScanFailure
_Ready = tuple[int, PreparedScan]


def load_network(weights: Path, card: ModelCard, device: torch.device) -> OctaEnfaceNetwork:
    """The network of a card with its weights (stored as float16 or float32), in eval mode on the device."""
    refuse_other_preprocessing(weights, card.preprocessing, PREPROCESSING)
    tensors = {name: value for name, value in tensors_of(weights).items() if not name.startswith(PREFIX)}
    network = filled(build_octa_enface(OctaEnfaceShape.model_validate(card.network)), tensors, weights)
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
    """The lane's Scorer. Hold one per process; several threads may call ``score``, and share the cores."""

    def __init__(
        self, network: OctaEnfaceNetwork, card: ModelCard, device: torch.device, heads: ScanHeads | None = None
    ) -> None:
        self._network = network
        self._heads = heads
        self._card = card
        self._device = device
        self._is_on_cpu = device.type == "cpu"
        self._forward_batch = CPU_FORWARD_BATCH if self._is_on_cpu else CUDA_FORWARD_BATCH
        self._on_device_alone = Lock()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Made at the first scoring: threads do not survive a fork."""
        return side_by_side()

    @property
    def network(self) -> OctaEnfaceNetwork:
        """The network, for checks that change a copy of it."""
        return self._network

    @property
    def heads(self) -> ScanHeads | None:
        """The scan heads, where the training had graded scans."""
        return self._heads

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
        results: dict[int, Result] = {}
        ready: list[_Ready] = []
        for index, scan in enumerate(scans):
            try:
                ready.append((index, prepare(scan)))
            except (ValueError, TypeError) as error:
                results[index] = ScanFailure(scan.key, str(error), is_transient=False)
        chunks = [ready[first : first + self._forward_batch] for first in range(0, len(ready), self._forward_batch)]
        results.update(self._on_cpu(chunks) if self._is_on_cpu else self._on_device(chunks))
        return [results[index] for index in range(len(scans))]

    def _on_cpu(self, chunks: Sequence[list[_Ready]]) -> Iterator[tuple[int, Result]]:
        """Each thread takes a chunk through forward pass and conclusion, so that no core waits for another."""

        def score_chunk(chunk: list[_Ready]) -> list[tuple[int, Result]]:
            return [(passed.index, self._conclude(passed)) for passed in self._pass_within_memory(chunk)]

        for found in self._threads.map(score_chunk, chunks):
            yield from found

    def _on_device(self, chunks: Sequence[list[_Ready]]) -> Iterator[tuple[int, Result]]:
        """One forward pass after the other; beside them the threads conclude what is done."""
        concluding = [
            (passed.index, self._threads.submit(self._conclude, passed))
            for chunk in chunks
            for passed in self._pass_alone(chunk)
        ]
        for index, result in concluding:
            yield index, result.result()

    def _pass_alone(self, chunk: list[_Ready]) -> "list[_Passed]":
        """The device's memory is measured out for one pass."""
        with self._on_device_alone:
            return self._pass_within_memory(chunk)

    def _pass_within_memory(self, chunk: Sequence[_Ready]) -> "list[_Passed]":
        """The chunk after the forward pass; halved as often as the device's memory asks."""

        def too_large(alone: _Ready) -> _Passed:
            return _Passed(alone[0], alone[1], None, 0.0)

        return in_halves(chunk, self._pass_chunk, alone_too_large=too_large, on_halved=self._take_fewer)

    def _take_fewer(self, n: int) -> None:
        self._forward_batch = min(self._forward_batch, n)

    def _pass_chunk(self, chunk: Sequence[_Ready]) -> "list[_Passed]":
        started = time.perf_counter()
        outputs = self.forward_scans([prepared for _, prepared in chunk])
        seconds = (time.perf_counter() - started) / len(chunk)
        return [
            _Passed(index, prepared, output, seconds) for (index, prepared), output in zip(chunk, outputs, strict=True)
        ]

    def forward_scans(self, scans: Sequence[PreparedScan]) -> list[NetworkOutput]:
        """All that the network says of scans, first and second look: what the pipeline's speed is measured against."""
        outputs = self.forward(np.stack([scan.canvas for scan in scans]))
        if self._network.faz_refiner is None:
            return outputs
        seen = [
            SeenScan(scan.scan.image, np.rint(255 * coarse_faz_of(output, scan.placement)).astype(np.uint8))
            for scan, output in zip(scans, outputs, strict=True)
        ]
        details = self.look_again(seen)
        return [replace(output, faz_detail=detail) for output, detail in zip(outputs, details, strict=True)]

    def look_again(self, scans: Sequence[SeenScan]) -> list[FazDetail | None]:
        """The second look at scans of which the first is known; the network must have a refiner."""
        refiner, finder = self._network.faz_refiner, self._network.faz_finder
        assert refiner is not None
        wide = None if finder is None else WideLook(self._seeing(finder), self._network.shape.finder_px)
        return second_looks(scans, self._seeing(refiner), wide)

    def _seeing(self, network: FazRefiner) -> See:
        def see(views: NDArray[np.float32]) -> NDArray[np.float32]:
            with reproducible_inference():
                inputs = torch.from_numpy(views).to(self._device, memory_format=torch.channels_last)
                return np.asarray(torch.sigmoid(network(inputs)).float().cpu().numpy())

        return see

    def forward(self, canvases: NDArray[np.uint8]) -> list[NetworkOutput]:
        """The first look alone, at canvases (B, 256, 256)."""
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

    def _conclude(self, passed: "_Passed") -> Result:
        started = time.perf_counter()
        prepared, output = passed.prepared, passed.output
        if output is None:
            return ScanFailure(prepared.scan.key, NO_MEMORY, is_transient=True)
        if not all(
            np.isfinite(part).all() for part in (output.grade_logits, output.artifact_logits, output.faz_logits)
        ):
            message = "The network gave values that are not finite."
            return ScanFailure(prepared.scan.key, message, is_transient=False)
        scores = scores_of(prepared, output, self._card, heads=self._heads, seconds=passed.seconds)
        return replace(scores, seconds=passed.seconds + time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Passed:
    """A scan after its forward pass; ``output`` is None where the device's memory is too small for it alone."""

    index: int
    prepared: PreparedScan
    output: NetworkOutput | None
    seconds: float
