"""A folder's graded images: their statistics, the scan heads, and each image judged by heads that never saw it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Calibration
from core.scoring.contract import ScanInput
from core.scoring.lanes.octa_enface import prepare, statistics_of
from core.scoring.lanes.scan_heads import GradeScaling, ScanHeads, ordinal_of_shares
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer
from core.training.balance import UNKNOWN
from core.training.calibration_set import calibration_set
from core.training.evaluation.cases import Case, evaluation_phantoms, image_cases
from core.training.predictions import outputs_of
from core.training.samples import ARTIFACTS
from core.training.scan_heads import (
    N_FOLDS,
    HeadData,
    OutOfFold,
    cross_validate,
    fit_grade_scaling,
    fit_heads,
    folds_of,
    severity_ordinals,
)
from core.training.splits import SplitImage
from core.vocabulary import CoipsGrade, Slab

N_HEAD_PHANTOMS = 240
PHANTOM_WEIGHT = 0.2
HEAD_PHANTOM_SEED_STEP = 3
"""Above the recipe's seed: phantoms that no network trains on and no figure is reported of."""
FEWEST_GRADED = 60
"""Fewer graded images, or a fold without one of the grades, and no heads are fitted."""
PROTOCOL = f"{N_FOLDS}-fold, near duplicates together"

SOURCE_SLABS = {"OCTA500_3M": Slab.INNER_RETINA, "OCTA500_6M": Slab.INNER_RETINA}
"""Slabs that the sources' own descriptions state, where the table of grades has no column for it (Li et al. 2024)."""


@dataclass(frozen=True, slots=True)
class GradedScans:
    """A folder's graded images and phantoms, with their statistics by one network."""

    images: Sequence[SplitImage]
    data: HeadData
    phantoms: HeadData


@dataclass(frozen=True, slots=True)
class GradedFit:
    """What the graded images gave."""

    heads: ScanHeads
    """Fitted on all of them."""
    scaling: GradeScaling
    calibration: Calibration


def graded_images(images: Sequence[SplitImage]) -> list[SplitImage]:
    """The graded images, each once: copies in FAZ sets take their grade from these."""
    return [item for item in images if item.image.grade is not None and not item.image.key.startswith("faz_")]


def graded_scans(scorer: OctaEnfaceScorer, images: Sequence[SplitImage], *, seed: int) -> GradedScans | None:
    """The folder's graded images and the phantoms of this seed, with what the scorer's network makes of them.

    None where the images are too few for heads.
    """
    graded = graded_images(images)
    if not _is_enough(graded):
        return None
    return GradedScans(graded, head_data(scorer, graded), phantom_head_data(scorer, seed=seed))


def fit_graded(scans: GradedScans, *, seed: int, labels: str, with_machine: bool) -> GradedFit:
    """Heads, scaling and calibration scans from the graded images.

    ``labels`` says who graded them; ``with_machine`` as in the recipe.
    """
    graded, data, extra = scans.images, scans.data, scans.phantoms
    found = cross_validate(data, *groups_and_strata(graded), extra=extra, seed=seed, with_machine=with_machine)
    scaling = fit_grade_scaling(found.grade, data.grade, by_mean_grade=with_machine)
    return GradedFit(
        heads=fit_heads(data.joined(extra), seed=seed, with_machine=with_machine),
        scaling=scaling,
        calibration=_calibration(graded, data, found, scaling, labels),
    )


def out_of_fold_cases(scorer: OctaEnfaceScorer, scans: GradedScans, *, seed: int) -> list[Case]:
    """A case per graded image, scored through the product's scorer with the heads of the folds it is not in.

    The heads are of the kind that the scorer has: with a kernel machine, or forests alone.
    """
    with_machine = scorer.heads is None or scorer.heads.machine is not None
    cases: dict[int, Case] = {}
    for fitted, left_out in folds_of(scans.data, *groups_and_strata(scans.images), seed=seed):
        heads = fit_heads(scans.data.take(fitted).joined(scans.phantoms), seed=seed, with_machine=with_machine)
        judged = image_cases(scorer.with_heads(heads), [scans.images[index] for index in left_out])
        cases |= dict(zip(left_out.tolist(), judged, strict=True))
    return [cases[index] for index in range(len(scans.images))]


def is_calibrated_on(calibration: Calibration | None, images: Sequence[SplitImage]) -> bool:
    """Whether these graded images are the very ones that the heads were fitted on."""
    if calibration is None:
        return False
    return sorted(item.group for item in graded_images(images)) == sorted(scan.group for scan in calibration.scans)


def head_data(scorer: OctaEnfaceScorer, images: Sequence[SplitImage]) -> HeadData:
    """Statistics, grades and severities of labelled images."""
    statistics = _statistics(scorer, [ScanInput(item.image.key, item.image.pixels(), None) for item in images])
    known = [item.image.severities for item in images]
    return HeadData(
        statistics=statistics,
        grade=np.array([UNKNOWN if item.image.grade is None else int(item.image.grade) for item in images], np.int64),
        severities=np.array(
            [[UNKNOWN if judged is None else judged[kind] for kind in ARTIFACTS] for judged in known], np.int64
        ),
        weight=np.ones(len(images)),
    )


def phantom_head_data(scorer: OctaEnfaceScorer, *, seed: int) -> HeadData:
    """Statistics and true severities of phantoms; their grade is a rule's, not a reader's, and stays unknown.

    They count little beside real scans (docs/experiments.md says what was tried).
    """
    phantoms = list(evaluation_phantoms(N_HEAD_PHANTOMS, seed=seed + HEAD_PHANTOM_SEED_STEP))
    statistics = _statistics(scorer, [ScanInput(str(index), item.image, None) for index, item in enumerate(phantoms)])
    areas = np.array([[phantom.area_fraction(kind) for kind in ARTIFACTS] for phantom in phantoms])
    return HeadData(
        statistics=statistics,
        grade=np.full(len(phantoms), UNKNOWN),
        severities=severity_ordinals(areas),
        weight=np.full(len(phantoms), PHANTOM_WEIGHT),
    )


def _statistics(scorer: OctaEnfaceScorer, scans: Sequence[ScanInput]) -> NDArray[np.float64]:
    """The scan statistics (n, S) of scans at their own size."""
    prepared = [prepare(scan) for scan in scans]
    outputs = outputs_of(scorer, prepared)
    return np.stack([statistics_of(scan, output) for scan, output in zip(prepared, outputs, strict=True)])


def _is_enough(graded: Sequence[SplitImage]) -> bool:
    counts = [len({item.group for item in graded if item.image.grade == grade}) for grade in CoipsGrade]
    return len(graded) >= FEWEST_GRADED and min(counts) >= N_FOLDS


def groups_and_strata(graded: Sequence[SplitImage]) -> tuple[list[str], list[str]]:
    """The group of each image, and what the folds hold in equal shares: source and grade."""
    return [item.group for item in graded], [f"{item.image.source} {item.image.grade}" for item in graded]


def _calibration(
    graded: Sequence[SplitImage], data: HeadData, found: OutOfFold, scaling: GradeScaling, labels: str
) -> Calibration:
    slabs = {SOURCE_SLABS.get(item.image.source) or _slab(item.image.slab) for item in graded} - {None}
    fields = {item.image.field_mm for item in graded} - {None}
    return calibration_set(
        scaling.probabilities(found.grade),
        data.grade.tolist(),
        [item.group for item in graded],
        ordinals=ordinal_of_shares(found.grade).tolist(),
        labels=labels,
        method=(
            f"{N_FOLDS}-fold cross-validation of the scan heads, near duplicates in one fold, folds stratified by "
            "source and grade; the network under them saw no grade. Probabilities by Platt scaling of the out-of-fold "
            f"shares{', P(gradable or better) by their mean grade' if scaling.by_mean_grade else ''}."
        ),
        sources=tuple(sorted({item.image.source for item in graded})),
        fields_mm=tuple((field, field) for field in sorted(field for field in fields if field is not None)),
        slabs=tuple(sorted(slab for slab in slabs if slab is not None)),
    )


def _slab(name: str) -> Slab | None:
    return Slab(name) if name in set(Slab) and name != Slab.UNKNOWN else None
