"""Turns outputs into decisions: temperature, abstention, likeness; from the tuning part, never the held-out one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from core.phantom.strength import severity_of_share
from core.scoring.card import Likeness, OperatingPoint
from core.scoring.lanes.likeness import FEATURE_NAMES, distance
from core.training.figures import quadratic_kappa
from core.training.predictions import CANDIDATE_THRESHOLDS, Prediction
from core.vocabulary import ArtifactType, Severity

ACCEPTED_ERROR = 0.10
"""Of the grades not abstained from, at most this share of the tuning part may differ from the readers' consensus;
the two readers differ from each other in 13 %."""

CONFIDENCE_RANGE = (0.45, 0.75)
"""The abstention threshold stays in here: with few tuning images an extreme value is chance."""

KEPT_OCTA = 0.99
"""Share of OCTA images not trained on that the likeness must let pass."""

DISTANCE_MARGIN = 1.15
"""The greatest distance of some 100 images says little about the tail: room for images of another device."""


def operating_point(tuning: Sequence[Prediction], phantoms: Sequence[Prediction]) -> OperatingPoint:
    """The decisions' numbers, chosen on the tuning part's graded images and on phantoms of a stream of their own."""
    graded = [item for item in tuning if item.grade is not None]
    logits = np.stack([item.grade_logits for item in graded])
    truth = np.array([int(item.grade) for item in graded if item.grade is not None])
    temperature = fit_temperature(logits, truth)
    return OperatingPoint(
        temperature=temperature,
        min_confidence=abstention_threshold(softmax(logits / temperature, axis=1), truth),
        min_octa_probability=0.5,
        artifact_thresholds={kind: artifact_threshold(kind, graded, phantoms) for kind in ArtifactType},
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


def fit_temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature with the least negative log likelihood of logits (n, 3) (Guo et al. 2017, arXiv:1706.04599)."""

    def loss(log_temperature: float) -> float:
        log_probability = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(log_probability[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.3), np.log(5.0)), method="bounded").x))


def abstention_threshold(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The least confidence at which the grades kept are wrong in at most ACCEPTED_ERROR of the cases."""
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != truth
    for threshold in np.arange(*CONFIDENCE_RANGE, 0.01):
        kept = confidence >= threshold
        if kept.any() and wrong[kept].mean() <= ACCEPTED_ERROR:
            return round(float(threshold), 2)
    return CONFIDENCE_RANGE[1]


def fit_likeness(trained_on: NDArray[np.float64], tuning: NDArray[np.float64]) -> Likeness:
    """A Gaussian around OCTA images' features (n, 14); the greatest distance from images not trained on (m, 14)."""
    mean = trained_on.mean(axis=0)
    covariance = np.cov(trained_on, rowvar=False)
    # A little of the diagonal keeps features that hardly vary from deciding alone.
    covariance += np.diag(0.05 * np.diag(covariance) + 1e-6)
    likeness = Likeness(
        feature_names=FEATURE_NAMES,
        mean=tuple(mean.tolist()),
        precision=tuple(tuple(row) for row in np.linalg.inv(covariance).tolist()),
        max_distance=float("inf"),
    )
    distances = np.array([distance(features, likeness) for features in tuning])
    limit = float(np.quantile(distances, KEPT_OCTA)) * DISTANCE_MARGIN
    return likeness.model_copy(update={"max_distance": round(limit, 3)})
