"""The report of a QU-Net++: its figures with the outline of what was drawn, its area, and worst cases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.statistics.overlap import MaskOverlap, mask_overlap
from core.training.evaluation.agreement import agreement_figures, agreement_of
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
from core.training.qunet.evaluate import EvaluatedQuNet
from core.training.qunet.slices import read_labels
from core.training.supervised.picture import read_grey_levels

_AREA = "drawn area"
_NOTE = (
    "Q tells what the model lacks; it is no grade of an image. Outline and area (in % of the image) are of all classes "
    "as one."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One image: what was found and drawn, as classes and as one mask."""

    found: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    overlap: MaskOverlap


def qunet_report(evaluated: EvaluatedQuNet) -> Evaluation:
    """Everything that `--report` shows of a QU-Net++."""
    found, card = evaluated.found, evaluated.card
    judged = [_judged(evaluated, place) for place in range(len(evaluated.placed))]
    label = found.metrics[0].set if found.metrics else "unseen images"
    sample = Sample(Topic.SELECTION, label, tuple(item.group for item in evaluated.placed))
    areas = np.array([(100 * (one.found > 0).mean(), 100 * (one.truth > 0).mean()) for one in judged], np.float64)
    metrics = (
        *found.metrics,
        *outline_figures(sample, [one.overlap for one in judged]),
        *agreement_figures(sample, areas, _AREA, "%"),
    )
    names = tuple(f"grey level {level}" for level in card.mask_levels[1:])
    report = EvaluationReport(
        model=card.recipe_name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        split=judged_words(card.split, found.n_images, found.n_left_out, note=found.note),
        labels=card.labels,
        parts=sets_of(metrics),
        metrics=metrics,
        headline=tuple(metric for metric in found.metrics if metric.name in ("Dice", "Jaccard", "Q")),
        notes={Topic.SELECTION.value: f"{_NOTE} {legend(names)}"},
        agreements=tuple(agreement_of(sample, areas, _AREA, "%")),
        starting_point=f"{found.published} These weights began {began_with(card.init_sha256)}.",
    )
    return illustrated(report, _worst(evaluated, judged))


def _judged(evaluated: EvaluatedQuNet, place: int) -> Judged:
    record = evaluated.placed[place].picture.record
    assert record.mask_path is not None  # only annotated pictures are judged
    found = evaluated.reader.read([read_grey_levels(record.path)])[0].labels
    truth = read_labels(record.mask_path, evaluated.card.mask_levels)
    return Judged(found, truth, mask_overlap(found > 0, truth > 0))


def _worst(evaluated: EvaluatedQuNet, judged: list[Judged]) -> list[Shown]:
    """The images whose drawn area was covered worst, by Dice of all classes as one."""
    shown = []
    for place in np.argsort([one.overlap.dice for one in judged], kind="stable")[:N_WORST]:
        record, one = evaluated.placed[place].picture.record, judged[place]
        picture = labels_picture(read_grey_levels(record.path), one.truth, one.found)
        shown.append(Shown(Topic.SELECTION, record.file, f"Dice {one.overlap.dice:.2f}, all classes as one", picture))
    return shown
