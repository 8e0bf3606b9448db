"""Figures against values worked out by hand, and intervals that widen where subjects are few."""

import numpy as np
import pytest

from core.scoring.lanes.likeness import FEATURE_NAMES, distance
from core.training.calibrate import abstention_threshold, fit_likeness, fit_scaling
from core.training.figures import accuracy, area_under_roc, dice, quadratic_kappa
from core.training.resampling import bootstrap_by_subject


def test_dice_of_half_overlap_is_a_half_and_of_nothing_is_one():
    one, other = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert dice(one, other) == 0.5
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1


def test_quadratic_kappa_equals_the_value_worked_out_by_hand():
    # Observed disagreement 0.25 (one of four off by one), expected 1.25 from the margins: 1 - 0.25 / 1.25.
    truth, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])
    observed = np.mean((truth - predicted) ** 2)
    expected = np.mean((truth[:, None] - predicted[None, :]) ** 2)
    assert quadratic_kappa(predicted, truth) == pytest.approx(1 - observed / expected)
    assert quadratic_kappa(np.array([1, 1]), np.array([0, 1])) is None


def test_the_area_under_the_roc_counts_ties_by_half():
    score, positive = np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])
    assert area_under_roc(score, positive) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert area_under_roc(score, np.ones(4, bool)) is None


def test_an_interval_over_few_subjects_is_wider_than_over_many():
    values = np.tile([0.0, 1.0], 50)

    def mean(index):
        return float(values[index].mean())

    many = bootstrap_by_subject(mean, [str(index) for index in range(100)])
    few = bootstrap_by_subject(mean, [f"{index % 2} {index // 20}" for index in range(100)])
    assert few.high - few.low > 2 * (many.high - many.low)
    assert many.low < many.value < many.high


def test_a_figure_without_a_value_has_no_interval():
    assert bootstrap_by_subject(lambda _: None, ["a", "b"]) is None
    assert accuracy(np.array([], int), np.array([], int)) is None


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
