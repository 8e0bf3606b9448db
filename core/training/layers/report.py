"""The report of a layer model: figures with the confusion of classes, the retina's outline, thickness, worst cases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.scoring.published import compare_layers
from core.statistics.overlap import MaskOverlap, mask_overlap
from core.training.evaluation.agreement import agreement_figures, agreement_of
from core.training.evaluation.classes import ClassCurves
from core.training.evaluation.figures import Sample, Topic
from core.training.evaluation.outlines import outline_figures
from core.training.evaluation.pictures import labels_picture, legend
from core.training.evaluation.report import (
    N_WORST,
    Evaluation,
    EvaluationReport,
    Shown,
    began_with,
    illustrated,
    judged_words,
    sets_of,
)
from core.training.layers.cases import dices_of, layer_case
from core.training.layers.data import labels_in
from core.training.layers.evaluate import EvaluatedLayers
from core.training.layers.figures import BOUNDARY_ERROR, MEAN_DICE, RETINA_IOU
from core.training.supervised.picture import read_grey_levels

THICKNESS = "retinal thickness"
_NOTE = (
    "Overlap of the classes with the label maps; where two graders drew the boundaries, our distance from each beside "
    "theirs from each other. Thickness and outline are of all classes together, in pixels of each image."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One B-scan: mean Dice of its layers, outline of the whole retina, mean thickness found and drawn in pixels."""

    dice: float
    retina: MaskOverlap
    thickness_px: tuple[float, float]
    found: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def layers_report(evaluated: EvaluatedLayers) -> Evaluation:
    """Everything that `--report` shows of a layer model."""
    found, card = evaluated.found, evaluated.segmenter.card
    judged = _judged(evaluated)
    sample = Sample(Topic.LAYERS, _label(evaluated), tuple(item.group for item in evaluated.placed))
    thickness = np.array([one.thickness_px for one in judged], np.float64)
    metrics = (
        *found.metrics,
        *outline_figures(sample, [one.retina for one in judged], of="of the retina"),
        *agreement_figures(sample, thickness, THICKNESS, "px"),
    )
    comparisons = tuple(compare_layers(found.metrics))
    report = EvaluationReport(
        model=found.model,
        version=card.version,
        weights_sha256=found.weights_sha256,
        split=judged_words(card.split, found.n_images, found.n_left_out),
        labels=card.labels,
        parts=sets_of(metrics),
        metrics=metrics,
        headline=tuple(
            metric
            for metric in found.metrics
            if metric.name in (MEAN_DICE, RETINA_IOU, BOUNDARY_ERROR) and metric.topic == Topic.LAYERS
        ),
        notes={Topic.LAYERS.value: f"{_NOTE} {legend(found.classes[1:])}"},
        class_curves=(_confusion(evaluated),),
        agreements=tuple(agreement_of(sample, thickness, THICKNESS, "px")),
        comparisons=comparisons,
        differences={row.published.task: found.difference for row in comparisons},
        starting_point=f"These weights began {began_with(card.init_sha256)}.",
    )
    return illustrated(report, _worst(evaluated, judged))


def _label(evaluated: EvaluatedLayers) -> str:
    """The name under which the figures of the labelled images stand."""
    labelled = (metric.set for metric in evaluated.found.metrics if metric.topic == Topic.LAYERS)
    return next(labelled, "unseen images")


def _judged(evaluated: EvaluatedLayers) -> list[Judged]:
    segmenter, scheme = evaluated.segmenter, evaluated.segmenter.card.scheme
    records = [item.picture.record for item in evaluated.placed]
    images = [read_grey_levels(record.path) for record in records]
    judged = []
    for record, layers in zip(records, segmenter.layers(images), strict=True):
        assert record.mask_path is not None  # the folder was checked
        truth = labels_in(record.mask_path, scheme)
        dices = dices_of(layer_case(layers, truth, scheme).confusion)
        retina = mask_overlap(layers.labels > 0, truth > 0)
        thickness = mean_thickness_px(layers.labels), mean_thickness_px(truth)
        judged.append(Judged(float(np.nanmean(dices)), retina, thickness, layers.labels, truth))
    return judged


def mean_thickness_px(labels: NDArray[np.uint8]) -> float:
    """Mean over the columns that show a retina; 0 where none does."""
    depths = (labels > 0).sum(axis=0)
    return float(depths[depths > 0].mean()) if depths.any() else 0.0


def _confusion(evaluated: EvaluatedLayers) -> ClassCurves:
    found = evaluated.found
    return ClassCurves(
        topic=Topic.LAYERS.value,
        set=_label(evaluated),
        labels=found.classes,
        confusion=found.confusion,
        roc={},
        reliability=(),
    )


def _worst(evaluated: EvaluatedLayers, judged: list[Judged]) -> list[Shown]:
    """The B-scans with the lowest mean Dice of their layers."""
    shown = []
    for place in np.argsort([one.dice for one in judged], kind="stable")[:N_WORST]:
        record, one = evaluated.placed[place].picture.record, judged[place]
        picture = labels_picture(read_grey_levels(record.path), one.truth, one.found)
        shown.append(Shown(Topic.LAYERS, record.file, f"mean Dice of the layers {one.dice:.2f}", picture))
    return shown
