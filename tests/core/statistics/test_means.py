"""Means over patients, differences of means and of repeats: exact where an answer is known, calibrated by simulation."""

import numpy as np
import pytest
from numpy.typing import NDArray

from core.statistics.means import (
    FARTHEST_ROBUST_Z,
    PairedDifferences,
    clustered_difference,
    clustered_mean,
    paired_differences,
    robust_z,
)
from core.statistics.resampling import Interval
from core.values import NotComputable

N_SIMULATED = 600
MARGIN = 0.03
"""Three standard errors of a coverage of 0.95 over so many simulations."""


def patients(n: int, each: int = 1) -> list[str]:
    return [f"P{number}" for number in range(n) for _ in range(each)]


def clustered(rng: np.random.Generator, n: int, each: int, between: float, within: float) -> NDArray[np.float64]:
    """``each`` measurements of ``n`` patients around 0."""
    return (rng.normal(0, between, (n, 1)) + rng.normal(0, within, (n, each))).ravel()


def test_the_mean_of_single_scans_has_the_interval_of_student():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = clustered_mean(values, patients(4))
    assert isinstance(found, Interval)
    assert found.value == 2.5
    assert found.high - found.value == pytest.approx(3.182446 * np.std(values, ddof=1) / 2, rel=1e-6)


def test_repeats_of_a_patient_add_no_certainty():
    once = clustered_mean(np.array([1.0, 2.0, 3.0]), patients(3))
    thrice = clustered_mean(np.repeat([1.0, 2.0, 3.0], 3), patients(3, 3))
    assert isinstance(once, Interval)
    assert isinstance(thrice, Interval)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def test_intervals_of_means_and_differences_hold_what_they_promise():
    rng = np.random.default_rng(5)
    hits = {"mean": 0, "difference": 0}
    names, is_first = patients(40, 4), np.repeat([True, False], 80)
    for _ in range(N_SIMULATED):
        values = clustered(rng, 40, 4, 1.0, 0.5)
        mean, difference = clustered_mean(values, names), clustered_difference(values, is_first, names)
        assert isinstance(mean, Interval)
        assert isinstance(difference, Interval)
        hits["mean"] += mean.low <= 0 <= mean.high
        hits["difference"] += difference.low <= 0 <= difference.high
    assert all(abs(n / N_SIMULATED - 0.95) < MARGIN for n in hits.values()), hits


def test_a_difference_within_patients_is_sharper_than_one_between_them():
    rng = np.random.default_rng(6)
    values, names = clustered(rng, 40, 2, 1.0, 0.1), patients(40, 2)
    within = clustered_difference(values, np.tile([True, False], 40), names)
    between = clustered_difference(values, np.repeat([True, False], 40), names)
    assert isinstance(within, Interval)
    assert isinstance(between, Interval)
    assert within.high - within.low < 0.3 * (between.high - between.low)


def test_a_handful_of_patients_is_not_compared():
    values = np.arange(20.0)
    is_first = np.arange(20) < 4
    assert clustered_difference(values, is_first, patients(20)) == NotComputable("fewer than 5 patients on one side")
    assert clustered_mean(values[:2], patients(2)) == NotComputable("fewer than 3 patients")


def test_repeatability_is_two_point_seven_seven_within_subject_deviations():
    rng = np.random.default_rng(7)
    within_sd = 0.01
    pairs = rng.normal(0, within_sd, (4000, 2))
    found = paired_differences(pairs[:, 0] - pairs[:, 1], patients(4000))
    assert isinstance(found, PairedDifferences)
    assert isinstance(found.repeatability, Interval)
    assert found.repeatability.value == pytest.approx(2.77 * within_sd, rel=0.04)
    assert isinstance(found.bias, Interval)
    assert abs(found.bias.value) < 0.001


def test_the_interval_of_repeatability_holds_what_it_promises():
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(N_SIMULATED // 2):
        found = paired_differences(rng.normal(0, 1.0, 80), patients(40, 2))
        assert isinstance(found, PairedDifferences)
        assert isinstance(found.repeatability, Interval)
        hits += found.repeatability.low <= 1.96 <= found.repeatability.high
    assert abs(hits / (N_SIMULATED // 2) - 0.95) < 2 * MARGIN, hits


def test_without_pairs_there_is_no_repeatability():
    assert paired_differences(np.array([]), []) == NotComputable("no two measurements to compare")


def test_an_outlier_is_seen_and_moves_nobody_else():
    values = np.exp(np.random.default_rng(9).normal(-1.4, 0.3, 200))
    without = robust_z(values)
    planted = robust_z(np.append(values, 40 * values.max()))
    assert isinstance(without, np.ndarray)
    assert isinstance(planted, np.ndarray)
    assert planted[-1] > FARTHEST_ROBUST_Z
    assert np.abs(planted[:-1] - without).max() < 0.1
    assert (np.abs(without) > FARTHEST_ROBUST_Z).mean() < 0.01


def test_equal_or_few_values_have_no_outliers():
    assert isinstance(robust_z(np.ones(12)), NotComputable)
    assert isinstance(robust_z(np.arange(1.0, 10.0)), NotComputable)
