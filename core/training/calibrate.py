"""Turns outputs into decisions: temperature, abstention, likeness; from the tuning part, never the held-out one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from core.phantom.strength import severity_of_share
from core.scoring.card import Likeness, OperatingPoint
from core.scoring.lanes.likeness import FEATURE_NAMES, distance
from core.statistics.agreement import quadratic_kappa
from core.training.predictions import CANDIDATE_THRESHOLDS, Prediction
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, Severity

ACCEPTED_ERROR = 0.10
"""Of the grades not abstained from, at most this share of the tuning part may differ from the readers' consensus;
the two readers differ from each other in 13 %."""

MOST_ABSTAINED = 0.25
"""Of the tuning part at most this share is abstained from: a model that always asks decides nothing."""

BIAS_PENALTY = 0.05
"""Keeps the biases small where few tuning images speak for them: a normal prior of about 0.7 with 24 images."""

KEPT_OCTA = 0.99
"""Share of OCTA images not trained on that the likeness must let pass."""

DISTANCE_MARGIN = 1.15
"""The greatest distance of some 100 images says little about the tail: room for images of another device."""


def operating_point(tuning: Sequence[Prediction], phantoms: Sequence[Prediction]) -> OperatingPoint:
    """The decisions' numbers, chosen on the tuning part's graded images and on phantoms of a stream of their own."""
    graded = [item for item in tuning if item.grade is not None]
    logits, truth = _graded_logits(graded)
    simulated = _graded_logits([item for item in phantoms if item.grade is not None])
    temperature, bias = fit_scaling([(logits, truth), simulated])
    return OperatingPoint(
        temperature=temperature,
        grade_bias=bias,
        min_confidence=abstention_threshold(softmax(logits / temperature + np.array(bias), axis=1), truth),
        min_octa_probability=0.5,
        artifact_thresholds={kind: artifact_threshold(kind, graded, phantoms) for kind in OCTA_ARTIFACTS},
        faz_threshold=0.5,
    )


def artifact_threshold(kind: ArtifactType, graded: Sequence[Prediction], phantoms: Sequence[Prediction]) -> float:
    """The candidate with the best sum of agreements: severity with the readers' (kappa), mask with phantoms' (Dice).

    Real images have no masks and phantoms are not real: each alone would be misleading.
    """
    judged = [item for item in graded if item.severities is not None]
    truth = np.array([(item.severities or {})[kind] for item in judged], np.int64)
    drawn = [item.artifact_dice[kind] for item in phantoms if kind in item.artifact_dice]
    gains = []
    for index in range(len(CANDIDATE_THRESHOLDS)):
        found = np.array([_severity(item.area_fractions[kind][index]) for item in judged], np.int64)
        overlap = float(np.mean([dice[index] for dice in drawn])) if drawn else 0.0
        gains.append((quadratic_kappa(found, truth) or 0.0) + overlap)
    return CANDIDATE_THRESHOLDS[int(np.argmax(gains))]


def _severity(share: float) -> int:
    return list(Severity).index(severity_of_share(float(share)))


Graded = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Grade logits (n, 3) and the true ordinals (n,)."""


def _graded_logits(predictions: Sequence[Prediction]) -> Graded:
    logits = np.array([item.grade_logits for item in predictions], np.float64).reshape(-1, len(CoipsGrade))
    return logits, np.array([int(item.grade or 0) for item in predictions], np.int64)


def fit_scaling(sets: Sequence[Graded]) -> tuple[float, tuple[float, float, float]]:
    """Temperature and a bias per grade with the least penalised negative log likelihood.

    Guo et al. 2017, arXiv:1706.04599: temperature and vector scaling; the biases are penalised and sum to nought. Each
    set (real scans, phantoms) counts alike, whatever its number: neither may be bought at the cost of the other.
    """
    present = [graded for graded in sets if len(graded[1])]

    def biases(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(values - values.mean(), np.float64)

    def loss(values: NDArray[np.float64]) -> float:
        likelihoods = []
        for logits, truth in present:
            log_probability = log_softmax(logits / np.exp(values[0]) + biases(values[1:]), axis=1)
            likelihoods.append(float(log_probability[np.arange(len(truth)), truth].mean()))
        return BIAS_PENALTY * float((biases(values[1:]) ** 2).sum()) - float(np.mean(likelihoods))

    bounds = [(np.log(0.3), np.log(5.0)), *[(-3.0, 3.0)] * len(CoipsGrade)]
    best = minimize(loss, np.zeros(1 + len(CoipsGrade)), method="L-BFGS-B", bounds=bounds).x
    first, second, third = (round(float(value), 4) for value in biases(best[1:]))
    return round(float(np.exp(best[0])), 4), (first, second, third)


def abstention_threshold(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The least confidence at which the grades kept are wrong in at most ACCEPTED_ERROR of the cases.

    Never so high that more than MOST_ABSTAINED would be abstained from.
    """
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != truth
    highest = float(np.quantile(confidence, MOST_ABSTAINED))
    for threshold in np.sort(confidence[confidence <= highest]):
        if wrong[confidence >= threshold].mean() <= ACCEPTED_ERROR:
            return round(float(threshold), 3)
    return round(highest, 3)


def fit_likeness(
    trained_on: NDArray[np.float64], tuning: NDArray[np.float64], names: tuple[str, ...] = FEATURE_NAMES
) -> Likeness:
    """A Gaussian around a lane's features (n, 14); the greatest distance from images not trained on (m, 14).

    ``names`` are those of the features, where they are others.
    """
    mean = trained_on.mean(axis=0)
    covariance = np.cov(trained_on, rowvar=False)
    # A little of the diagonal keeps features that hardly vary from deciding alone.
    covariance += np.diag(0.05 * np.diag(covariance) + 1e-6)
    likeness = Likeness(
        feature_names=names,
        mean=tuple(mean.tolist()),
        precision=tuple(tuple(row) for row in np.linalg.inv(covariance).tolist()),
        max_distance=float("inf"),
    )
    distances = np.array([distance(features, likeness) for features in tuning])
    limit = float(np.quantile(distances, KEPT_OCTA)) * DISTANCE_MARGIN
    return likeness.model_copy(update={"max_distance": round(limit, 3)})
