"""Scores volumes and single B-scans with a layer network: layers of every B-scan, then what they say together."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch

from core.errors import UsageError
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.layer_output import Layers
from core.scoring.lanes.layer_scheme import boundaries_in, coarser_schemes, labels_of_boundaries
from core.scoring.lanes.volume import scores_of, volume_of
from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.device import is_out_of_memory
from core.scoring.torch_backend.layers import LayerSegmenter
from core.values import ModelIdentity, ScanScores
from core.vocabulary import LayerScheme, ScanKind


class VolumeScorer:
    """The lane's Scorer. Hold one per process; the B-scans of a volume share the cores."""

    def __init__(self, segmenter: LayerSegmenter, scheme: LayerScheme | None = None) -> None:
        self._segmenter = segmenter
        self._card = segmenter.card.model_copy(update={"scheme": scheme or segmenter.card.scheme})

    def in_scheme(self, scheme: LayerScheme) -> Self:
        """The same network, its layers said in another scheme; UsageError where they are too coarse for it."""
        known = self._segmenter.card.scheme
        possible = (known, *coarser_schemes(known))
        if scheme not in possible:
            raise UsageError(
                f"{self.identity.name} {self.identity.version} was trained in the scheme {known} and cannot tell the "
                f"layers of {scheme}.",
                remedy=f"Give --scheme {' or '.join(possible)}, or a --model that was trained with --set "
                f"scheme={scheme}.",
            )
        return type(self)(self._segmenter, scheme)

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
            readings = list(self._segmenter.readings(list(volume.bscans)))
        except (ValueError, TypeError) as error:
            return ScanFailure(scan.key, str(error), is_transient=False)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = "The device has not enough free memory for the B-scans of this volume."
            return ScanFailure(scan.key, message, is_transient=True)
        layers, qs = [self._said(found) for found, _ in readings], [q for _, q in readings]
        return scores_of(scan, volume, layers, self._card, seconds=time.perf_counter() - started, qs=qs)

    def _said(self, found: Layers) -> Layers:
        """What the network found, in the scheme that is asked for."""
        known, wanted = self._segmenter.card.scheme, self._card.scheme
        if wanted is known:
            return found
        rows = boundaries_in(found.boundary_row_px, known, wanted)
        return replace(found, boundary_row_px=rows, labels=labels_of_boundaries(rows, found.labels.shape[0]))
