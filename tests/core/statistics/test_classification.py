"""Figures of classes against hand-made tables and against scikit-learn, which measures the same things."""

import numpy as np
import pytest
from sklearn import metrics

from core.statistics.classification import (
    accuracy,
    area_under_roc,
    brier_score,
    class_figures,
    confusion_matrix,
    expected_calibration_error,
    macro_figures,
    reliability,
    roc_curve,
)


@pytest.fixture
def sample():
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 80)
    probabilities = rng.dirichlet([1, 1, 1], 80).round(2) + 0.3 * np.eye(3)[truth]
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_the_confusion_matrix_has_the_truth_in_rows():
    confusion = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert confusion.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert accuracy(confusion) == 0.5
    first = class_figures(confusion, 0)
    assert (first.precision, first.recall, first.f1) == (0.5, 0.5, 0.5)
    last = class_figures(confusion, 2)
    assert (last.precision, last.recall, last.f1) == (None, 0.0, 0.0)


def test_nothing_has_no_figures():
    nothing = np.zeros((3, 3), np.int64)
    assert accuracy(nothing) is None
    assert macro_figures(nothing).f1 is None
    assert expected_calibration_error(np.array([]), np.array([], bool)) is None
    assert brier_score(np.zeros((0, 3)), np.array([], int)) is None


def test_all_figures_of_classes_are_those_of_scikit_learn(sample):
    truth, probabilities = sample
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, predicted, 3)
    assert np.array_equal(confusion, metrics.confusion_matrix(truth, predicted))
    assert accuracy(confusion) == pytest.approx(metrics.accuracy_score(truth, predicted))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted)
    for index in range(3):
        found = class_figures(confusion, index)
        assert (found.precision, found.recall, found.f1) == pytest.approx((precision[index], recall[index], f1[index]))
    macro = macro_figures(confusion)
    wanted = metrics.precision_recall_fscore_support(truth, predicted, average="macro")[:3]
    assert (macro.precision, macro.recall, macro.f1) == pytest.approx(wanted)


def test_the_macro_mean_is_over_the_classes_that_are_there_and_a_class_never_found_counts_nought():
    # Truth holds classes 0 and 1 only; class 1 is never predicted.
    macro = macro_figures(confusion_matrix(np.array([0, 0, 1]), np.array([0, 0, 2]), 3))
    assert (macro.precision, macro.recall, macro.f1) == (0.5, 0.5, 0.5)


def test_the_area_under_the_roc_counts_ties_by_half():
    score, positive = np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])
    assert area_under_roc(score, positive) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert area_under_roc(score, np.ones(4, bool)) is None
    assert roc_curve(score, np.ones(4, bool)) is None


def test_the_roc_is_that_of_scikit_learn_and_encloses_its_area(sample):
    truth, probabilities = sample
    for index in range(3):
        score, positive = probabilities[:, index].round(1), truth == index
        false_rate, true_rate = roc_curve(score, positive)
        wanted = metrics.roc_curve(positive, score, drop_intermediate=False)
        assert np.allclose(false_rate, wanted[0])
        assert np.allclose(true_rate, wanted[1])
        area = area_under_roc(score, positive)
        assert area == pytest.approx(metrics.roc_auc_score(positive, score))
        assert area == pytest.approx(np.trapezoid(true_rate, false_rate))


def test_the_calibration_error_is_the_mean_gap():
    # Two bins of two: confidences 0.6 with one right of two, 0.9 with both right: (0.1 + 0.1) / 2.
    confidence, right = np.array([0.9, 0.6, 0.9, 0.6]), np.array([True, True, True, False])
    bins = reliability(confidence, right, n_bins=2)
    assert [(found.confidence, found.accuracy, found.n_images) for found in bins] == [(0.6, 0.5, 2), (0.9, 1.0, 2)]
    assert expected_calibration_error(confidence, right, n_bins=2) == pytest.approx(0.1)


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_a_large_one():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 1, 5000)
    right = rng.random(5000) < confidence
    assert expected_calibration_error(confidence, right) < 0.02
    assert expected_calibration_error(np.sqrt(confidence), right) > 0.1


def test_the_brier_score_is_nought_for_a_sure_and_right_and_two_for_a_sure_and_wrong_model():
    sure = np.array([[1.0, 0.0, 0.0]])
    assert brier_score(sure, np.array([0])) == 0
    assert brier_score(sure, np.array([1])) == 2
    assert brier_score(np.full((1, 3), 1 / 3), np.array([1])) == pytest.approx(2 / 3)
