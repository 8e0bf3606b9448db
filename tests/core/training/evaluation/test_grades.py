"""Grade figures from plain arrays: known truth, sources apart, readers beside, wherever the predictions come from."""

from dataclasses import replace

import numpy as np
import pytest

from core.statistics import resampling
from core.training.evaluation.grades import GradedImages, grade_curves, grade_figures


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "N_RESAMPLES", 60)


def graded(truth, predicted, sources=None, **optional):
    truth = np.array(truth)
    probabilities = np.full((len(truth), 3), 0.1)
    probabilities[np.arange(len(truth)), predicted] = 0.8
    names = tuple(f"g{index}" for index in range(len(truth)))
    return GradedImages(truth, probabilities, names, tuple(sources or ["one"] * len(truth)), **optional)


def figure(metrics, name, label):
    return next(metric for metric in metrics if (metric.name, metric.set) == (name, label))


TRUTH, SAID = [0, 0, 1, 1, 2, 2, 2, 2] * 3, [0, 1, 1, 1, 2, 2, 2, 1] * 3


def test_every_figure_is_the_one_worked_out_by_hand():
    metrics = grade_figures(graded(TRUTH, SAID), "scans", "held-out")
    label = "scans, held-out"
    assert figure(metrics, "grade accuracy", label).value == 0.75
    assert figure(metrics, "ungradable: recall", label).value == 0.5
    assert figure(metrics, "gradable: precision", label).value == 0.5
    assert figure(metrics, "outstanding: F1", label).value == pytest.approx(6 / 7, abs=1e-4)
    assert figure(metrics, "grade recall, macro", label).value == 0.75
    # Half the ungradable ones have the lowest gradable score, the other half ties with 18 gradable ones.
    assert figure(metrics, "gradable AUC", label).value == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    # Confidence is 0.8 everywhere; each of the five bins is right to another degree.
    assert figure(metrics, "grade Brier score", label).value == pytest.approx(0.06 * 0.75 + 1.46 * 0.25, abs=1e-3)


def test_a_perfect_grade_has_kappa_and_areas_of_one_and_no_certainty_of_its_accuracy():
    metrics = grade_figures(graded(TRUTH, TRUTH), "scans", "held-out")
    assert figure(metrics, "grade quadratic kappa", "scans, held-out").value == 1
    assert figure(metrics, "grade AUC, macro", "scans, held-out").value == 1
    assert figure(metrics, "grade accuracy", "scans, held-out").low < 0.9


def test_a_model_that_knows_only_the_source_looks_good_overall_and_worthless_within():
    sources = ["clean"] * 12 + ["poor"] * 12
    truth = [2] * 12 + [0, 0, 1] * 4
    metrics = grade_figures(graded(truth, [2] * 12 + [0] * 12, sources), "scans", "held-out")
    assert figure(metrics, "gradable AUC", "scans, held-out").value == pytest.approx(0.875)
    assert figure(metrics, "gradable AUC", "scans poor, held-out").value == 0.5
    assert not [m for m in metrics if m.set == "scans clean, held-out" and "kappa" in m.name]


def test_the_readers_stand_beside_the_model():
    first, second = np.array(TRUTH), np.array(SAID)
    metrics = grade_figures(graded(TRUTH, SAID, reader_a=first, reader_b=second), "scans", "held-out")
    assert figure(metrics, "readers: exact agreement", "scans, held-out").value == 0.75
    own = figure(metrics, "grade quadratic kappa", "scans, held-out").value
    assert figure(metrics, "readers: quadratic kappa", "scans, held-out").value == own
    assert figure(metrics, "model and reader b: quadratic kappa", "scans, held-out").value == 1


def test_what_was_left_to_a_person_is_counted_and_the_rest_judged():
    abstained = np.array(TRUTH) != np.array(SAID)
    metrics = grade_figures(graded(TRUTH, SAID, abstained=abstained), "scans", "held-out")
    assert figure(metrics, "abstained share", "scans, held-out").value == 0.25
    kept = figure(metrics, "grade accuracy where not abstained", "scans, held-out")
    assert (kept.value, kept.n_images) == (1.0, 18)


def test_the_curves_hold_the_counts_and_end_in_the_corners():
    sources = ["a", "b"] * 12
    curves = grade_curves(graded(TRUTH, SAID, sources, reader_a=np.array(TRUTH), reader_b=np.array(SAID)), "s", "p")
    assert [curve.set for curve in curves] == ["s, p", "s a, p", "s b, p"]
    assert curves[0].confusion == ((3, 3, 0), (0, 6, 0), (0, 3, 9))
    assert curves[0].readers_confusion == curves[0].confusion
    assert (curves[0].roc["ungradable"][0], curves[0].roc["ungradable"][-1]) == ((0, 0), (1, 1))
    assert sum(bin_[2] for bin_ in curves[0].reliability) == 24


def test_fewer_than_five_images_have_no_figures():
    assert grade_figures(graded([0, 1, 2], [0, 1, 2]), "scans", "held-out") == []


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="one length"):
        GradedImages(np.array([0, 1]), np.ones((2, 3)) / 3, ("a",), ("s", "s"))


def test_a_grade_that_is_not_the_likeliest_one_is_judged_as_decided():
    images = graded(TRUTH, SAID)
    decided = replace(images, decided=np.array(TRUTH))
    accuracy = {m.name: m.value for m in grade_figures(decided, "scans", "held-out")}["grade accuracy"]
    assert accuracy == 1
    assert {m.name: m.value for m in grade_figures(images, "scans", "held-out")}["grade accuracy"] < 1
