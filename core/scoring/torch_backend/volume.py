"""Scores volumes and single B-scans with a layer network: layers of every B-scan, then what they say together."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.volume import scores_of, volume_of
from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.device import is_out_of_memory
from core.scoring.torch_backend.layers import LayerSegmenter
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ScanKind


class VolumeScorer:
    """The lane's Scorer. Hold one per process; the B-scans of a volume share the cores."""

    def __init__(self, segmenter: LayerSegmenter) -> None:
        self._segmenter = segmenter

    @classmethod
    def load(cls, weights: Path, card: LayersCard, device: torch.device) -> Self:
        """Read the weights that a card describes; UsageError where they are of another network."""
        return cls(LayerSegmenter.load(weights, card, device))

    @property
    def kind(self) -> ScanKind:
        """Volumes."""
        return ScanKind.VOLUME

    @property
    def identity(self) -> ModelIdentity:
        """Name, version, weights hash and preprocessing, from the card."""
        return self._segmenter.card.identity

    @property
    def calibration(self) -> Calibration | None:
        """None: no scan was graded for these weights."""
        return self._segmenter.card.calibration

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        """Score a batch, one volume after the other; a volume that fails takes no other with it."""
        return [self._score(scan) for scan in scans]

    def _score(self, scan: ScanInput) -> ScanScores | ScanFailure:
        started = time.perf_counter()
        try:
            volume = volume_of(scan)
            layers = list(self._segmenter.layers(list(volume.bscans)))
            q = self._segmenter.level_agreement(volume.central_bscan)
        except (ValueError, TypeError) as error:
            return ScanFailure(scan.key, str(error), is_transient=False)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = "The device has not enough free memory for the B-scans of this volume."
            return ScanFailure(scan.key, message, is_transient=True)
        return scores_of(scan, volume, layers, self._segmenter.card, seconds=time.perf_counter() - started, q=q)
