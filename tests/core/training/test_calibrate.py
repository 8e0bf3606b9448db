"""What the operating point is made of: temperature, biases, abstention, likeness."""

import numpy as np
import pytest

from core.scoring.lanes.likeness import FEATURE_NAMES, distance
from core.training.calibrate import abstention_threshold, fit_likeness, fit_scaling


def test_the_temperature_cools_an_overconfident_model():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    logits = np.eye(3)[np.where(rng.random(600) < 0.3, rng.integers(0, 3, 600), truth)] * 8
    temperature, bias = fit_scaling([(logits, truth)])
    assert temperature > 2
    assert np.abs(bias).max() < 0.3


def test_the_bias_follows_grades_that_come_oftener_than_they_were_drawn():
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 400, p=[0.1, 0.7, 0.2])
    logits = np.eye(3)[truth] * 1.5 + rng.normal(0, 1, (400, 3))
    _, bias = fit_scaling([(logits, truth)])
    assert bias[1] == max(bias)
    assert bias[0] == min(bias)
    assert sum(bias) == pytest.approx(0, abs=1e-3)


def test_abstention_keeps_the_error_below_what_is_accepted():
    confidence = np.linspace(0.4, 0.99, 60)
    probabilities = np.stack([confidence, 1 - confidence, np.zeros(60)], axis=1)
    truth = np.where(confidence < 0.55, 2, 0)
    threshold = abstention_threshold(probabilities, truth)
    kept = confidence >= threshold
    assert (truth[kept] != 0).mean() <= 0.1
    assert threshold > 0.5
    hopeless = abstention_threshold(probabilities, np.full(60, 2))
    assert (probabilities.max(axis=1) < hopeless).mean() <= 0.25


def test_likeness_lets_its_own_kind_pass_and_refuses_what_is_far():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, len(FEATURE_NAMES)))
    likeness = fit_likeness(features[:300], features[300:])
    assert np.mean([distance(row, likeness) <= likeness.max_distance for row in features]) > 0.98
    assert distance(np.full(len(FEATURE_NAMES), 6.0), likeness) > likeness.max_distance
