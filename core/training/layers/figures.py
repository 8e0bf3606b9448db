"""Figures of a layer model with intervals by subject: overlap, distance of boundaries, thickness on phantoms."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.phantom.bscan import BscanLesion
from core.scoring.card import ReportedMetric
from core.scoring.lanes.layer_scheme import BOUNDARY_NAMES, CLASS_NAMES
from core.training.evaluation.figures import Sample, Topic
from core.training.layers.cases import BoundaryErrors, LayerCase, PhantomCase
from core.vocabulary import LayerScheme

MEAN_DICE = "mean Dice of the layers"
MEAN_IOU = "mean IoU of the layers"
RETINA_IOU = "IoU of the whole retina"
ACCURACY = "pixel accuracy"
BOUNDARY_ERROR = "boundary error, mean of both graders"
FIRST_GRADER = "boundary error against the first grader"
GRADERS = "difference of the two graders"
RATIO = "boundary error over the graders' difference"
THICKNESS_ERROR = "thickness, mean absolute error"
THICKNESS_BIAS = "thickness, bias"
MEASURED = "A-scans measured"

Rows = NDArray[np.float64]


def layer_figures(
    cases: Sequence[LayerCase], groups: Sequence[str], label: str, scheme: LayerScheme
) -> list[ReportedMetric]:
    """Overlap of a set of labelled B-scans, and boundary distances where two graders drew them."""
    sample = Sample(Topic.LAYERS, label, tuple(groups))
    dices, ious = (np.stack([getattr(case, name) for case in cases]) for name in ("dices", "ious"))
    whole = np.array([case.retina_iou for case in cases])
    right = np.array([case.accuracy for case in cases])

    def overlap(index: NDArray[np.intp]) -> dict[str, float | None]:
        return {
            MEAN_DICE: _mean(dices[index]),
            MEAN_IOU: _mean(ious[index]),
            RETINA_IOU: float(whole[index].mean()),
            ACCURACY: float(right[index].mean()),
            **{f"Dice {name}": _mean(dices[index, k]) for k, name in enumerate(CLASS_NAMES[scheme][1:])},
        }

    metrics = sample.figures(overlap)
    errors = [case.boundaries for case in cases if case.boundaries is not None]
    if len(errors) == len(cases) and scheme is LayerScheme.DUKE_7:
        metrics += _boundary_figures(sample, errors)
    return metrics


def _boundary_figures(sample: Sample, errors: Sequence[BoundaryErrors]) -> list[ReportedMetric]:
    """Distances in pixels of the full frame: a mean over B-scans of each boundary, then over the boundaries."""
    ours, first, graders = (
        np.stack([getattr(error, name) for error in errors]) for name in ("ours", "ours_to_first", "graders")
    )
    found = np.array([error.found_share for error in errors])
    names = BOUNDARY_NAMES[LayerScheme.DUKE_7]

    def distances(index: NDArray[np.intp]) -> dict[str, float | None]:
        own, between = _mean_of_columns(ours[index]), _mean_of_columns(graders[index])
        return {
            BOUNDARY_ERROR: own,
            FIRST_GRADER: _mean_of_columns(first[index]),
            GRADERS: between,
            RATIO: None if own is None or not between else own / between,
            **{f"boundary error {name}": _mean(ours[index, k]) for k, name in enumerate(names)},
            "graders' columns found": float(found[index].mean()),
        }

    units = dict.fromkeys((BOUNDARY_ERROR, FIRST_GRADER, GRADERS, *(f"boundary error {name}" for name in names)), "px")
    return sample.figures(distances, units)


def phantom_figures(cases: Sequence[PhantomCase]) -> list[ReportedMetric]:
    """Thickness against the truth on phantoms that no training draws; all, and by lesion."""
    metrics = []
    for label, members in (("all", cases), *((kind.value, _of(cases, kind)) for kind in BscanLesion)):
        groups = tuple(str(number) for number in range(len(members)))
        sample = Sample(Topic.THICKNESS, f"phantoms, {label}, that no training draws", groups)
        fields = ("thickness_error_um", "thickness_bias_um", "measured_share")
        values = np.array([[getattr(case, field) for field in fields] for case in members])  # (cases, figures)
        metrics += sample.figures(partial(_phantom_means, values), {THICKNESS_ERROR: "um", THICKNESS_BIAS: "um"})
    return metrics


def _phantom_means(values: Rows, index: NDArray[np.intp]) -> dict[str, float | None]:
    names = (THICKNESS_ERROR, THICKNESS_BIAS, MEASURED)
    return {name: _mean(values[index, place]) for place, name in enumerate(names)}


def _of(cases: Sequence[PhantomCase], lesion: BscanLesion) -> list[PhantomCase]:
    return [case for case in cases if case.lesion is lesion]


def _mean(values: Rows) -> float | None:
    """Mean of what is there; None where nothing is."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else None


def _mean_of_columns(values: Rows) -> float | None:
    """Mean over boundaries of each boundary's mean over B-scans, so that no boundary counts for its length."""
    means = [mean for column in values.T if (mean := _mean(column)) is not None]
    return float(np.mean(means)) if means else None
