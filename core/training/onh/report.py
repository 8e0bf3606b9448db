"""The report of an ONH en-face model: its figures with curves, the nerve head's area, and worst cases."""

import numpy as np

from core.phantom.onh_spec import ONH_CLASSES
from core.scoring.card import ReportedMetric
from core.scoring.lanes.onh_enface import label_map
from core.scoring.lanes.onh_input import Grouping
from core.scoring.published import compare_onh
from core.training.evaluation.agreement import Agreement, agreement_of
from core.training.evaluation.classes import ClassCurves, class_curves
from core.training.evaluation.figures import MIN_IMAGES, Topic
from core.training.evaluation.pictures import labels_picture, legend, scan_picture
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
from core.training.onh.evaluate import EvaluatedOnh, onh_published
from core.training.onh.figures import DISC_AREA, coarser, disc_areas, grade_labels, regrouped
from core.training.supervised.picture import read_grey_levels, read_labels

_FIRST = ("grade F1, macro", "grade quadratic kappa", "grade accuracy", "Dice")
_NOTES = {
    Topic.GRADE: (
        "Coarser groupings of the grades are the network's own probabilities added up. On phantoms the grade follows "
        "from a rule, so the figures say only that the rule was learned."
    ),
    Topic.ARTIFACT_MASKS: (
        "Overlap and distances over images in which the class is drawn (distances: and found); the share marked over "
        f"those in which it is not. Areas are in % of the image. {legend(ONH_CLASSES[1:])}"
    ),
}


def onh_report(evaluated: EvaluatedOnh) -> Evaluation:
    """Everything that `--report` shows of an ONH en-face model."""
    found, card = evaluated.found, evaluated.card
    comparisons = tuple(compare_onh(found.metrics))
    report = EvaluationReport(
        model=card.name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        split=judged_words(card.split, found.n_images, found.n_left_out, note=found.note),
        labels=card.labels,
        parts=sets_of(found.metrics),
        metrics=found.metrics,
        headline=tuple(metric for metric in found.metrics if _is_first(metric, card.grouping)),
        titles={Topic.ARTIFACT_MASKS: "Masks of the nerve head and of artifacts"},
        notes={topic.value: words for topic, words in _NOTES.items()},
        class_curves=tuple(_curves(evaluated)),
        agreements=tuple(_agreements(evaluated)),
        comparisons=comparisons,
        differences={row.published.task: found.difference for row in comparisons},
        starting_point="The published networks began with weights from photographs; these began "
        f"{began_with(card.init_sha256)}.",
    )
    return illustrated(report, [*_worst_grades(evaluated), *_worst_masks(evaluated)])


def _is_first(metric: ReportedMetric, grouping: str) -> bool:
    return metric.name in _FIRST and (metric.topic != Topic.GRADE or metric.set.endswith(f" {grouping}"))


def _curves(evaluated: EvaluatedOnh) -> list[ClassCurves]:
    """Of the network's own classes, and of those that the poster prints."""
    judged = evaluated.judged
    if len(judged.truth) < MIN_IMAGES:
        return []
    printed = {figure.our_set for figure in onh_published()} | {judged.grouping.name}
    return [_curves_of(evaluated, grouping) for grouping in coarser(judged.grouping) if grouping.name in printed]


def _curves_of(evaluated: EvaluatedOnh, grouping: Grouping) -> ClassCurves:
    judged = evaluated.judged
    probabilities = regrouped(judged.probabilities(evaluated.card.temperature), judged.grouping, grouping)
    return class_curves(
        np.array(grouping.class_of)[judged.truth],
        probabilities,
        probabilities.argmax(axis=1),
        grade_labels(grouping),
        name=f"{evaluated.name}, grades {grouping.name}",
    )


def _agreements(evaluated: EvaluatedOnh) -> list[Agreement]:
    if evaluated.judged.pixels is None:
        return []
    return agreement_of(*disc_areas(evaluated.judged, evaluated.name), DISC_AREA, "%")


def _worst_grades(evaluated: EvaluatedOnh) -> list[Shown]:
    """The images to whose true class the network gave the least probability."""
    judged, labels = evaluated.judged, grade_labels(evaluated.judged.grouping)
    probabilities = judged.probabilities(evaluated.card.temperature)
    shown = []
    for place in probabilities[range(len(judged.truth)), judged.classes].argsort(kind="stable")[:N_WORST]:
        record, said = evaluated.placed[place].picture.record, int(probabilities[place].argmax())
        sure = probabilities[place, said]
        words = f"labelled {labels[judged.classes[place]]}, model {labels[said]} ({sure:.0%} sure)"
        shown.append(Shown(Topic.GRADE, record.file, words, scan_picture(read_grey_levels(record.path))))
    return shown


def _worst_masks(evaluated: EvaluatedOnh) -> list[Shown]:
    """The images with the lowest mean Dice over the classes, background left out, that are drawn in them."""
    judged = evaluated.judged
    if judged.pixels is None:
        return []
    both, found, drawn = np.moveaxis(judged.pixels[:, 1:], 2, 0)
    dices = np.where(drawn > 0, 2 * both / np.maximum(found + drawn, 1), np.nan)  # (n, 4)
    there = np.flatnonzero((drawn > 0).any(axis=1))
    means = np.nanmean(dices[there], axis=1)
    shown = []
    for place in there[means.argsort(kind="stable")[:N_WORST]]:
        record = evaluated.placed[place].picture.record
        assert record.mask_path is not None  # the manifest was checked
        image, truth = read_grey_levels(record.path), read_labels(record.mask_path)
        labels = label_map(evaluated.forward([image])[0].mask_logits, *truth.shape)
        words = ", ".join(
            f"{name} {dice:.2f}" for name, dice in zip(ONH_CLASSES[1:], dices[place], strict=True) if np.isfinite(dice)
        )
        shown.append(Shown(Topic.ARTIFACT_MASKS, record.file, f"Dice: {words}", labels_picture(image, truth, labels)))
    return shown
