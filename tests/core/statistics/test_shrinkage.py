"""Shrunken rates lie between a unit's own and the others'; their intervals cover the truth."""

import numpy as np
import pytest

from core.statistics.clustering import ClusteredCount, DesignEffect
from core.statistics.shrinkage import shrink
from core.values import NotComputable


def independent(k, n):
    return ClusteredCount.independent(k, n)


def test_small_units_are_drawn_to_the_mean_and_large_ones_keep_their_own():
    units = [independent(8, 10), independent(800, 1000), *[independent(k, 100) for k in (30, 35, 40, 45, 50)]]
    found = shrink(units)
    small, large = found.rates[:2]
    assert found.mean < small.value < 0.75
    assert large.value == pytest.approx(0.8, abs=0.02)
    assert small.own_weight < 0.7
    assert large.own_weight > 0.9
    assert small.high - small.low > large.high - large.low


def test_units_that_differ_by_chance_only_become_alike():
    rng = np.random.default_rng(0)
    raw = rng.binomial(40, 0.3, 40)
    found = shrink([independent(int(k), 40) for k in raw])
    assert np.std([rate.value for rate in found.rates]) < 0.4 * np.std(raw / 40)
    assert found.mean == pytest.approx(0.3, abs=0.03)


def test_the_population_is_found_again():
    rng = np.random.default_rng(1)
    truth = rng.beta(0.4 * 23, 0.6 * 23, 300)
    found = shrink([independent(int(k), 200) for k in rng.binomial(200, truth)])
    assert found.mean == pytest.approx(0.4, abs=0.02)
    assert found.between_sd == pytest.approx(0.1, abs=0.01)


def test_clustering_draws_a_unit_further_to_the_mean():
    units = [ClusteredCount.of_clusters([k] * 10, [6] * 10) for k in (1, 2, 3, 4, 5)]
    loose, tight = (shrink(units, design=DesignEffect(rho, 5, 50)).rates[0] for rho in (0.0, 0.6))
    assert loose.value < tight.value
    assert tight.own_weight < loose.own_weight


def test_a_unit_without_any_count_has_the_populations_own_rate():
    found = shrink([independent(30, 100), independent(40, 100), independent(50, 100), independent(0, 0)])
    assert found.rates[3].value == pytest.approx(found.mean)
    assert found.rates[3].own_weight == 0.0


@pytest.mark.parametrize("k", [0, 1])
def test_none_and_all_stay_rates(k):
    found = shrink([independent(k * n, n) for n in (1, 5, 50, 500)])
    assert all(0 <= rate.low <= rate.value <= rate.high <= 1 for rate in found.rates)
    assert found.rates[3].value == pytest.approx(k, abs=0.02)


def test_with_fewer_than_three_units_nothing_is_known_of_the_others():
    assert shrink([]) == NotComputable("nothing counted yet")
    assert isinstance(shrink([independent(1, 2), independent(1, 2), independent(0, 0)]), NotComputable)
