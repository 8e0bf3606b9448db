"""A small version of the intervals' proof; the full one is in docs/statistics.md."""

import pytest
from scipy.stats import gamma

from core.statistics.proof import coverage as proof
from core.statistics.proof.coverage import coverage


@pytest.fixture(scope="module")
def rows():
    return coverage(4, seed=5)


def test_every_interval_covers_about_as_often_as_it_says(rows):
    claimed = [row for row in rows if "(" not in row["interval"]]
    assert len(claimed) == len(rows) - 2
    for row in claimed:
        assert row["coverage_percent"] == pytest.approx(95, abs=max(4 * row["error_percent"], 6)), row["interval"]


def test_intervals_that_take_captures_of_a_visit_for_independent_do_not(rows):
    ignoring = next(row for row in rows if "as if independent" in row["interval"])
    assert ignoring["coverage_percent"] < 88


def test_the_quantiles_taken_for_the_truth_are_those_of_the_distribution():
    for share, value in proof._GAMMA_QUANTILE.items():
        assert value == pytest.approx(gamma(2, scale=1.5).ppf(share))
