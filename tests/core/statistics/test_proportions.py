"""Wilson's and Clopper's intervals against published values, at their edges, and against their promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.proportions import exact_interval, wilson_interval
from core.values import NotComputable


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_it_equals_newcombes_published_intervals(k, n, low, high):
    """Newcombe 1998, Statistics in Medicine 17:857, table I, method 3."""
    found = wilson_interval(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.value == k / n


def test_nothing_counted_is_no_rate():
    assert wilson_interval(0, 0) == NotComputable("nothing counted yet")


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_counts_that_cannot_be_are_refused(k, n):
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(k, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, confidence)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_interval_holds_the_value_and_stays_within_zero_and_one(counts, confidence):
    found = wilson_interval(*counts, confidence)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@pytest.mark.parametrize("p", [0.1, 0.39, 0.8])
def test_it_covers_the_truth_about_as_often_as_it_says(p):
    """Exact coverage, averaged over the sizes a site has; within 1.5 points of nominal."""
    from scipy.stats import binom

    coverage = []
    for n in range(30, 120):
        held = [wilson_interval(k, n) for k in range(n + 1)]
        inside = np.array([found.low <= p <= found.high for found in held])
        coverage.append(binom.pmf(np.arange(n + 1), n, p)[inside].sum())
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_exact_interval_equals_newcombes_published_ones(k, n, low, high):
    """Newcombe 1998, Statistics in Medicine 17:857, table I, method 5 (Clopper-Pearson)."""
    found = exact_interval(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("p", [0.005, 0.03, 0.2])
def test_the_exact_interval_never_covers_less_often_than_it_says(p):
    from scipy.stats import binom

    for n in (20, 75, 160):
        inside = np.array([found.low <= p <= found.high for found in (exact_interval(k, n) for k in range(n + 1))])
        assert binom.pmf(np.arange(n + 1), n, p)[inside].sum() >= 0.95


def test_all_of_all_and_none_of_none():
    assert exact_interval(7, 7).high == 1.0
    assert exact_interval(0, 0) == NotComputable("nothing counted yet")
