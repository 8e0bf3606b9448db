"""The report of a B-scan model: its figures with curves, boundaries and areas of lesions, and worst cases."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import ReportedMetric
from core.scoring.published import compare_bscans
from core.statistics.overlap import MaskOverlap, dice, mask_overlap
from core.training.bscan.evaluate import UNSEEN, EvaluatedBscans
from core.training.bscan.judge import JudgedBscan
from core.training.bscan.samples import BscanSamples
from core.training.evaluation.agreement import Agreement, agreement_figures, agreement_of
from core.training.evaluation.classes import ClassCurves, class_curves, class_statistics
from core.training.evaluation.figures import MIN_IMAGES, Sample, Topic
from core.training.evaluation.outlines import outline_figures
from core.training.evaluation.pictures import mask_picture, scan_picture
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
from core.training.supervised.samples import Draw

_AREA = "lesion area"
_FIRST = ("accuracy", "kappa", "Dice")
_MORE = ("precision", "F1", "macro", "ECE", "Brier score")
"""What the paper's own figures of a class do not hold."""


def bscan_report(evaluated: EvaluatedBscans) -> Evaluation:
    """Everything that `--report` shows of a B-scan model."""
    found, card = evaluated.found, evaluated.card
    metrics = (*found.metrics, *_more_figures(evaluated))
    comparisons = tuple(compare_bscans(found.metrics))
    report = EvaluationReport(
        model=card.name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        split=judged_words(card.split, found.n_images, found.n_left_out, what="scans", note=found.note),
        labels=card.labels,
        parts=sets_of(metrics),
        metrics=metrics,
        headline=tuple(metric for metric in metrics if metric.name in _FIRST),
        class_curves=tuple(_curves(evaluated)),
        agreements=tuple(_agreements(evaluated)),
        comparisons=comparisons,
        differences={row.published.task: found.difference for row in comparisons},
        starting_point=f"These weights began {began_with(card.init_sha256)}.",
    )
    return illustrated(report, [*_worst_classes(evaluated), *_worst_lesions(evaluated)])


def _sources(evaluated: EvaluatedBscans) -> Iterator[tuple[str, list[JudgedBscan]]]:
    """Each source by itself, named as its figures are."""
    for source in sorted({item.source for item in evaluated.judged}):
        own = [item for item in evaluated.judged if item.source == source]
        yield f"{UNSEEN}, {source or 'no source named'}", own


def _more_figures(evaluated: EvaluatedBscans) -> list[ReportedMetric]:
    """Precision, F1 and calibration of the classes; distances of the boundaries and area of the lesions."""
    metrics: list[ReportedMetric] = []
    for label, own in _sources(evaluated):
        metrics += _class_figures(own, label, evaluated.card.classes)
        sample, overlaps = _drawn(own, label)
        metrics += outline_figures(sample, overlaps)
        metrics += agreement_figures(sample, _areas(own), _AREA, "%")
    return metrics


def _class_figures(own: Sequence[JudgedBscan], label: str, classes: Sequence[str]) -> list[ReportedMetric]:
    certain = [item for item in own if item.is_certain]
    if not certain:
        return []
    truth, probabilities = _truth_and_probabilities(certain)

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        said = probabilities[index]
        found = class_statistics(truth[index], said, said.argmax(axis=1), classes, "class")
        return {name: value for name, value in found.items() if name.endswith(_MORE)}

    return Sample(Topic.BSCAN_CLASS, label, tuple(item.group for item in certain)).figures(statistic)


def _truth_and_probabilities(certain: Sequence[JudgedBscan]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth = np.array([int(item.possible.argmax()) for item in certain], np.int64)
    return truth, np.stack([item.probabilities for item in certain])


def _with_lesion(own: Sequence[JudgedBscan]) -> list[tuple[JudgedBscan, NDArray[np.bool_]]]:
    """The scans in which somebody drew a lesion, with what was drawn."""
    return [(item, item.truth) for item in own if item.truth is not None and item.truth.any()]


def _drawn(own: Sequence[JudgedBscan], label: str) -> tuple[Sample, list[MaskOverlap]]:
    """The scans with a drawn lesion, and how well it was covered."""
    pairs = _with_lesion(own)
    sample = Sample(Topic.BSCAN_LESION, label, tuple(item.group for item, _ in pairs))
    return sample, [mask_overlap(item.predicted, truth) for item, truth in pairs]


def _areas(own: Sequence[JudgedBscan]) -> NDArray[np.float64]:
    """Area found and area drawn (n, 2), in % of the picture."""
    areas = [(100 * item.predicted.mean(), 100 * truth.mean()) for item, truth in _with_lesion(own)]
    return np.array(areas, np.float64).reshape(-1, 2)


def _curves(evaluated: EvaluatedBscans) -> list[ClassCurves]:
    found = []
    for label, own in _sources(evaluated):
        certain = [item for item in own if item.is_certain]
        if len(certain) >= MIN_IMAGES:
            truth, said = _truth_and_probabilities(certain)
            classes = evaluated.card.classes
            found.append(class_curves(truth, said, said.argmax(axis=1), classes, name=label, topic=Topic.BSCAN_CLASS))
    return found


def _agreements(evaluated: EvaluatedBscans) -> list[Agreement]:
    return [
        found
        for label, own in _sources(evaluated)
        for found in agreement_of(_drawn(own, label)[0], _areas(own), _AREA, "%")
    ]


def _worst_classes(evaluated: EvaluatedBscans) -> list[Shown]:
    """The scans to whose possible classes together the networks gave the least probability."""
    judged, classes = evaluated.judged, evaluated.card.classes
    given = [float(item.probabilities[item.possible].sum()) for item in judged]
    shown = []
    for place in np.argsort(given, kind="stable")[:N_WORST]:
        item, record = judged[place], evaluated.placed[place].picture.record
        truth = " or ".join(name for name, is_it in zip(classes, item.possible, strict=True) if is_it)
        sure = item.probabilities[item.chosen]
        words = f"{item.source or 'no source named'}: {truth}, model {classes[item.chosen]} ({sure:.0%} sure)"
        shown.append(Shown(Topic.BSCAN_CLASS, record.file, words, scan_picture(_canvas(evaluated, int(place)))))
    return shown


def _worst_lesions(evaluated: EvaluatedBscans) -> list[Shown]:
    """The scans whose drawn lesions were found worst, by Dice."""
    dices = {
        place: dice(item.predicted, item.truth)
        for place, item in enumerate(evaluated.judged)
        if item.truth is not None and item.truth.any()
    }
    shown = []
    for place in sorted(dices, key=lambda each: dices[each])[:N_WORST]:
        item, record = evaluated.judged[place], evaluated.placed[place].picture.record
        assert item.truth is not None  # chosen above
        words = f"{item.source or 'no source named'}: Dice {dices[place]:.2f}"
        picture = mask_picture(_canvas(evaluated, place), item.truth, item.predicted)
        shown.append(Shown(Topic.BSCAN_LESION, record.file, words, picture))
    return shown


def _canvas(evaluated: EvaluatedBscans, place: int) -> NDArray[np.uint8]:
    """Grey levels (S, S) of a scan on the square that the networks see."""
    samples = BscanSamples([evaluated.placed[place].picture], evaluated.recipe, evaluated.card.classes)
    image, _ = samples[Draw(0)]
    return np.asarray(np.rint(image[0].numpy() * 255), np.uint8)
