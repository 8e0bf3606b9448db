"""Raw outputs on labelled images and phantoms, beside the truth: what the operating point is chosen on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.phantom.spec import OctaPhantom
from core.scoring.contract import ScanInput
from core.scoring.lanes.canvas import restore
from core.scoring.lanes.likeness import likeness_features
from core.scoring.lanes.octa_enface import NetworkOutput, PreparedScan, faz_mask_of, prepare
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer
from core.statistics.overlap import dice
from core.training.bank import artifact_grade
from core.training.samples import ARTIFACTS
from core.training.splits import SplitImage
from core.vocabulary import ArtifactType, CoipsGrade

_FORWARD = 8
CANDIDATE_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Probabilities above which a pixel may be taken for artifact; one per type is chosen on the tuning part."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image's outputs and truth; None where the truth is not known."""

    set: str
    source: str
    slab: str
    subject: str
    is_octa: bool
    grade: CoipsGrade | None
    severities: dict[ArtifactType, int] | None
    grade_logits: NDArray[np.float64]  # (3,)
    octa_probability: float
    features: NDArray[np.float64]  # of core.scoring.lanes.likeness
    area_fractions: dict[ArtifactType, NDArray[np.float64]]  # (6,), at each candidate threshold
    faz_dice: float | None
    artifact_dice: dict[ArtifactType, NDArray[np.float64]]  # (6,), at each candidate threshold
    """Phantoms only; types that are absent from the truth are left out."""


def predict_images(scorer: OctaEnfaceScorer, images: Sequence[SplitImage]) -> list[Prediction]:
    """Predictions for images of a training folder, at their own size."""
    prepared = [prepare(ScanInput(item.image.key, item.image.pixels(), None)) for item in images]
    found = []
    for item, scan, output in zip(images, prepared, outputs_of(scorer, prepared), strict=True):
        image = item.image
        found.append(
            Prediction(
                set=image.key.split("/")[0],
                source=image.source,
                slab=image.slab,
                subject=item.group,
                is_octa=image.is_octa,
                grade=image.grade,
                severities=image.severities,
                faz_dice=_faz_dice(output, scan, image.faz()),
                artifact_dice={},
                **_common(scan, output),
            )
        )
    return found


def predict_phantoms(scorer: OctaEnfaceScorer, phantoms: Sequence[OctaPhantom]) -> list[Prediction]:
    """Predictions for phantoms, with Dice of each artifact that is there."""
    prepared = [prepare(ScanInput(str(index), phantom.image, None)) for index, phantom in enumerate(phantoms)]
    found = []
    for phantom, scan, output in zip(phantoms, prepared, outputs_of(scorer, prepared), strict=True):
        found.append(
            Prediction(
                set="phantoms",
                source="phantom",
                slab=phantom.spec.slab.value,
                subject=scan.scan.key,
                is_octa=True,
                grade=artifact_grade(phantom),
                severities=None,
                faz_dice=_faz_dice(output, scan, phantom.faz_mask),
                artifact_dice=_artifact_dice(output, scan, phantom),
                **_common(scan, output),
            )
        )
    return found


def picture_features(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The likeness features (n, 14) of pictures at their own size; no network is asked."""
    prepared = (prepare(ScanInput("", picture, None)) for picture in pictures)
    return np.stack([likeness_features(scan.canvas, scan.placement) for scan in prepared])


def outputs_of(scorer: OctaEnfaceScorer, prepared: Sequence[PreparedScan]) -> Iterator[NetworkOutput]:
    """What the network says of each prepared scan, in order."""
    for first in range(0, len(prepared), _FORWARD):
        chunk = prepared[first : first + _FORWARD]
        yield from scorer.forward_scans(chunk)


def _common(scan: PreparedScan, output: NetworkOutput) -> dict[str, Any]:
    masks = [_candidate_masks(plane, scan) for plane in output.artifact_logits]
    return {
        "grade_logits": output.grade_logits.astype(np.float64),
        "octa_probability": float(expit(output.octa_logit)),
        "features": likeness_features(scan.canvas, scan.placement),
        "area_fractions": {kind: found.mean(axis=(1, 2)) for kind, found in zip(ARTIFACTS, masks, strict=True)},
    }


def _faz_dice(output: NetworkOutput, scan: PreparedScan, truth: NDArray[np.bool_] | None) -> float | None:
    return None if truth is None else dice(faz_mask_of(output, scan.placement, 0.5), truth)


def _artifact_dice(
    output: NetworkOutput, scan: PreparedScan, phantom: OctaPhantom
) -> dict[ArtifactType, NDArray[np.float64]]:
    found = {}
    for kind, plane in zip(ARTIFACTS, output.artifact_logits, strict=True):
        truth = phantom.artifact_masks[kind]
        if truth.any():
            found[kind] = np.array([dice(mask, truth) for mask in _candidate_masks(plane, scan)])
    return found


def _candidate_masks(logits: NDArray[np.float32], scan: PreparedScan) -> NDArray[np.bool_]:
    """The mask at each candidate threshold (6, height, width)."""
    probability = restore(expit(logits), scan.placement)
    return np.stack([probability >= threshold for threshold in CANDIDATE_THRESHOLDS])
