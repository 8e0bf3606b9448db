"""What a scorer takes and gives. Knows no network library: the use cases and the tests' fakes stand on this page.

A scorer scores a *batch* of scans of one lane. A scan that cannot be scored comes back as a ScanFailure in its
place; it never takes the others with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Calibration
from core.values import ModelIdentity, Scale, ScanScores
from core.vocabulary import Laterality, LayerScheme, ScanKind, Slab
from core.volume import OctVolume

OPEN_LANES = (ScanKind.OCTA_ENFACE, ScanKind.ONH_ENFACE, ScanKind.BSCAN, ScanKind.VOLUME)
"""The kinds of scan that core.scoring.registry has a scorer for. Intake takes no other: it would wait for ever."""

_LARGEST_BATCH = {ScanKind.VOLUME: 1}


def batch_limit(kind: ScanKind, wanted: int) -> int:
    """How many scans of a lane are in memory as one batch, where ``wanted`` are asked for.

    A volume has 25 to 200 MB and its hundred B-scans are a batch by themselves: two at once gain nothing.
    """
    return min(wanted, _LARGEST_BATCH.get(kind, wanted))


@dataclass(frozen=True, slots=True)
class ScanInput:
    """One scan to score.

    Attributes
    ----------
    key : str
        The caller's name for the scan; comes back with the result.
    image : uint8 array (height, width)
        Grey levels as stored after intake; of a volume its central B-scan.
    scale : Scale or None
        None: no millimetres will be reported, never guessed.
    volume : OctVolume or None
        Of a scan of kind volume; None: ``image`` is all there is of it.
    """

    key: str
    image: NDArray[np.uint8]
    scale: Scale | None
    slab: Slab = Slab.UNKNOWN
    laterality: Laterality | None = None
    volume: OctVolume | None = None


@dataclass(frozen=True, slots=True)
class ScanFailure:
    """A scan the model could not score: why, in words, and whether trying again may help."""

    key: str
    message: str
    is_transient: bool


class Scorer(Protocol):
    """One lane's loaded model. Made by core.scoring.registry, which only the worker and the CLI may call."""

    @property
    def kind(self) -> ScanKind:
        """The kind of scan this scorer takes."""
        ...

    @property
    def identity(self) -> ModelIdentity:
        """Name, version, weights hash and preprocessing of the loaded model."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """What a study's accept level is turned into a threshold with; None: the scorer's own abstention stands."""
        ...

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        """Score a batch; one result per scan, in the scans' order. Halves the batch itself on out-of-memory."""
        ...


@runtime_checkable
class LayeredScorer(Scorer, Protocol):
    """A scorer that finds layers and can say them in more than one scheme."""

    def in_scheme(self, scheme: LayerScheme) -> Self:
        """The same model in another scheme; UsageError, with the schemes that it has, where it cannot."""
        ...
