"""The scan heads at scoring time: probabilities in order, masks of a given area, weights that survive storage."""

import numpy as np
import pytest

from core.scoring.lanes.scan_heads import ScanHeads, grade_probabilities, mask_of_area
from core.scoring.lanes.scan_statistics import statistic_names
from core.vocabulary import CoipsGrade

N_POOLED = 5


@pytest.fixture
def heads():
    rng = np.random.default_rng(2)
    n_statistics = len(statistic_names())
    return ScanHeads(
        rng.normal(size=(6, N_POOLED)), rng.normal(size=(6, n_statistics)), rng.normal(size=6),
        np.full(n_statistics, -2.0), np.full(n_statistics, 2.0),
    )  # fmt: skip


def test_the_probabilities_are_a_distribution_whatever_the_outputs():
    outputs = np.random.default_rng(1).normal(0, 8, (200, 6))
    for temperature in (0.5, 1.0, 3.0):
        probabilities = grade_probabilities(outputs, temperature)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_more_evidence_for_gradable_never_makes_ungradable_likelier():
    outputs = np.stack([np.linspace(-5, 5, 50), np.full(50, 0.3)], axis=1)
    assert (np.diff(grade_probabilities(outputs, 1.0)[:, CoipsGrade.UNGRADABLE]) < 0).all()


def test_stored_heads_say_the_same(heads):
    again = ScanHeads.from_tensors(heads.tensors())
    rng = np.random.default_rng(4)
    pooled, statistics = rng.normal(size=(3, N_POOLED)).astype(np.float32), rng.normal(size=(3, len(statistic_names())))
    np.testing.assert_allclose(again.outputs(pooled, statistics), heads.outputs(pooled, statistics), atol=1e-4)


def test_heads_for_other_statistics_are_refused(heads):
    tensors = heads.tensors()
    tensors["scan_heads.statistics"] = tensors["scan_heads.statistics"][:, :-1]
    with pytest.raises(ValueError, match="statistics"):
        ScanHeads.from_tensors(tensors)


def test_a_strange_scan_is_judged_at_the_edge_of_what_was_seen(heads):
    pooled = np.zeros(N_POOLED, np.float32)
    at_edge = heads.outputs(pooled, np.full(len(statistic_names()), 2.0))
    beyond = heads.outputs(pooled, np.full(len(statistic_names()), 1e9))
    np.testing.assert_array_equal(at_edge, beyond)


def test_the_class_weights_are_the_gradient_of_the_outputs(heads):
    weights = heads.class_weights()
    step = np.eye(N_POOLED, dtype=np.float32)
    at_zero = heads.outputs(np.zeros(N_POOLED, np.float32), np.zeros(len(statistic_names())))
    gradient = heads.outputs(step, np.zeros(len(statistic_names()))) - at_zero  # (C, 6)
    np.testing.assert_allclose(weights[CoipsGrade.UNGRADABLE], -gradient[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights[CoipsGrade.OUTSTANDING], gradient[:, 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("area", [0.004, 0.05, 0.3])
def test_a_mask_takes_the_area_it_is_given(area):
    probability = np.random.default_rng(5).random((200, 200)).astype(np.float32)
    assert mask_of_area(probability, area, least=0.0).mean() == pytest.approx(area, abs=0.002)


def test_nothing_is_marked_where_the_network_sees_nothing():
    probability = np.zeros((50, 50), np.float32)
    probability[:5] = 0.9
    mask = mask_of_area(probability, 0.5, least=0.05)
    assert mask[:5].all()
    assert not mask[5:].any()
