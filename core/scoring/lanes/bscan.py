"""From the dual guidance networks' outputs to the scores of a B-scan; NumPy only, no network library.

The other half of the lane, the forward pass, is core.scoring.torch_backend.bscan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.measures.bscan_quality import BscanQuality, bscan_quality
from core.measures.bscan_usable import BscanCoverage, bscan_coverage
from core.measures.indices import image_indices
from core.measures.retina_band import retina_band
from core.scoring.bscan_card import BscanCard, UsableLimits
from core.scoring.contract import ScanInput
from core.scoring.lanes.bscan_canvas import fill_white_borders, on_canvas, restored
from core.scoring.lanes.bscan_likeness import is_like_bscan
from core.scoring.pictures import encode_cam, encode_mask
from core.values import Grade, Measure, Measured, NotComputable, ScanScores
from core.vocabulary import GradeScale, ReasonCode, StructuralGrade

LEAST_LESION_PX = 10
"""Pixels of the scan; a smaller region is speckle."""
MOST_OF_RETINA = 0.5
"""A mask larger than this share of the retina's own area locates no lesion: the network answers nearly everywhere, as
it does on scans unlike those that taught it. Lesions of phantoms take less than a third of it. ADR 0056."""
CELL_COVER = 0.1
"""A cell of the heat map lies on the lesion where the mask covers at least this share of it."""
LESION_PICTURE, UNASKED_PICTURE, COARSE_PICTURE = "lesion.png", "unasked-lesion.png", "coarse.png"
DIGITS = 6


@dataclass(frozen=True, slots=True)
class PreparedBscan:
    """A B-scan without white borders, and on the network's square."""

    scan: ScanInput
    filled: NDArray[np.uint8]  # (height, width)
    canvas: NDArray[np.uint8]  # (S, S)


@dataclass(frozen=True, slots=True)
class BscanOutput:
    """What the networks said of one B-scan, as NumPy arrays; classes in the card's order, the normal one first."""

    probabilities: NDArray[np.float32]  # (K,); end to end, independent of each other but for the normal class
    maps: NDArray[np.float32]  # (K, h, w) Grad-CAM of each class, 0 to 1; zeros where nothing speaks for it
    coarse: NDArray[np.float32]  # (h, w) probability of any lesion, of the classifier's own mask; zeros without one
    lesions: NDArray[np.float32]  # (N, S, S) probability of lesion: N is 1 (all as one), or one per lesion class


@dataclass(frozen=True, slots=True)
class Lesion:
    """What was marked of one class: its share of the picture (0..1), how many regions, and where."""

    name: str
    area_fraction: float
    n_regions: int
    mask: NDArray[np.bool_]  # (height, width)


@dataclass(frozen=True, slots=True)
class BscanFindings:
    """What only the B-scan lane says.

    Attributes
    ----------
    probabilities : by class, 0..1
    likeliest : the class that is given
    lesions : what is marked; empty for a scan that is called normal
    unasked : what the segmentation marked on a scan that is called normal, shown only when asked for. It was trained on
        pathological scans alone and may well mark something on a healthy one.
    not_located : why no mask is given although the network marked something; None where that is not so
    coarse : float (height, width), the classifier's own coarse mask, which normal scans taught as well
    """

    probabilities: dict[str, float]
    likeliest: str
    lesions: tuple[Lesion, ...]
    unasked: Lesion | None
    coarse: NDArray[np.float32]
    quality: BscanQuality
    doubts: tuple[ReasonCode, ...]
    causes: tuple[ReasonCode, ...]
    not_located: NotComputable | None = None

    def document(self) -> dict[str, Any]:
        """Class probabilities, lesions, and the two further indices of the contract."""
        document: dict[str, Any] = {
            "class": {name: _number(value) for name, value in self.probabilities.items()},
            "likeliest_class": self.likeliest,
            "lesions": [_lesion(lesion, self._picture(lesion)) for lesion in self.lesions],
            "indices": {"snr_db": _measure(self.quality.snr_db), "contrast": _measure(self.quality.contrast)},
        }
        if self.unasked is not None:
            document["unasked_lesion"] = _lesion(self.unasked, UNASKED_PICTURE)
        if self.not_located is not None:
            document["lesion_place"] = _measure(self.not_located)
        return document

    def _picture(self, lesion: Lesion) -> str:
        return LESION_PICTURE if len(self.lesions) == 1 else picture_name(lesion.name)

    def pictures(self) -> dict[str, bytes]:
        """All lesions as one mask, each class's own where there are several, and the coarse mask."""
        pictures = {COARSE_PICTURE: encode_cam(self.coarse)}
        if self.lesions:
            pictures[LESION_PICTURE] = encode_mask(np.any([lesion.mask for lesion in self.lesions], axis=0))
        if len(self.lesions) > 1:
            pictures |= {picture_name(lesion.name): encode_mask(lesion.mask) for lesion in self.lesions}
        if self.unasked is not None:
            pictures[UNASKED_PICTURE] = encode_mask(self.unasked.mask)
        return pictures

    def exports(self) -> dict[str, bytes]:
        """Nothing more."""
        return {}


def picture_name(lesion: str) -> str:
    """The file name of a lesion class's mask."""
    kept = "".join(letter if letter.isalnum() else "-" for letter in lesion)
    return f"lesion-{kept}.png"


def prepare(scan: ScanInput, image_px: int) -> PreparedBscan:
    """Fill the borders and stretch to the square; ValueError where the image cannot be scored."""
    filled = fill_white_borders(scan.image)
    return PreparedBscan(scan, filled, on_canvas(filled, image_px))


def scores_of(prepared: PreparedBscan, output: BscanOutput, card: BscanCard, *, seconds: float) -> ScanScores:
    """Everything the lane says of one B-scan; masks and heat map at the scan's own size."""
    scan, filled = prepared.scan, prepared.filled
    height, width = scan.image.shape
    band = retina_band(filled)
    quality, coverage = bscan_quality(filled), bscan_coverage(filled)
    chosen = int(output.probabilities.argmax())
    marked = lesions_of(output, card, height, width)
    not_located = why_not_located(marked, band)
    given = () if not_located else marked
    findings = _findings(output, card, chosen, given, quality=quality, coverage=coverage, shape=(height, width))
    findings = replace(findings, not_located=not_located)
    cam = cam_of(output.maps[chosen], height, width)
    return ScanScores(
        key=scan.key,
        shape_px=(height, width),
        grade=grade_of(findings.causes, card),
        artifacts=(),
        centration=None,
        findings=findings,
        indices=image_indices(filled, band if band.any() else None),
        cam=cam,
        cam_mask_agreement=not_located or cam_lesion_agreement(output.maps[chosen], given, is_normal=chosen == 0),
        is_of_kind=is_like_bscan(filled, card.likeness),
        model=card.identity,
        seconds=seconds,
    )


def lesions_of(output: BscanOutput, card: BscanCard, height: int, width: int) -> tuple[Lesion, ...]:
    """What the segmentation marks, with more than speckle's size; one mask takes the name of the likeliest lesion."""
    names: Sequence[str] = card.lesion_classes
    if len(output.lesions) == 1:
        names = (card.lesion_classes[int(output.probabilities[1:].argmax())],)
    found = []
    for name, probability in zip(names, output.lesions, strict=True):
        mask = without_speckle(restored(probability, height, width) >= card.lesion_threshold)
        if mask.any():
            found.append(Lesion(name, float(mask.mean()), int(ndimage.label(mask)[1]), mask))
    return tuple(found)


def why_not_located(marked: Sequence[Lesion], band: NDArray[np.bool_]) -> NotComputable | None:
    """Why a mask of this size says nothing of where a lesion lies; None where it may.

    ``band`` is the retina (height, width), as core.measures.retina_band finds it.
    """
    if not marked:
        return None
    area = np.any([lesion.mask for lesion in marked], axis=0).mean()
    if area <= MOST_OF_RETINA * band.mean():
        return None
    return NotComputable(f"the network marked {100 * area:.0f} % of the picture, too much to be a lesion")


def without_speckle(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without regions of fewer than LEAST_LESION_PX pixels."""
    labels, n_regions = ndimage.label(mask)
    if not n_regions:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= LEAST_LESION_PX)[labels], np.bool_)


def causes_of(quality: BscanQuality, coverage: BscanCoverage, limits: UsableLimits) -> tuple[ReasonCode, ...]:
    """What of OSCAR-IB speaks against the scan, the weightiest first; none: it is usable."""
    is_weak = isinstance(quality.snr_db, Measured) and quality.snr_db.value < limits.least_snr_db
    checks = {
        ReasonCode.IB_OBVIOUS: coverage.retina < limits.least_retina_share or coverage.cut > limits.most_cut_share,
        ReasonCode.IB_SIGNAL: is_weak,
        ReasonCode.IB_ILLUMINATION: coverage.dim > limits.most_dim_share,
    }
    return tuple(code for code, holds in checks.items() if holds)


def grade_of(causes: tuple[ReasonCode, ...], card: BscanCard) -> Grade:
    """Usable where nothing speaks against it: a rule, so its probabilities are 0 and 1.

    Abstained where the card has no calibration scans: then a person decides.
    """
    grade = StructuralGrade.NOT_USABLE if causes else StructuralGrade.USABLE
    return Grade(
        scale=GradeScale.STRUCTURAL_2,
        ordinal=int(grade),
        label=grade.label,
        probabilities={each.label: float(each is grade) for each in StructuralGrade},
        abstained=card.calibration is None,
    )


def cam_of(positive_map: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32] | NotComputable:
    """Grad-CAM (height, width) in [0, 1] of one class; NotComputable where nothing speaks for it."""
    at_full_size = np.maximum(restored(positive_map, height, width), 0)
    peak = float(at_full_size.max())
    return np.asarray(at_full_size / peak, np.float32) if peak > 0 else NotComputable("no supporting evidence")


def cam_lesion_agreement(cam: NDArray[np.float32], lesions: Sequence[Lesion], *, is_normal: bool) -> Measure:
    """Share (0 to 1) of the heat map that lies on cells with a lesion, judged at the map's stride.

    Only defined for scans called ill: that a scan is normal is argued from everywhere.
    """
    if is_normal:
        return NotComputable("only judged where a lesion is seen")
    if cam.sum() <= 0:
        return NotComputable("no supporting evidence")
    if not lesions:
        return Measured(0.0)
    anywhere = np.any([lesion.mask for lesion in lesions], axis=0).astype(np.uint8) * 255
    cover = np.asarray(Image.fromarray(anywhere).resize(cam.shape[::-1], Image.Resampling.BOX)) / 255
    return Measured(float(cam[cover >= CELL_COVER].sum() / cam.sum()))


def _findings(
    output: BscanOutput,
    card: BscanCard,
    chosen: int,
    marked: tuple[Lesion, ...],
    *,
    quality: BscanQuality,
    coverage: BscanCoverage,
    shape: tuple[int, int],
) -> BscanFindings:
    is_normal = chosen == 0
    # The coarse mask was taught by normal scans too: where it sees a lesion, "normal" is in doubt.
    disagree = bool((output.coarse >= card.lesion_threshold).any()) if is_normal else not marked
    return BscanFindings(
        probabilities=dict(zip(card.classes, map(float, output.probabilities), strict=True)),
        likeliest=card.classes[chosen],
        lesions=() if is_normal else marked,
        unasked=max(marked, key=lambda lesion: lesion.area_fraction, default=None) if is_normal else None,
        coarse=np.clip(restored(output.coarse, *shape), 0, 1),
        quality=quality,
        doubts=(ReasonCode.LESION_DISAGREEMENT,) if disagree else (),
        causes=causes_of(quality, coverage, card.usable),
    )


def _lesion(lesion: Lesion, picture: str) -> dict[str, Any]:
    return {
        "type": lesion.name,
        "area_fraction": _number(lesion.area_fraction),
        "n_regions": lesion.n_regions,
        "mask": picture,
    }


def _number(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _measure(measure: Measure) -> float | dict[str, str]:
    return _number(measure.value) if isinstance(measure, Measured) else {"not_computable": measure.reason}
