"""The scan heads at scoring time: forests that survive storage, calibrated probabilities, masks true to the severity."""

from dataclasses import replace

import numpy as np
import pytest

from core.scoring.lanes.forest import LEAF, Forest
from core.scoring.lanes.kernel_machine import KernelMachine
from core.scoring.lanes.scan_heads import (
    LEAST_PROBABILITY,
    GradeScaling,
    ScanHeads,
    mask_of_severity,
    ordinal_of_shares,
    severity_of_shares,
)
from core.scoring.lanes.scan_statistics import statistic_names
from core.vocabulary import OCTA_ARTIFACTS, Severity

CUTS = (0.75, 1.25)
N_STATISTICS = len(statistic_names())


def stump(feature=0, threshold=0.5):
    """Two trees: one asks whether a number is at most 0.5, the other always says the middle class."""
    return Forest(
        np.array([feature, LEAF, LEAF, LEAF], np.int16),
        np.array([threshold, 0, 0, 0], np.float32),
        np.array([1, 0, 0, 0], np.int32),
        np.array([2, 0, 0, 0], np.int32),
        np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float32),
        np.array([0, 3], np.int32),
    )


@pytest.fixture
def heads():
    return ScanHeads(
        stump(),
        {kind: stump(number) for number, kind in enumerate(OCTA_ARTIFACTS)},
        dict.fromkeys(OCTA_ARTIFACTS, CUTS),
    )


def machine(n_statistics=N_STATISTICS, n_judged=5):
    """It knows one scan, all zeros, of the third class, and says the first of what is unlike it."""
    return KernelMachine(
        np.zeros(n_statistics, np.float32),
        np.ones(n_statistics, np.float32),
        np.zeros((1, n_statistics), np.float32),
        np.ones((1, n_judged, 2), np.float32),
        np.zeros((n_judged, 2), np.float32),
        1.0,
    )


def test_forests_and_machine_count_alike(heads):
    both = replace(heads, machine=machine())
    numbers = np.zeros(N_STATISTICS)
    np.testing.assert_allclose(both.shares(numbers).grade, (heads.grade.shares(numbers) + np.array([0, 0, 1])) / 2)
    assert both.shares(numbers).severities[OCTA_ARTIFACTS[0]] is severity_of_shares(np.array([0.25, 0.25, 0.5]), CUTS)
    np.testing.assert_allclose(
        both.shares(numbers + 3).grade, (heads.grade.shares(numbers + 3) + np.array([1, 0, 0])) / 2
    )


def test_stored_heads_have_their_machine_and_older_ones_none(heads):
    numbers = np.random.default_rng(4).normal(size=N_STATISTICS)
    both = replace(heads, machine=machine())
    again = ScanHeads.from_tensors(both.tensors())
    np.testing.assert_allclose(again.shares(numbers).grade, both.shares(numbers).grade, atol=1e-3)
    assert ScanHeads.from_tensors(heads.tensors()).machine is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (machine(n_statistics=9), "other statistics"),
        (machine(n_judged=2), "other statistics"),
        (replace(machine(), spread=np.zeros(N_STATISTICS, np.float32)), "do not fit"),
        (replace(machine(), dual=np.ones((3, 5, 2), np.float32)), "do not fit"),
    ],
    ids=["other statistics", "other judgements", "no spread", "other scans"],
)
def test_a_machine_that_does_not_fit_is_refused(heads, other, message):
    with pytest.raises(ValueError, match=message):
        ScanHeads.from_tensors(replace(heads, machine=other).tensors())


def test_a_forest_says_the_mean_of_its_trees():
    np.testing.assert_array_equal(stump().shares(np.array([0.2, 9.0])), [0.5, 0.5, 0])
    np.testing.assert_array_equal(stump().shares(np.array([0.8, 9.0])), [0, 0.5, 0.5])


def test_all_forests_asked_at_once_say_what_each_says_alone(heads):
    for numbers in np.random.default_rng(6).random((20, 4)):
        together = heads.shares(numbers)
        np.testing.assert_array_equal(together.grade, heads.grade.shares(numbers))
        for kind, forest in heads.severities.items():
            assert together.severities[kind] is severity_of_shares(forest.shares(numbers), CUTS)


def test_stored_heads_say_the_same(heads):
    again = ScanHeads.from_tensors(heads.tensors())
    numbers = np.random.default_rng(4).random(200)
    np.testing.assert_allclose(again.grade.shares(numbers), heads.grade.shares(numbers), atol=1e-3)
    for kind in OCTA_ARTIFACTS:
        np.testing.assert_allclose(
            again.severities[kind].shares(numbers), heads.severities[kind].shares(numbers), atol=1e-3
        )
        assert again.cuts[kind] == CUTS


def test_a_file_without_heads_is_refused(heads):
    tensors = {name: value for name, value in heads.tensors().items() if ".shadow." not in name}
    with pytest.raises(ValueError, match=r"hold no scan_heads\.shadow"):
        ScanHeads.from_tensors(tensors)


def test_heads_that_ask_for_unknown_statistics_are_refused(heads):
    strange = replace(heads, grade=stump(feature=5000))
    with pytest.raises(ValueError, match="statistics"):
        ScanHeads.from_tensors(strange.tensors())


@pytest.mark.parametrize("cuts", [(1.0, 0.5), (-0.1, 1.0), (0.5, 2.1), (0.5, np.nan), (0.5,)], ids=str)
def test_cuts_that_are_not_two_degrees_in_order_are_refused(heads, cuts):
    tensors = heads.tensors() | {"scan_heads.motion.cuts": np.array(cuts, np.float32)}
    with pytest.raises(ValueError, match=r"scan_heads\.motion\.cuts"):
        ScanHeads.from_tensors(tensors)


def test_an_artifact_is_as_severe_as_its_cuts_say():
    shares = np.array([[0.4, 0.4, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])  # degrees 0.8, 1.0, 1.4
    assert [severity_of_shares(row, (0.9, 1.2)) for row in shares] == list(Severity)
    assert [severity_of_shares(row, (0.9, 1.5)) for row in shares] == [Severity.NONE, Severity.MILD, Severity.MILD]


@pytest.mark.parametrize(
    ("part", "change", "message"), [("left", [0, 0, 0, 0], "circle"), ("right", [9, 0, 0, 0], "outside")]
)
def test_a_forest_that_would_never_end_is_refused(part, change, message):
    tensors = stump().tensors("forest")
    tensors[f"forest.{part}"] = np.array(change, np.int32)
    with pytest.raises(ValueError, match=message):
        Forest.from_tensors(tensors, "forest")


def test_the_probabilities_are_a_distribution_whatever_the_shares():
    shares = np.random.default_rng(1).dirichlet([0.3] * 3, 300)
    both = ((0.2, 3.0), (-2.0, 4.0))
    for scaling in (GradeScaling(), GradeScaling(*both), GradeScaling(*both, by_mean_grade=True)):
        probabilities = scaling.probabilities(shares)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_by_the_mean_grade_a_scan_that_some_call_outstanding_is_further_from_ungradable():
    shares = np.array([[0.2, 0.8, 0.0], [0.2, 0.4, 0.4]])
    by_share = GradeScaling((2.0, 1.0), (-1.0, 0.0)).probabilities(shares)[:, 0]
    by_mean = GradeScaling((2.0, 1.0), (-1.0, 0.0), by_mean_grade=True).probabilities(shares)[:, 0]
    assert by_share[0] == by_share[1]
    assert by_mean[0] > by_mean[1]


def test_the_grade_is_the_median_of_the_shares():
    shares = np.array([[0.6, 0.2, 0.2], [0.4, 0.2, 0.4], [0.2, 0.2, 0.6], [0.49, 0.02, 0.49]])
    assert ordinal_of_shares(shares).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("whole_lines", [False, True], ids=["pixels", "lines"])
@pytest.mark.parametrize("severity", list(Severity))
def test_the_area_of_a_mask_is_one_that_its_severity_stands_for(severity, whole_lines):
    rng = np.random.default_rng(5)
    probability = (0.1 + 0.8 * rng.random((200, 1)) * rng.random((200, 150))).astype(np.float32)
    mask = mask_of_severity(probability, severity, threshold=0.45, whole_lines=whole_lines)
    assert {Severity.NONE: 0, Severity.MILD: 0.01, Severity.SEVERE: 0.1}[severity] <= mask.mean()
    assert mask.mean() <= {Severity.NONE: 0.01, Severity.MILD: 0.1, Severity.SEVERE: 1.0}[severity]


def test_a_mask_that_fits_its_severity_is_left_as_it_is():
    probability = np.zeros((100, 100), np.float32)
    probability[:5] = 0.9
    mask = mask_of_severity(probability, Severity.MILD, threshold=0.5, whole_lines=False)
    np.testing.assert_array_equal(mask, probability > 0.5)


def test_nothing_is_marked_where_the_network_sees_nothing():
    probability = np.full((100, 100), LEAST_PROBABILITY / 2, np.float32)
    assert not mask_of_severity(probability, Severity.SEVERE, threshold=0.5, whole_lines=False).any()
