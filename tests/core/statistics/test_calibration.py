"""A calibrated model is found calibrated, a boastful one and a shifted one are not, and patients are the unit."""

import numpy as np
import pytest
from scipy.special import expit

from core.statistics.calibration import calibration
from core.values import NotComputable


def scans(rng, n_patients, each=3, *, slope=1.0, shift=0.0):
    """Probabilities of a model, outcomes whose true logit is ``slope`` times the model's plus ``shift``, patients."""
    logits = rng.normal(0, 1.5, n_patients * each)
    events = rng.random(len(logits)) < expit(slope * logits + shift)
    return expit(logits), events, list(np.repeat(np.arange(n_patients), each).astype(str))


def test_the_excess_is_worked_out_by_hand():
    # Ten patients of one scan each, 60 % predicted, four of ten happen: the residuals are 0.4 and -0.6.
    found = calibration(np.full(10, 0.6), np.arange(10) < 4, [str(number) for number in range(10)])
    assert (found.predicted, found.observed) == (pytest.approx(0.6), 0.4)
    assert found.excess.value == pytest.approx(-0.2)
    error = np.sqrt((4 * 0.6**2 + 6 * 0.4**2) / 9 / 10)
    assert found.excess.high - found.excess.value == pytest.approx(2.2622 * error, rel=1e-4)


def test_a_calibrated_model_has_no_excess_and_a_slope_of_one():
    found = calibration(*scans(np.random.default_rng(0), 2000))
    assert found.excess.value == pytest.approx(0, abs=0.02)
    assert found.slope.value == pytest.approx(1, abs=0.08)


def test_a_boastful_model_has_a_slope_below_one_and_a_shifted_one_an_excess():
    assert calibration(*scans(np.random.default_rng(1), 400, slope=0.5)).slope.high < 0.75
    assert calibration(*scans(np.random.default_rng(1), 400, shift=0.8)).excess.low > 0.05


def test_intervals_cover_the_truth_although_scans_of_a_patient_are_alike():
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(200):
        probability, events, patients = scans(rng, 60, 4)
        # Every scan is sent twice: naive intervals would be too narrow by the root of two.
        found = calibration(np.repeat(probability, 2), np.repeat(events, 2), list(np.repeat(patients, 2)))
        hits.append((found.excess.low <= 0 <= found.excess.high, found.slope.low <= 1 <= found.slope.high))
    assert np.mean(hits, axis=0) == pytest.approx(0.95, abs=0.045)


def test_what_cannot_be_said_says_why():
    nobody = calibration(np.array([]), np.array([], bool), [])
    assert nobody == NotComputable("nothing counted yet")
    few = calibration(np.array([0.5, 0.6]), np.array([True, False]), ["a", "a"])
    assert isinstance(few.excess, NotComputable)
    assert isinstance(few.slope, NotComputable)
    patients = [str(number) for number in range(40)]
    events = np.arange(40) < 20
    constant = calibration(np.full(40, 0.5), events, patients)
    assert constant.slope == NotComputable("the model gives every scan the same probability")
    perfect = calibration(np.where(events, 0.9, 0.1), events, patients)
    assert "without exception" in perfect.slope.reason
    certain = calibration(np.where(np.arange(40) < 25, 1.0, 0.0), events, patients)
    assert isinstance(certain.excess.value, float)
