"""Figures and curves of any classification from plain arrays: of a grade, of a disc, of a class of B-scans."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.statistics.classification import (
    area_under_roc,
    brier_score,
    class_figures,
    confusion_matrix,
    expected_calibration_error,
    macro_figures,
    reliability,
    roc_curve,
)
from core.training.evaluation.figures import Topic

Classes = NDArray[np.int64]


class ClassCurves(BaseModel):
    """What a table of figures cannot show, of one named set."""

    model_config = ConfigDict(frozen=True)

    topic: str = Topic.GRADE.value
    set: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: truth; columns: model."""
    readers_confusion: tuple[tuple[int, ...], ...] | None = None
    """Rows: reader a; columns: reader b. None where the readings are not there."""
    roc: dict[str, tuple[tuple[float, float], ...]]
    """False and true positive rate per class against the rest; classes that the set lacks are left out."""
    reliability: tuple[tuple[float, float, int], ...]
    """Mean confidence, accuracy and number of images per bin."""


def class_statistics(
    truth: Classes, probabilities: NDArray[np.float64], predicted: Classes, labels: Sequence[str], what: str
) -> dict[str, float | None]:
    """Unweighted means, calibration and every class against the rest, from n true and predicted classes.

    ``probabilities`` is (n, classes); ``what`` begins the names of the figures that are not of one class.
    """
    confusion = confusion_matrix(truth, predicted, len(labels))
    macro = macro_figures(confusion)
    found: dict[str, float | None] = {
        f"{what} precision, macro": macro.precision,
        f"{what} recall, macro": macro.recall,
        f"{what} F1, macro": macro.f1,
        f"{what} ECE": expected_calibration_error(probabilities.max(axis=1), predicted == truth),
        f"{what} Brier score": brier_score(probabilities, truth),
    }
    areas = []
    for place, name in enumerate(labels):
        one = class_figures(confusion, place)
        areas.append(area_under_roc(probabilities[:, place], truth == place))
        found |= {
            f"{name}: precision": one.precision,
            f"{name}: recall": one.recall,
            f"{name}: F1": one.f1,
            f"{name}: AUC against the rest": areas[-1],
        }
    known = [area for area in areas if area is not None]
    found[f"{what} AUC, macro"] = sum(known) / len(labels) if len(known) == len(labels) else None
    return found


def class_curves(
    truth: Classes,
    probabilities: NDArray[np.float64],
    predicted: Classes,
    labels: Sequence[str],
    *,
    name: str,
    topic: Topic = Topic.GRADE,
    readers: tuple[Classes, Classes] | None = None,
) -> ClassCurves:
    """Confusion, ROC and reliability of a named set; arrays as in class_statistics."""
    curves = {}
    for place, label in enumerate(labels):
        curve = roc_curve(probabilities[:, place], truth == place)
        if curve is not None:
            curves[label] = tuple((round(float(x), 5), round(float(y), 5)) for x, y in zip(*curve, strict=True))
    bins = reliability(probabilities.max(axis=1), predicted == truth)
    return ClassCurves(
        topic=topic.value,
        set=name,
        labels=tuple(labels),
        confusion=confusion_rows(confusion_matrix(truth, predicted, len(labels))),
        readers_confusion=None if readers is None else confusion_rows(confusion_matrix(*readers, len(labels))),
        roc=curves,
        reliability=tuple((round(b.confidence, 4), round(b.accuracy, 4), b.n_images) for b in bins),
    )


def confusion_rows(matrix: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    """A confusion matrix as plain numbers."""
    return tuple(tuple(int(cell) for cell in row) for row in matrix)
