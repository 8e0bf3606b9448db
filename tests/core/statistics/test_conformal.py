"""Conformal risk control against hand-counted sets, the theorem's promise in simulation, and its refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from core.errors import UsageError
from core.statistics.conformal import (
    ACCEPT_ALL,
    SplitCheck,
    check_level,
    check_over_splits,
    risk_threshold,
    smallest_level,
    thresholds_without_each_group,
)


def scans(rng, n, *, ungradable_share=0.25, separation=2.5):
    """Scores and truth of ``n`` exchangeable scans, from a model that is neither perfect nor calibrated."""
    truth = rng.random(n) < ungradable_share
    return expit(rng.normal(np.where(truth, separation / 2, -separation / 2), 1.0)), truth


def test_the_threshold_is_the_score_of_the_first_loss_too_many():
    scores = np.linspace(0.005, 0.995, 199)
    is_lossy = np.isin(np.arange(199), (60, 90, 120, 150))
    # (n R + 1)/(n + 1) <= level with n + 1 = 200 allows 0, 1 and 3 losses at 0.5, 1 and 2 %
    for level, first_too_many in ((0.005, 60), (0.01, 90), (0.02, 150), (0.1, None)):
        expected = ACCEPT_ALL if first_too_many is None else scores[first_too_many]
        assert risk_threshold(scores, is_lossy, level) == expected


def test_at_the_threshold_the_bound_holds_and_just_above_it_does_not():
    rng = np.random.default_rng(8)
    scores, truth = scans(rng, 300)
    threshold = risk_threshold(scores, truth, 0.02)
    bound = ((scores < threshold) & truth).sum() + 1
    assert bound / 301 <= 0.02 < (((scores <= threshold) & truth).sum() + 1) / 301


def test_tied_scores_are_lost_together():
    scores = np.full(200, 0.3)
    truth = np.arange(200) < 5
    assert risk_threshold(scores, truth, 0.01) == 0.3  # accept strictly below: none of them
    assert risk_threshold(scores, truth, 0.05) == ACCEPT_ALL


def test_the_threshold_rises_with_the_level():
    scores, truth = scans(np.random.default_rng(5), 400)
    found = [risk_threshold(scores, truth, level) for level in (0.005, 0.01, 0.02, 0.05, 0.1)]
    assert found == sorted(found)
    assert len(set(found)) == 5


@pytest.mark.parametrize("level", [0.01, 0.03, 0.10])
def test_the_promise_holds_for_scans_of_known_truth(level):
    """Theorem 1: over draws of calibration set and new scan the risk is at most the level, and not far below it."""
    rng = np.random.default_rng(20)
    n, new_scores, new_truth = 200, *scans(rng, 200_000)
    risks = []
    for _ in range(400):
        threshold = risk_threshold(*scans(rng, n), level)
        risks.append(float(((new_scores < threshold) & new_truth).mean()))
    error = np.std(risks) / np.sqrt(len(risks))
    assert np.mean(risks) <= level + 3 * error
    assert np.mean(risks) >= level - 2 / (n + 1) - 3 * error  # proposition 1: tight up to 2B/(n+1)


def test_splits_by_group_keep_the_level_and_count_what_is_abstained():
    rng = np.random.default_rng(11)
    scores, truth = scans(rng, 300)
    doubled = np.r_[0:300, 0:60]  # near duplicates, which may not be parted
    check = check_over_splits(
        scores[doubled], truth[doubled], np.ones(360, bool), doubled.tolist(), level=0.03, n_splits=200
    )
    assert check.holds
    assert check.mean_risk > 0
    assert 0 < check.monte_carlo_error < 0.003
    assert 0 < check.mean_abstained < 1
    assert check.n_refused == 0


def test_scores_that_mislead_cost_abstentions_and_not_the_promise():
    rng = np.random.default_rng(3)
    truth = rng.random(400) < 0.2
    misleading = np.where(truth, 0.1, 0.4)
    check = check_over_splits(misleading, truth, np.ones(400, bool), range(400), level=0.05, n_splits=50)
    assert check.holds
    assert check.mean_abstained == 1.0


def test_a_mean_risk_well_above_the_level_does_not_hold():
    kept = SplitCheck(0.01, 200, 0.0108, 0.0005, 0.1, 0)
    assert kept.holds
    assert not replace(kept, mean_risk=0.0112).holds


def test_splits_too_small_for_the_level_accept_nothing_and_are_counted():
    scores, truth = scans(np.random.default_rng(1), 60)
    check = check_over_splits(scores, truth, np.ones(60, bool), range(60), level=0.01, n_splits=20)
    assert (check.n_refused, check.mean_risk, check.mean_abstained) == (20, 0.0, 1.0)


def test_no_scan_is_judged_by_a_threshold_that_it_chose():
    scores, truth = scans(np.random.default_rng(2), 250)
    groups = [index // 2 for index in range(250)]
    found = thresholds_without_each_group(scores, truth, groups, 0.02)
    for index in (0, 77, 249):
        others = np.array([group != groups[index] for group in groups])
        assert found[index] == risk_threshold(scores[others], truth[others], 0.02)
    assert found[0] == found[1]


def test_a_level_that_the_set_cannot_vouch_for_is_refused_with_what_to_do():
    assert smallest_level(199) == 0.005
    check_level(0.005, 199)
    with pytest.raises(UsageError, match=r"199 calibration scans vouch for 0.5 %.*499 scans or more"):
        check_level(0.002, 199)
    with pytest.raises(UsageError, match="no share"):
        check_level(1.0, 199)
    check_level(0.002, 499)


def test_a_round_level_costs_no_scan_by_binary_rounding():
    scores = np.linspace(0, 1, 99)
    truth = np.arange(99) >= 50
    assert 0.29 * 100 < 29
    assert risk_threshold(scores, truth, 0.29) == scores[50 + 28]
