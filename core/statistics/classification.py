"""How well classes and scores match the truth: confusion, accuracy, precision, recall, F1, ROC, calibration. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

N_RELIABILITY_BINS = 5
"""Equal-mass bins: with some 60 images ten bins would hold six each, and the calibration error would be mostly noise
(it is biased upwards by the noise within bins; Roelofs et al. 2022, arXiv:2012.08668)."""

Classes = NDArray[np.integer]
"""Class indices (n,), 0 to n_classes - 1."""
Scores = NDArray[np.floating]
Flags = NDArray[np.bool_]


def confusion_matrix(truth: Classes, predicted: Classes, n_classes: int) -> NDArray[np.int64]:
    """Counts (n_classes, n_classes): rows are the truth, columns the prediction."""
    cells = np.bincount(truth * n_classes + predicted, minlength=n_classes * n_classes)
    return np.asarray(cells, np.int64).reshape(n_classes, n_classes)


def accuracy(confusion: NDArray[np.int64]) -> float | None:
    """Share of images on the diagonal, 0..1; None without images."""
    total = int(confusion.sum())
    return float(np.trace(confusion)) / total if total else None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class against the rest, 0..1 each; None where a denominator is nought."""

    precision: float | None
    recall: float | None
    f1: float | None


def class_figures(confusion: NDArray[np.int64], index: int) -> ClassFigures:
    """Precision TP/(TP+FP), recall TP/(TP+FN), F1 2TP/(2TP+FP+FN) of one class (van Rijsbergen 1979, chapter 7)."""
    hit, true, said = confusion[index, index], confusion[index].sum(), confusion[:, index].sum()
    return ClassFigures(_ratio(hit, said), _ratio(hit, true), _ratio(2 * hit, true + said))


def macro_figures(confusion: NDArray[np.int64]) -> ClassFigures:
    """Unweighted means over the classes that the truth holds; a class never predicted has precision 0 here."""
    present = [class_figures(confusion, int(index)) for index in np.flatnonzero(confusion.sum(axis=1))]
    if not present:
        return ClassFigures(None, None, None)
    means = [
        float(np.mean([getattr(found, name) or 0.0 for found in present])) for name in ("precision", "recall", "f1")
    ]
    return ClassFigures(*means)


def _ratio(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None


def area_under_roc(score: Scores, is_positive: Flags) -> float | None:
    """Chance that a positive scores above a negative, ties by half; None where a class is missing.

    Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747: the Mann-Whitney statistic.
    """
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if n_positive == 0 or n_negative == 0:
        return None
    ranks = rankdata(score)
    return float((ranks[is_positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def roc_curve(score: Scores, is_positive: Flags) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """False and true positive rates, from (0, 0) to (1, 1), a point per distinct score; None where a class is missing.

    Equal scores are one point, so that the trapezoids under the curve add up to ``area_under_roc``.
    """
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if n_positive == 0 or n_negative == 0:
        return None
    order = np.argsort(-score, kind="stable")
    last_of_equals = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true_positives = np.cumsum(is_positive[order])[last_of_equals]
    false_positives = last_of_equals + 1 - true_positives
    return (
        np.concatenate([[0.0], false_positives / n_negative]),
        np.concatenate([[0.0], true_positives / n_positive]),
    )


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images of like confidence: how sure the model was, and how often it was right."""

    confidence: float
    accuracy: float
    n_images: int


def reliability(confidence: Scores, is_right: Flags, n_bins: int = N_RELIABILITY_BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability curve in bins of equal numbers, from the least to the most confident; empty without images."""
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, n_bins) if len(part)]
    return tuple(
        ReliabilityBin(float(confidence[part].mean()), float(is_right[part].mean()), len(part)) for part in bins
    )


def expected_calibration_error(confidence: Scores, is_right: Flags, n_bins: int = N_RELIABILITY_BINS) -> float | None:
    """Mean gap between confidence and accuracy over the bins, weighted by their numbers, 0..1, lower is better.

    Naeini et al. 2015 (AAAI, 29), Guo et al. 2017 (arXiv:1706.04599, eq. 3), with equal-mass bins. None without images.
    """
    bins = reliability(confidence, is_right, n_bins)
    if not bins:
        return None
    gaps = [found.n_images * abs(found.accuracy - found.confidence) for found in bins]
    return sum(gaps) / len(confidence)


def brier_score(probabilities: Scores, truth: Classes) -> float | None:
    """Mean squared distance of the probabilities (n, k) from the true class, 0 (best) to 2 (Brier 1950).

    doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, eq. 2. A proper score: calibration and discrimination at once.
    """
    if not len(truth):
        return None
    wanted = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())
