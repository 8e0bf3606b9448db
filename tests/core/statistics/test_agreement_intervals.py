"""Agreement with intervals: published values, the plain bootstrap, exact coverage, and nothing out of nothing."""

import numpy as np
import pytest

from core.statistics.agreement import gwet_ac1, intraclass_correlation, quadratic_kappa
from core.statistics.agreement_intervals import (
    CONSTANT_RATER,
    RARELY_DEFINED,
    agreement,
    bland_altman,
    intraclass_intervals,
)
from core.statistics.resampling import bootstrap_by_subject
from core.values import NotComputable

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
)


def rated(rng, n_patients=40, scans_each=4, slip=0.2):
    patients = np.repeat([f"P{number:03d}" for number in range(n_patients)], scans_each)
    first = np.repeat(rng.integers(0, 3, n_patients), scans_each)
    second = np.where(rng.random(len(first)) < slip, rng.integers(0, 3, len(first)), first)
    return first, second, patients


def test_ac1_is_worked_out_by_hand():
    # 118 of 125 agree; the first rater says yes 120 times, the second 121: the paradox of kappa.
    first = np.repeat([1, 1, 0, 0], [118, 2, 3, 2])
    second = np.repeat([1, 0, 1, 0], [118, 2, 3, 2])
    share = (120 + 121) / 250
    chance = 2 * share * (1 - share)
    assert gwet_ac1(first, second, 2) == pytest.approx((120 / 125 - chance) / (1 - chance))
    assert gwet_ac1(first, second, 2) > 0.95
    assert quadratic_kappa(first, second, 2) < 0.5


def test_ac1_of_all_equal_ratings_is_one_and_of_none_is_none():
    assert gwet_ac1(np.array([1, 1]), np.array([1, 1])) == 1.0
    assert gwet_ac1(np.array([], int), np.array([], int)) is None


def test_figures_are_those_of_the_plain_functions_and_of_the_plain_bootstrap():
    first, second, patients = rated(np.random.default_rng(0))
    found = agreement(first, second, list(patients))
    plain = bootstrap_by_subject(lambda index: quadratic_kappa(first[index], second[index]), list(patients))
    assert found.kappa.value == quadratic_kappa(first, second)
    assert found.ac1.value == gwet_ac1(first, second)
    assert (found.kappa.low, found.kappa.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert found.percent.value == (first == second).mean()
    assert (found.confusion.sum(), found.n_scans, found.n_patients) == (160, 160, 40)


def test_scans_of_one_patient_are_not_counted_as_many():
    rng = np.random.default_rng(1)
    first, second, patients = rated(rng, 30, 1)
    once = agreement(first, second, list(patients))
    tenfold = agreement(np.repeat(first, 10), np.repeat(second, 10), list(np.repeat(patients, 10)))
    assert (tenfold.kappa.low, tenfold.kappa.high) == pytest.approx((once.kappa.low, once.kappa.high))


def test_without_a_single_disagreement_the_lower_bounds_are_those_of_the_number_of_patients():
    classes = np.array([0, 1, 2] * 4)
    found = agreement(classes, classes, [str(number) for number in range(12)])
    assert found.percent.low == pytest.approx(0.025 ** (1 / 12))
    assert found.percent.low < found.kappa.low < 1
    assert found.ac1.low < 1
    assert found.ac1.value == found.kappa.value == found.ac1.high == 1


def test_a_rater_who_never_varies_has_no_kappa_and_still_an_ac1():
    found = agreement(np.ones(20, int), np.array([1] * 19 + [2]), [str(number) for number in range(20)])
    assert found.kappa == CONSTANT_RATER
    assert found.ac1.value > 0.9


def test_a_kappa_that_hangs_on_two_patients_is_not_given():
    first, second = np.ones(20, int), np.ones(20, int)
    first[0], second[1] = 2, 2
    assert agreement(first, second, [str(number) for number in range(20)]).kappa == RARELY_DEFINED


def test_nothing_and_two_patients_have_no_agreement():
    assert agreement(np.array([], int), np.array([], int), []) == NotComputable("nothing counted yet")
    few = agreement(np.array([1, 2, 1]), np.array([1, 2, 2]), ["a", "b", "b"])
    assert few == NotComputable("fewer than 3 patients rated twice")


def test_the_limits_of_agreement_have_exact_intervals():
    rng = np.random.default_rng(2)
    reference = np.zeros(25)
    inside = {"bias": 0, "low": 0, "high": 0}
    truths = {"bias": 1.0, "low": 1.0 - 1.96 * 2.0, "high": 1.0 + 1.96 * 2.0}
    for _ in range(1000):
        found = bland_altman(rng.normal(1.0, 2.0, 25), reference)
        for name, truth in truths.items():
            inside[name] += getattr(found, name).low <= truth <= getattr(found, name).high
    assert all(hits / 1000 == pytest.approx(0.95, abs=0.02) for hits in inside.values())


def test_the_intervals_of_the_limits_reach_further_outwards_than_inwards():
    differences = np.random.default_rng(0).normal(size=30)
    differences = (differences - differences.mean()) / differences.std(ddof=1)
    found = bland_altman(differences, np.zeros(30))
    assert found.high.low == pytest.approx(-found.low.high)
    assert found.high.low < 1.96 < found.high.high
    assert found.high.high - 1.96 > 1.96 - found.high.low


def test_two_pairs_have_no_limits():
    assert isinstance(bland_altman(np.array([1.0, 2.0]), np.array([1.0, 2.0])), NotComputable)


def test_the_intraclass_intervals_are_the_published_ones():
    """The example of Shrout and Fleiss 1979; intervals as in McGraw and Wong's and the R package irr's output."""
    found = intraclass_intervals(SHROUT_FLEISS)
    assert (found.agreement.low, found.agreement.high) == pytest.approx((0.019, 0.761), abs=0.001)
    assert (found.consistency.low, found.consistency.high) == pytest.approx((0.342, 0.946), abs=0.001)
    assert found.agreement.value == intraclass_correlation(SHROUT_FLEISS).agreement


def test_intraclass_intervals_cover_the_truth():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        ratings = rng.normal(0, 2.0, (30, 1)) + rng.normal(0, 1.0, (30, 2))
        found = intraclass_intervals(ratings).consistency
        hits += found.low <= 0.8 <= found.high
    assert hits / 1000 == pytest.approx(0.95, abs=0.02)


def test_ratings_without_spread_or_error_have_no_interval():
    assert isinstance(intraclass_intervals(np.ones((5, 2))), NotComputable)
    assert isinstance(intraclass_intervals(np.ones((2, 2))), NotComputable)
    areas = np.array([0.1, 0.2, 0.3, 0.4])
    assert isinstance(intraclass_intervals(np.stack([areas, areas], axis=1)), NotComputable)
