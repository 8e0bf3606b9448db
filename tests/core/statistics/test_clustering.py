"""Correlation and design effect recover the truth of simulated visits; intervals on the effective n cover it."""

import numpy as np
import pytest

from core.statistics.clustering import (
    INDEPENDENT,
    ClusteredCount,
    DesignEffect,
    clustered_interval,
    design_effect,
    interval_on_effective_n,
    intra_cluster_correlation,
    total,
)
from core.statistics.proportions import NOTHING_COUNTED, wilson_interval
from core.values import NotComputable


def visits(rng, n_visits, size, rate, correlation):
    """A unit whose visits share a rate, drawn so that two captures of a visit correlate by ``correlation``."""
    if correlation:
        strength = (1 - correlation) / correlation
        rates = rng.beta(rate * strength, (1 - rate) * strength, n_visits)
    else:
        rates = np.full(n_visits, rate)
    sizes = np.broadcast_to(size, n_visits)
    return ClusteredCount.of_clusters(rng.binomial(sizes, rates), sizes)


def test_the_sums_of_two_halves_are_those_of_the_whole():
    k, n = np.array([1, 0, 3, 2]), np.array([2, 1, 3, 4])
    halves = ClusteredCount.of_clusters(k[:2], n[:2]) + ClusteredCount.of_clusters(k[2:], n[2:])
    assert halves == ClusteredCount.of_clusters(k, n) == ClusteredCount(6, 10, 4, 14, 19, 30)
    assert total([halves, ClusteredCount()]) == halves
    assert total([]).rate == NotComputable("nothing counted yet")


def test_visits_counted_by_composition_are_the_same_visits():
    assert ClusteredCount.of_clusters([1, 2], [2, 3], [2, 3]) == ClusteredCount.of_clusters(
        [1, 1, 2, 2, 2], [2, 2, 3, 3, 3]
    )
    with pytest.raises(ValueError, match="-1 times"):
        ClusteredCount.of_clusters([1], [2], [-1])


def test_an_empty_visit_is_no_cluster():
    assert ClusteredCount.of_clusters([1, 0], [2, 0]).n_clusters == 1


@pytest.mark.parametrize("k", [[-1, 1], [3, 1]])
def test_visits_that_cannot_be_are_refused(k):
    with pytest.raises(ValueError, match="every cluster"):
        ClusteredCount.of_clusters(k, [2, 2])
    with pytest.raises(ValueError, match="no sums over clusters"):
        ClusteredCount(3, 2, 1, 9, 6, 4)


@pytest.mark.parametrize("truth", [0.0, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("size", [6, np.tile([1, 2, 3, 8], 10)])
def test_the_correlation_of_simulated_visits_is_found(truth, size):
    rng = np.random.default_rng(3)
    units = [
        visits(rng, 40, size, 0.39, min(truth, 0.999)) + visits(rng, 40, size, 0.39, min(truth, 0.999))
        for _ in range(60)
    ]
    assert design_effect(units).correlation == pytest.approx(truth, abs=0.02)


def test_a_unit_with_another_rate_does_not_inflate_it():
    rng = np.random.default_rng(4)
    units = [visits(rng, 40, 6, rate, 0.3) for rate in [0.05, 0.39, 0.95] * 100]
    assert design_effect(units).correlation == pytest.approx(0.3, abs=0.02)


def test_it_equals_the_value_worked_out_by_hand():
    """Two visits of two, one all bad and one all good: p = 1/2, S = 2, factor 1/2, so 4 = PQ (4 + 4 rho); PQ = 1/4 of
    n over (1 - (1 + rho)/4): the observed variance is as large as it can be, and rho is cut to 1."""
    found = design_effect([ClusteredCount.of_clusters([2, 0], [2, 2])])
    assert (found.correlation, found.n_units, found.n_clusters) == (1.0, 1, 2)


@pytest.mark.parametrize(
    "units", [[], [ClusteredCount()], [ClusteredCount.independent(3, 9)], [ClusteredCount.of_clusters([0, 0], [4, 4])]]
)
def test_without_a_cluster_that_tells_there_is_no_correlation(units):
    assert design_effect(units).correlation == 0.0


def test_the_effective_n_follows_from_sizes_and_correlation():
    six_each = ClusteredCount.of_clusters([3] * 40, [6] * 40)
    assert DesignEffect(0.3, 1, 40).factor(six_each) == pytest.approx(2.5)
    assert DesignEffect(0.3, 1, 40).effective_n(six_each) == pytest.approx(96)
    assert INDEPENDENT.effective_n(six_each) == 240
    assert DesignEffect(0.3, 1, 1).effective_n(ClusteredCount()) == 0


def test_the_clustered_interval_is_wilsons_where_nothing_is_clustered_and_wider_where_it_is():
    count = ClusteredCount.of_clusters([2, 4, 0, 6], [6] * 4)
    plain, wide = clustered_interval(count, INDEPENDENT), clustered_interval(count, DesignEffect(0.5, 9, 99))
    assert (plain.low, plain.high) == pytest.approx((wilson_interval(12, 24).low, wilson_interval(12, 24).high))
    assert wide.low < plain.low < plain.value < plain.high < wide.high
    assert (wide.k, wide.n) == (12, 24)
    assert clustered_interval(ClusteredCount(), INDEPENDENT) == NotComputable("nothing counted yet")


@pytest.mark.parametrize(("k", "value"), [(0, 0.0), (6, 1.0)])
def test_none_of_all_and_all_of_all_have_an_interval(k, value):
    found = clustered_interval(ClusteredCount.of_clusters([k] * 5, [6] * 5), DesignEffect(0.3, 30, 900))
    assert (found.value, found.low <= value <= found.high) == (value, True)
    assert found.high - found.low > 0.1


def test_arrays_of_studies_are_estimated_at_once():
    sums = [np.full((7, 3), value, float) for value in (12, 24, 60, 72, 144)]
    assert intra_cluster_correlation(*sums).shape == (7,)


def test_counts_without_clusters_of_their_own_get_the_interval_of_fewer_captures():
    alone, clustered = interval_on_effective_n(30, 60, 1.0), interval_on_effective_n(30, 60, 2.0)
    assert (alone.low, alone.high) == (wilson_interval(30, 60).low, wilson_interval(30, 60).high)
    assert (clustered.low, clustered.high) == (wilson_interval(15, 30).low, wilson_interval(15, 30).high)
    assert (clustered.value, clustered.k, clustered.n) == (0.5, 30, 60)
    assert interval_on_effective_n(0, 0, 2.0) == NOTHING_COUNTED
