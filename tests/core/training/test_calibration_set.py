"""The calibration block of a card from out-of-fold probabilities, and its promise over splits by group."""

import numpy as np
import pytest
from calibrations import make_calibration

from core.training.calibration_set import calibration_set, check_promise

ABOUT = {"labels": "Readers.", "method": "Folds.", "sources": ("A",)}


def test_each_scan_keeps_its_probability_grade_truth_and_group():
    block = calibration_set(np.array([[0.7, 0.2, 0.1], [0.05, 0.15, 0.8]]), [1, 2], ["a", "b"], **ABOUT)
    first, second = block.scans
    assert (first.p_ungradable, first.ordinal, first.is_ungradable, first.group) == (0.7, 0, False, "a")
    assert (second.p_ungradable, second.ordinal, second.is_ungradable, second.group) == (0.05, 2, False, "b")
    assert calibration_set(np.array([[0.7, 0.2, 0.1]]), [0], ["a"], **ABOUT).scans[0].is_ungradable


def test_a_scan_without_truth_is_refused():
    with pytest.raises(ValueError, match="2 probabilities, 1 grades, 2 groups"):
        calibration_set(np.full((2, 3), 1 / 3), [0], ["a", "b"], **ABOUT)


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_the_promise_holds_over_two_hundred_splits_by_group(level):
    check = check_promise(make_calibration(300), level)
    assert (check.n_splits, check.n_refused) == (200, 0)
    assert check.holds
    assert check.mean_risk > 0


def test_a_block_survives_the_way_through_a_card():
    block = make_calibration(30)
    assert type(block).model_validate_json(block.model_dump_json()) == block
