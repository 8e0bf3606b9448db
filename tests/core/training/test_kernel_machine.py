"""The kernel machine: what it says of a left-out scan is what a machine fitted without that scan says."""

import numpy as np
import pytest

from core.training.balance import UNKNOWN
from core.training.kernel_machine import RIDGE, fit_machine

N_SCANS = 60


@pytest.fixture(scope="module")
def planted():
    """Three classes in order along the first of eight numbers."""
    rng = np.random.default_rng(8)
    statistics = rng.normal(size=(N_SCANS, 8))
    truth = (statistics[:, 0] > -0.4).astype(np.int64) + (statistics[:, 0] > 0.4)
    return statistics, truth


def test_the_planted_classes_are_found_in_scans_that_it_never_saw(planted):
    statistics, truth = planted
    machine, _ = fit_machine(statistics[:40], truth[:40, None], np.ones(40))
    said = np.array([machine.shares(row)[0].argmax() for row in statistics[40:]])
    assert (said == truth[40:]).mean() > 0.7


def test_what_is_said_of_a_left_out_scan_needs_no_second_fit(planted):
    """The closed form against a machine for which that scan is as good as absent: a millionth of its weight."""
    statistics, truth = planted
    _, left_out = fit_machine(statistics, truth[:, None], np.ones(N_SCANS))
    weight = np.ones(N_SCANS)
    weight[5] = 1e-6
    machine, _ = fit_machine(statistics, truth[:, None], weight)
    # Mean, balance and scaling know the scan a little less, too.
    np.testing.assert_allclose(machine.shares(statistics[5])[0], left_out[5, 0], atol=0.03)


def test_a_scan_like_none_gets_the_mean_and_no_certainty(planted):
    statistics, truth = planted
    machine, _ = fit_machine(statistics, truth[:, None], np.ones(N_SCANS))
    strange = np.array([40.0, -40.0] * 4)
    np.testing.assert_allclose(machine.shares(strange)[0], np.full(3, 1 / 3), atol=0.02)


def test_an_unknown_judgement_changes_nothing_and_gets_no_left_out_shares(planted):
    statistics, truth = planted
    partly = truth.copy()
    partly[40:] = UNKNOWN
    machine, left_out = fit_machine(statistics, np.stack([truth, partly], axis=1), np.ones(N_SCANS))
    assert not left_out[40:, 1].any()
    assert left_out[:, 0].any(axis=1).all()
    assert not machine.dual[40:, 1].any()


def test_light_scans_do_not_say_what_is_far_from_what(planted):
    """Simulated scans of little weight, far from the real ones: the scale stays that of the real ones."""
    statistics, truth = planted
    far = np.concatenate([statistics, statistics + 50])
    weight = np.concatenate([np.ones(N_SCANS), np.full(N_SCANS, 0.2)])
    unknown = np.concatenate([truth, np.full(N_SCANS, UNKNOWN)])
    alone, _ = fit_machine(statistics, truth[:, None], np.ones(N_SCANS))
    both, _ = fit_machine(far, unknown[:, None], weight)
    np.testing.assert_array_equal(both.mean, alone.mean)
    np.testing.assert_array_equal(both.spread, alone.spread)
    np.testing.assert_allclose(both.shares(statistics[3]), alone.shares(statistics[3]), atol=1e-6)


def test_one_class_alone_is_all_that_is_said(planted):
    statistics, _ = planted
    machine, _ = fit_machine(statistics, np.full((N_SCANS, 1), 2), np.ones(N_SCANS))
    np.testing.assert_allclose(machine.shares(statistics[0])[0], [0, 0, 1], atol=1e-6)


def test_known_scans_are_not_learned_by_heart(planted):
    statistics, truth = planted
    shuffled = np.random.default_rng(3).permutation(truth)
    _, left_out = fit_machine(statistics, shuffled[:, None], np.ones(N_SCANS))
    assert (left_out[:, 0].argmax(axis=1) == shuffled).mean() < 0.55
    assert RIDGE > 0
