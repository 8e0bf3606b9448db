"""From the joint network's outputs to the scores of an ONH en-face scan; NumPy only, no network library.

The other half of the lane, the forward pass, is core.scoring.torch_backend.onh_enface.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from core.measures.artifacts import artifact_score
from core.measures.indices import NO_LEVELS, image_indices
from core.measures.nerve_head import NerveHead, nerve_head, nerve_head_component
from core.measures.selection import level_agreement
from core.scoring.contract import ScanInput
from core.scoring.lanes.onh_input import FOUR_GRADES, Grouping
from core.scoring.lanes.onh_likeness import looks_like_a_disc_scan
from core.scoring.lanes.zscore import restored
from core.scoring.onh_card import OnhCard
from core.scoring.pictures import encode_mask
from core.values import Grade, Measure, Measured, NotComputable, ScanScores
from core.vocabulary import ONH_ARTIFACTS, ArtifactType, GradeScale, OnhGrade, ReasonCode, Severity

DISC = 1
"""Channel of the optic nerve head; the artifacts follow in the order of ONH_ARTIFACTS, background comes first."""

CELL_COVER = 0.1
"""A cell of the Grad-CAM's map counts as artifact where a mask covers at least this share of it."""

DIGITS = 6


@dataclass(frozen=True, slots=True)
class OnhNetworkOutput:
    """What the network said of one scan, as NumPy arrays."""

    grade_logits: NDArray[np.float32]  # (4,)
    mask_logits: NDArray[np.float32]  # (5, S, S)
    class_maps: NDArray[np.float32]  # (4, S/32, S/32), class weights applied to the last feature map, before clipping
    level_3: NDArray[np.float32] | None = None  # (5, S, S), mask logits of the decoder's last level but one, if any


@dataclass(frozen=True, slots=True)
class OnhFindings:
    """What the lane says beside grade and artifacts: the nerve head, and the grade in every grouping of grades.

    Attributes
    ----------
    disc_mask : bool (height, width)
    disc : NerveHead or NotComputable
    probabilities : float (4,)
        Calibrated, grade 0 to 3.
    is_dim : True where the scan is unusable though no severe artifact was marked: its signal is weak as a whole.
    """

    disc_mask: NDArray[np.bool_]
    disc: NerveHead | NotComputable
    probabilities: tuple[float, ...]
    is_dim: bool

    @property
    def doubts(self) -> tuple[ReasonCode, ...]:
        """Why a person must look: the scan is not centred on a nerve head, or shows none."""
        is_off = isinstance(self.disc, NotComputable) or self.disc.is_far_off
        return (ReasonCode.IB_CENTRATION,) if is_off else ()

    @property
    def causes(self) -> tuple[ReasonCode, ...]:
        """What is wrong with the scan beside its artifacts."""
        return (ReasonCode.IB_SIGNAL,) if self.is_dim else ()

    def document(self) -> dict[str, Any]:
        """The nerve head, and each grouping's probabilities by class, for results.jsonl and the database."""
        return {"onh": self._disc(), "groupings": groupings_document(self.probabilities)}

    def _disc(self) -> dict[str, Any]:
        if isinstance(self.disc, NotComputable):
            return {"not_computable": self.disc.reason}
        return {
            "area_mm2": _measure(self.disc.area_mm2),
            "offset_mm": _measure(self.disc.offset_mm),
            "offset_fraction": _number(self.disc.offset_fraction),
            "touches_border": self.disc.touches_border,
            "mask": "onh.png",
        }

    def pictures(self) -> dict[str, bytes]:
        """The nerve head's mask."""
        return {"onh.png": encode_mask(self.disc_mask)}

    def exports(self) -> dict[str, bytes]:
        """Nothing more."""
        return {}


def scores_of(scan: ScanInput, output: OnhNetworkOutput, card: OnhCard, *, seconds: float) -> ScanScores:
    """Everything the lane says of one scan; masks and Grad-CAM at the scan's own size."""
    height, width = scan.image.shape
    labels = label_map(output.mask_logits, height, width)
    artifacts = tuple(artifact_score(kind, labels == _channel(kind)) for kind in ONH_ARTIFACTS)
    grade = grade_of(output.grade_logits, card)
    disc_mask = nerve_head_component(labels == DISC)
    cam = np.maximum(output.class_maps[grade.ordinal], 0)
    is_dim = grade.ordinal == OnhGrade.UNUSABLE and all(a.severity is not Severity.SEVERE for a in artifacts)
    findings = OnhFindings(
        disc_mask=disc_mask,
        disc=nerve_head(disc_mask, scan.scale),
        probabilities=tuple(grade.probabilities.values()),
        is_dim=is_dim,
    )
    return ScanScores(
        key=scan.key,
        shape_px=(height, width),
        grade=grade,
        artifacts=artifacts,
        centration=None,
        findings=findings,
        indices=image_indices(scan.image, None, agreement_of_levels(output)),
        cam=cam_of(cam, height, width),
        cam_mask_agreement=cam_mask_agreement(cam, labels, grade),
        is_of_kind=card.likeness is None or looks_like_a_disc_scan(scan.image, card.likeness),
        model=card.identity,
        seconds=seconds,
    )


def label_map(mask_logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """The likeliest class (height, width) of each pixel, from logits (5, S, S); probabilities are resized."""
    probabilities = softmax(mask_logits.astype(np.float32), axis=0)
    planes = np.stack([restored(plane, height, width) for plane in probabilities])
    return np.asarray(planes.argmax(axis=0), np.uint8)


def agreement_of_levels(output: OnhNetworkOutput) -> Measure:
    """Q (0..1) of the decoder's last two levels at the network's own size; none of a network without levels.

    What the answer calls motion is left out: where scan lines are told apart by a branch of their own both levels have
    it from there, and would agree on it always.
    """
    if output.level_3 is None:
        return NO_LEVELS
    answer, coarser = output.mask_logits.argmax(axis=0), output.level_3.argmax(axis=0)
    is_left_out = (answer == _channel(ArtifactType.MOTION)) | (coarser == _channel(ArtifactType.MOTION))
    kept = [np.where(is_left_out, 0, labels).astype(np.uint8) for labels in (coarser, answer)]
    return level_agreement(*kept)


def grade_of(logits: NDArray[np.float32], card: OnhCard) -> Grade:
    """The tempered grade; abstained where the card has no calibration scans: then a person decides."""
    probabilities = softmax(logits.astype(np.float64) / card.temperature)
    ordinal = int(probabilities.argmax())
    return Grade(
        scale=GradeScale.ONH_4,
        ordinal=ordinal,
        label=_label(OnhGrade(ordinal)),
        probabilities={_label(grade): float(probabilities[grade]) for grade in OnhGrade},
        abstained=card.calibration is None,
    )


def groupings_document(probabilities: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """Every derived scale: "012|3" to {"012": p, "3": 1 - p}; the four grades themselves are left out."""
    derived = [grouping for grouping in Grouping.every() if grouping != FOUR_GRADES]
    return {
        grouping.name: dict(
            zip(grouping.class_names, map(_number, grouping.merged(probabilities).tolist()), strict=True)
        )
        for grouping in derived
    }


def cam_of(positive_map: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32] | NotComputable:
    """Grad-CAM (height, width) in [0, 1] of one class; NotComputable where nothing speaks for it."""
    at_full_size = np.maximum(restored(positive_map, height, width), 0)
    peak = float(at_full_size.max())
    return np.asarray(at_full_size / peak, np.float32) if peak > 0 else NotComputable("no supporting evidence")


def cam_mask_agreement(cam: NDArray[np.float32], labels: NDArray[np.uint8], grade: Grade) -> Measure:
    """Share (0 to 1) of an unusable scan's Grad-CAM on cells with an artifact, judged at the map's stride.

    Only defined for unusable scans: a good grade is argued from clean places.
    """
    if grade.ordinal != OnhGrade.UNUSABLE:
        return NotComputable("only judged where the grade is unusable")
    if cam.sum() <= 0:
        return NotComputable("no supporting evidence")
    anywhere = (labels > DISC).astype(np.uint8) * 255
    cover = np.asarray(Image.fromarray(anywhere).resize(cam.shape[::-1], Image.Resampling.BOX)) / 255
    return Measured(float(cam[cover >= CELL_COVER].sum() / cam.sum()))


def _label(grade: OnhGrade) -> str:
    return grade.name.lower().replace("_", " ")


def _channel(kind: ArtifactType) -> int:
    return DISC + 1 + ONH_ARTIFACTS.index(kind)


def _number(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _measure(measure: Measure) -> float | dict[str, str]:
    return _number(measure.value) if isinstance(measure, Measured) else {"not_computable": measure.reason}
