"""Run lengths of CUSUM and EWMA: published tables for normal steps, simulation for clustered counts."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from core.statistics.clustering import INDEPENDENT, ClusteredCount, DesignEffect
from core.statistics.cusum import plan_cusum, running_sum, scores
from core.statistics.ewma import moving_average, plan_ewma, standardised
from core.statistics.run_length import count_distribution, cusum_run_length, ewma_run_length, threshold_for

GRID = np.linspace(-6, 6, 4001)
NORMAL = norm.pdf(GRID) / norm.pdf(GRID).sum()


@pytest.mark.parametrize(("k", "h", "published"), [(0.5, 5, 930.9), (0.5, 4, 335.4), (0.25, 8, 736.6)])
def test_the_cusums_run_length_is_the_published_one(k, h, published):
    """Siegmund's and Vance's one-sided values, Montgomery, Introduction to Statistical Quality Control, table 9.3."""
    assert cusum_run_length(GRID - k, NORMAL, h) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("weight", "width"), [(0.1, 2.814), (0.05, 2.615), (0.25, 2.998)])
def test_the_ewmas_run_length_is_the_published_500(weight, width):
    """Lucas and Saccucci 1990, table 3."""
    limit = width * np.sqrt(weight / (2 - weight))
    assert ewma_run_length(GRID, NORMAL, weight, limit) == pytest.approx(500, rel=0.015)


def test_a_weight_of_one_is_shewharts_chart():
    assert ewma_run_length(GRID, NORMAL, 1.0, 3.0) == pytest.approx(370.4, rel=0.005)


def test_counts_have_the_mean_of_the_rate_and_the_variance_of_the_design_effect():
    point, design = ClusteredCount.of_clusters([0] * 8, [6] * 8), DesignEffect(0.3, 1, 8)
    found = count_distribution([point, ClusteredCount()], 0.2, design)
    assert found.probability.sum() == pytest.approx(1)
    assert found.probability @ found.k == pytest.approx(48 * 0.2)
    assert found.probability @ (found.k - 9.6) ** 2 == pytest.approx(48 * 0.2 * 0.8 * 2.5)


def test_independent_counts_are_binomial():
    found = count_distribution([ClusteredCount.independent(0, 9)], 0.2, INDEPENDENT)
    assert found.probability == pytest.approx(binom.pmf(np.arange(10), 9, 0.2))
    with pytest.raises(ValueError, match="at least one counted point"):
        count_distribution([], 0.2, INDEPENDENT)


def visits(rng, shape, rate, correlation):
    """Counts of six visits of two captures each."""
    strength = (1 - correlation) / correlation
    return rng.binomial(2, rng.beta(rate * strength, (1 - rate) * strength, (*shape, 6))).sum(axis=-1)


def mean_run(is_hit):
    first = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1, is_hit.shape[1])
    return first.sum() / is_hit.any(axis=1).sum()


def test_planned_run_lengths_are_those_of_simulated_clustered_visits():
    point, design = ClusteredCount.of_clusters([0] * 6, [2] * 6), DesignEffect(0.3, 1, 6)
    counts = visits(np.random.default_rng(2), (800, 800), 0.25, 0.3)
    factor = design.factor(point)
    summed, averaged = (
        plan_cusum([point], 0.25, design, run_length=120),
        plan_ewma([point], 0.25, design, run_length=120),
    )
    sums = running_sum(scores(counts, 12, 0.25, 2.0, factor))
    averages = moving_average(standardised(counts, 12, 0.25, factor), averaged.weight)
    assert mean_run(sums > summed.threshold) == pytest.approx(summed.run_length, rel=0.15)
    assert mean_run(np.abs(averages) > averaged.threshold) == pytest.approx(averaged.run_length, rel=0.15)


def test_a_run_length_that_jumps_is_met_from_above():
    assert threshold_for(lambda threshold: 100.0 if threshold < 2.5 else 900.0, 500, 0.0, 10.0) == pytest.approx(2.5)


def test_a_chart_that_never_signals_runs_for_ever():
    assert cusum_run_length(np.array([-1.0]), np.array([1.0]), 3.0) == np.inf
