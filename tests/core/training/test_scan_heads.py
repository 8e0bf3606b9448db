"""The scan heads: they recover what was planted, folds keep near duplicates together, arrays say what the trees say."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from core.scoring.lanes.scan_heads import at_least, ordinal_of_shares
from core.scoring.lanes.scan_statistics import statistic_names
from core.training import scan_heads
from core.training.balance import UNKNOWN
from core.training.scan_heads import (
    HeadData,
    cross_validate,
    fit_grade_scaling,
    fit_heads,
    folds_of,
    severity_ordinals,
)
from core.vocabulary import OCTA_ARTIFACTS, Severity

N_SCANS = 200


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_heads, "N_TREES", 40)
        yield


@pytest.fixture(scope="module")
def planted():
    """Scans whose grade and severities follow from eight traits, said in many noisy ways by the statistics."""
    rng = np.random.default_rng(3)
    traits = rng.normal(size=(N_SCANS, 8))
    n_statistics = len(statistic_names())
    statistics = traits[:, np.arange(n_statistics) % 8] + 0.3 * rng.normal(size=(N_SCANS, n_statistics))
    grade = (traits[:, 5] > -0.5).astype(int) + (traits[:, 5] > 0.7)
    severities = (traits[:, :4] > -0.3).astype(int) + (traits[:, :4] > 0.8)
    groups = [f"group {index // 2}" for index in range(N_SCANS)]
    return HeadData(statistics, grade, severities, np.ones(N_SCANS)), groups


@pytest.fixture(scope="module")
def found(planted):
    data, groups = planted
    return cross_validate(data, groups, [str(grade) for grade in data.grade])


def chance(truth):
    return max(np.mean(truth == ordinal) for ordinal in range(3))


def test_left_out_scans_get_the_planted_grades_and_severities(planted, found):
    data, _ = planted
    assert (ordinal_of_shares(found.grade) == data.grade).mean() > chance(data.grade) + 0.25
    for number in range(len(OCTA_ARTIFACTS)):
        truth = data.severities[:, number]
        assert (found.severities[:, number] == truth).mean() > chance(truth) + 0.25


def test_near_duplicates_share_a_fold(planted, found):
    _, groups = planted
    assert set(found.fold) == set(range(5))
    for group in set(groups):
        assert len({int(number) for number, name in zip(found.fold, groups, strict=True) if name == group}) == 1


def test_a_grade_rarer_than_there_are_folds_is_dealt_without_a_word(planted):
    data, _ = planted
    strata = ["rare"] * 2 + ["usual"] * (N_SCANS - 2)
    groups = [str(place) for place in range(N_SCANS)]
    left_out = [part for _, part in folds_of(data, groups, strata, seed=1)]
    assert sorted(place for part in left_out for place in part) == list(range(N_SCANS))
    assert sum(bool({0, 1} & set(part.tolist())) for part in left_out) == 2


def test_labels_of_pure_noise_are_not_learned(planted):
    data, groups = planted
    shuffled = np.random.default_rng(9).permutation(data.grade)
    noise = HeadData(data.statistics, shuffled, data.severities, data.weight)
    shares = cross_validate(noise, groups, [str(grade) for grade in shuffled]).grade
    assert (ordinal_of_shares(shares) == shuffled).mean() < chance(shuffled) + 0.1


def test_the_arrays_say_what_the_trees_say(planted):
    data, _ = planted
    heads = fit_heads(data, seed=4)
    trees = ExtraTreesClassifier(
        scan_heads.N_TREES,
        min_samples_leaf=scan_heads.MIN_LEAF,
        max_features=scan_heads.FEATURE_SHARE,
        class_weight="balanced",
        random_state=4,
    ).fit(data.statistics.astype(np.float32), data.grade)
    expected = trees.predict_proba(data.statistics[:20].astype(np.float32))
    shares = np.stack([heads.grade.shares(row) for row in data.statistics[:20]])
    np.testing.assert_allclose(shares, expected, atol=1e-6)


def test_the_severities_arrays_say_what_the_trees_say(planted):
    data, _ = planted
    heads = fit_heads(data, seed=4)
    truth = data.severities[:, 0]
    trees = ExtraTreesRegressor(
        scan_heads.N_TREES,
        min_samples_leaf=scan_heads.MIN_LEAF,
        max_features=scan_heads.FEATURE_SHARE,
        bootstrap=True,
        random_state=4,
    ).fit(data.statistics.astype(np.float32), np.stack([truth >= 1, truth >= 2], axis=1), sample_weight=data.weight)
    expected = trees.predict(data.statistics[:20].astype(np.float32))
    forest = heads.severities[next(iter(OCTA_ARTIFACTS))]
    shares = np.stack([forest.shares(row) for row in data.statistics[:20]])
    np.testing.assert_allclose(at_least(shares), expected, atol=1e-6)


def test_the_cuts_follow_readers_who_call_little_severe(planted):
    """The same traits, but whatever is above none is called severe by most: the cuts come down."""
    data, _ = planted
    strict = np.where(data.severities == 1, 2, data.severities)
    lenient, severe = fit_heads(data, seed=2), fit_heads(replace(data, severities=strict), seed=2)
    assert all(severe.cuts[kind][1] <= lenient.cuts[kind][1] for kind in OCTA_ARTIFACTS)


def test_scans_whose_label_is_not_known_have_no_say_in_it(planted):
    data, _ = planted
    unknown = HeadData(data.statistics + 50, np.full(N_SCANS, UNKNOWN), np.full((N_SCANS, 4), UNKNOWN), data.weight)
    alone, both = fit_heads(data, seed=1), fit_heads(data.joined(unknown), seed=1)
    np.testing.assert_array_equal(alone.grade.threshold, both.grade.threshold)


def test_scans_of_little_weight_hardly_change_what_is_said(planted):
    data, _ = planted
    contrary = HeadData(data.statistics, 2 - data.grade, data.severities, np.full(N_SCANS, 0.05))
    heads = fit_heads(data.joined(contrary), seed=1)
    said = ordinal_of_shares(np.stack([heads.grade.shares(row) for row in data.statistics]))
    assert (said == data.grade).mean() > 0.9


def test_one_class_alone_is_all_that_is_ever_said(planted):
    data, _ = planted
    same = HeadData(data.statistics, np.full(N_SCANS, 1), data.severities, data.weight)
    np.testing.assert_array_equal(fit_heads(same).grade.shares(data.statistics[0]), [0, 1, 0])
    severe = replace(data, severities=np.full((N_SCANS, 4), 2))
    assert set(fit_heads(severe).shares(data.statistics[0]).severities.values()) == {Severity.SEVERE}


def test_scaled_probabilities_are_calibrated_where_the_shares_are_not(planted):
    """Shares of a forest that took rare grades for frequent ones say ungradable too often; scaling mends that."""
    rng = np.random.default_rng(6)
    truth = rng.choice(3, size=3000, p=[0.1, 0.5, 0.4])
    lean = rng.normal(truth, 0.8)
    weights = np.exp(-0.5 * ((lean[:, None] - np.arange(3)) / 0.8) ** 2)  # as if every grade were equally frequent
    shares = weights / weights.sum(axis=1, keepdims=True)
    before, after = shares[:, 0], fit_grade_scaling(shares, truth).probabilities(shares)[:, 0]
    is_ungradable = (truth == 0).mean()
    assert abs(after.mean() - is_ungradable) < 0.02 < before.mean() - is_ungradable
    suspected = after > 0.3
    assert truth[suspected].tolist().count(0) / suspected.sum() == pytest.approx(after[suspected].mean(), abs=0.06)


def test_areas_become_the_severities_of_the_contract():
    assert severity_ordinals(np.array([[0.0, 0.009, 0.02, 0.11], [0.0999, 1.0, 0.5, 0.0]])).tolist() == [
        [0, 0, 1, 2],
        [1, 2, 2, 0],
    ]
