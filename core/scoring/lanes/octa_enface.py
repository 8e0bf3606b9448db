"""From the joint network's outputs to the scores of an OCTA en-face scan; NumPy only, no network library.

The other half of the lane, the forward pass, is core.scoring.torch_backend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit, softmax

from core.measures.artifacts import artifact_score
from core.measures.centration import centration
from core.measures.faz import faz_component, faz_metrics
from core.measures.indices import image_indices
from core.measures.vessels import vessel_metrics
from core.scoring.card import ModelCard, OperatingPoint
from core.scoring.contract import ScanInput
from core.scoring.lanes.canvas import CANVAS_PX, Placement, logistic, place, restore
from core.scoring.lanes.faz_region import FazDetail, likeliest_zone, put_back
from core.scoring.lanes.likeness import distance, likeness_features
from core.scoring.lanes.noise import is_power_law_noise
from core.scoring.lanes.scan_heads import GradeScaling, HeadShares, ScanHeads, mask_of_severity, ordinal_of_shares
from core.scoring.lanes.scan_statistics import scan_statistics
from core.values import Grade, Measure, Measured, NotComputable, OctaFindings, ScanScores
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, GradeScale

MIN_FAZ_FRACTION = 0.0005
"""A FAZ smaller than this share of the image is no FAZ: 0.0045 mm^2 of a 3 x 3 mm field, a twentieth of the smallest
area reported in healthy eyes (Linderman et al. 2017, doi:10.1167/tvst.6.3.16)."""

CELL_COVER = 0.1
"""A cell of the Grad-CAM's map counts as artifact where a mask covers at least this share of it."""


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """A scan on the canvas, ready to be batched."""

    scan: ScanInput
    canvas: NDArray[np.uint8]  # (256, 256)
    placement: Placement


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What the network said of one scan, as NumPy arrays."""

    grade_logits: NDArray[np.float32]  # (3,), by what simulated artifacts taught; the scan heads decide the grade
    octa_logit: float
    artifact_logits: NDArray[np.float32]  # (4, 128, 128), in OCTA_ARTIFACTS order
    faz_logits: NDArray[np.float32]  # (128, 128)
    class_maps: NDArray[np.float32]  # (3, 8, 8), class weights applied to the last feature map, before any clipping
    large_vessel_logits: NDArray[np.float32] | None = None  # (128, 128); None: the network has no such head
    faz_detail: FazDetail | None = None
    """The second look at the FAZ; None where the network has no refiner, or found no zone to look at."""


def prepare(scan: ScanInput) -> PreparedScan:
    """Place a scan on the canvas; ValueError where the image cannot be scored."""
    canvas, placement = place(scan.image)
    return PreparedScan(scan, canvas, placement)


def scores_of(
    prepared: PreparedScan, output: NetworkOutput, card: ModelCard, *, heads: ScanHeads | None, seconds: float
) -> ScanScores:
    """Everything the lane says of one scan; masks and Grad-CAM at the scan's own size.

    Without ``heads`` (a training without graded scans) the network's own grade stands and each mask is cut at the
    card's threshold.
    """
    scan, point, placement = prepared.scan, card.operating_point, prepared.placement
    likeness = likeness_features(prepared.canvas, placement)
    faz_mask = faz_mask_of(output, placement, point.faz_threshold)
    if heads is None:
        grade = grade_of(output.grade_logits, point, abstains=card.calibration is None)
        masks = _masks_at_thresholds(output, placement, point)
    else:
        shares = heads.shares(statistics_of(prepared, output, likeness))
        grade = grade_of_shares(shares.grade, point, abstains=card.calibration is None)
        masks = _masks_of_severities(output, placement, point, shares)
    artifacts = tuple(artifact_score(kind, mask, None) for kind, mask in masks.items())
    large_vessels = large_vessel_mask_of(output.large_vessel_logits, placement)
    return ScanScores(
        key=scan.key,
        shape_px=(placement.height_px, placement.width_px),
        grade=grade,
        artifacts=artifacts,
        centration=centration(faz_mask, scan.scale),
        findings=OctaFindings(
            faz_mask=faz_mask,
            faz=faz_metrics(faz_mask, scan.scale),
            vessels=vessel_metrics(
                scan.image, scan.scale, faz_mask=faz_mask, large_vessel_mask=large_vessels, artifacts=artifacts
            ),
        ),
        indices=image_indices(scan.image, None),
        cam=cam_of(output.class_maps[grade.ordinal], placement),
        cam_mask_agreement=cam_mask_agreement(output, placement, grade, tuple(masks.values())),
        is_of_kind=is_octa(prepared, output.octa_logit, card, likeness),
        model=card.identity,
        seconds=seconds,
    )


def statistics_of(
    prepared: PreparedScan, output: NetworkOutput, likeness: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The scan statistics (n,) of one scan; ``likeness`` where its features are known already."""
    vessels = output.large_vessel_logits
    return scan_statistics(
        prepared.canvas,
        prepared.placement,
        artifact_logits=output.artifact_logits,
        faz_logits=output.faz_logits,
        large_vessel_logits=np.zeros_like(output.faz_logits) if vessels is None else vessels,
        simulated_grade_logits=output.grade_logits,
        likeness=likeness_features(prepared.canvas, prepared.placement) if likeness is None else likeness,
    )


def grade_of_shares(shares: NDArray[np.float64], point: OperatingPoint, *, abstains: bool) -> Grade:
    """The grade of the scan heads' shares (3,) with calibrated probabilities; ``abstains`` as in ``grade_of``."""
    scaling = GradeScaling(point.grade_slopes, point.grade_intercepts, point.grade_by_mean)
    probabilities = scaling.probabilities(shares)
    return _grade(int(ordinal_of_shares(shares)), probabilities, point, abstains=abstains)


def grade_of(logits: NDArray[np.float32], point: OperatingPoint, *, abstains: bool = True) -> Grade:
    """The calibrated grade; with ``abstains``, abstained where the model is less sure than the card demands.

    Without it the study's level decides later, by the card's calibration scans (core.scoring.acceptance).
    """
    probabilities = grade_probabilities(logits.astype(np.float64), point)
    return _grade(int(probabilities.argmax()), probabilities, point, abstains=abstains)


def _grade(ordinal: int, probabilities: NDArray[np.float64], point: OperatingPoint, *, abstains: bool) -> Grade:
    return Grade(
        scale=GradeScale.COIPS_3,
        ordinal=ordinal,
        label=CoipsGrade(ordinal).name.lower(),
        probabilities={grade.name.lower(): float(probabilities[grade]) for grade in CoipsGrade},
        abstained=abstains and bool(probabilities[ordinal] < point.min_confidence),
    )


def grade_probabilities(logits: NDArray[np.float64], point: OperatingPoint) -> NDArray[np.float64]:
    """Calibrated probabilities (..., 3) of grade logits (..., 3)."""
    return np.asarray(softmax(logits / point.temperature + np.array(point.grade_bias), axis=-1), np.float64)


def is_octa(prepared: PreparedScan, octa_logit: float, card: ModelCard, features: NDArray[np.float64]) -> bool:
    """Whether all opinions take the image for an OCTA en-face image: the network's, the statistics' and noise's.

    ``features`` are the canvas's (core.scoring.lanes.likeness).
    """
    if expit(octa_logit) < card.operating_point.min_octa_probability:
        return False
    if distance(features, card.likeness) > card.likeness.max_distance:
        return False
    return not is_power_law_noise(prepared.canvas, prepared.placement, features)


def coarse_faz_of(output: NetworkOutput, placement: Placement) -> NDArray[np.float32]:
    """The probability (height, width) of FAZ at the first look."""
    return restore(logistic(output.faz_logits), placement)


def faz_mask_of(output: NetworkOutput, placement: Placement, threshold: float) -> NDArray[np.bool_]:
    """The FAZ (height, width): one region without holes, or empty where none is large enough.

    There is one FAZ, and drop-out elsewhere may look like it: see ``likeliest_zone``. Where the second look leaves
    nothing, the first one stands.
    """
    zone = np.zeros((placement.height_px, placement.width_px), np.bool_)
    if output.faz_detail is not None:
        zone = faz_component(put_back(output.faz_detail, zone.shape) >= threshold)
    if not zone.any():
        zone = likeliest_zone(coarse_faz_of(output, placement) >= threshold)
    return zone if np.count_nonzero(zone) >= MIN_FAZ_FRACTION * zone.size else np.zeros_like(zone)


def large_vessel_mask_of(logits: NDArray[np.float32] | None, placement: Placement) -> NDArray[np.bool_] | None:
    """Large vessels (height, width) where they are more likely than not; None where the network has no such head."""
    return None if logits is None else restore(logistic(logits), placement) >= 0.5  # noqa: PLR2004 - likelier than not


def cam_of(class_map: NDArray[np.float32], placement: Placement) -> NDArray[np.float32] | NotComputable:
    """Grad-CAM (height, width) in [0, 1] of one class; the greatest value inside the image is 1.

    Where no cell of the image speaks for the class there is nothing to show.
    """
    positive = np.maximum(class_map, 0)
    at_full_size = restore(positive, placement)
    peak = float(at_full_size.max())
    if peak <= 0:
        return NotComputable("no supporting evidence")
    return np.asarray(at_full_size / peak, np.float32)


def cam_mask_agreement(
    output: NetworkOutput, placement: Placement, grade: Grade, masks: Sequence[NDArray[np.bool_]]
) -> Measure:
    """Share (0 to 1) of an ungradable scan's Grad-CAM that lies on cells with an artifact, judged at the map's stride.

    0: the grade was argued from where no artifact was found; also where none was found at all. Only defined for
    ungradable scans: a good grade is argued from clean places. ``masks`` are the artifacts' at the scan's own size.
    """
    if grade.ordinal != CoipsGrade.UNGRADABLE:
        return NotComputable("only judged where the grade is ungradable")
    cells = len(output.class_maps[0])
    left, top, right, bottom = placement.box(CANVAS_PX // cells)
    rows, columns = slice(int(top), int(np.ceil(bottom))), slice(int(left), int(np.ceil(right)))
    cam = np.maximum(output.class_maps[CoipsGrade.UNGRADABLE], 0)[rows, columns]
    if cam.sum() <= 0:
        return NotComputable("no supporting evidence")
    anywhere = np.any(masks, axis=0).astype(np.uint8) * 255
    # Cells the image only touches are filled out by it: an error of less than a cell at the edge of odd shapes.
    cover = np.asarray(Image.fromarray(anywhere).resize(cam.shape[::-1], Image.Resampling.BOX)) / 255
    return Measured(float(cam[cover >= CELL_COVER].sum() / cam.sum()))


def _masks_at_thresholds(
    output: NetworkOutput, placement: Placement, point: OperatingPoint
) -> dict[ArtifactType, NDArray[np.bool_]]:
    kinds: Sequence[ArtifactType] = OCTA_ARTIFACTS
    return {
        kind: restore(logistic(logits), placement) >= point.artifact_thresholds[kind]
        for kind, logits in zip(kinds, output.artifact_logits, strict=True)
    }


def _masks_of_severities(
    output: NetworkOutput,
    placement: Placement,
    point: OperatingPoint,
    shares: HeadShares,
) -> dict[ArtifactType, NDArray[np.bool_]]:
    """The severity comes from the whole scan, the place from the network's map: each mask's area agrees with both."""
    return {
        kind: mask_of_severity(
            restore(logistic(logits), placement),
            shares.severities[kind],
            threshold=point.artifact_thresholds[kind],
            whole_lines=kind is ArtifactType.MOTION,
        )
        for kind, logits in zip(OCTA_ARTIFACTS, output.artifact_logits, strict=True)
    }
