"""A small version of the charts' proof; the full one is in docs/statistics.md."""

import pytest

from core.statistics.proof.run_lengths import run_lengths


@pytest.fixture(scope="module")
def rows():
    return {row["chart"].split(" (")[0]: row for row in run_lengths(40, seed=1)}


def test_cusum_and_ewma_run_about_as_long_as_planned(rows):
    for name in ("CUSUM for odds doubled", "EWMA, weight 0.1"):
        assert rows[name]["in_control"] == pytest.approx(500, rel=0.4)


def test_they_find_a_doubling_sooner_than_single_points_do(rows):
    assert rows["CUSUM for odds doubled"]["after_change"] < rows["p, all three rules"]["after_change"]
    assert rows["CUSUM for odds doubled"]["after_change"] < 15


def test_laneys_chart_holds_still_where_rates_scatter_and_the_p_chart_does_not(rows):
    p, laney = (rows[f"{kind}, 1 point beyond the limits"] for kind in ("p", "Laney p'"))
    assert laney["false_in_a_year_restless_percent"] < 0.5 * p["false_in_a_year_restless_percent"]
    assert p["in_control"] == laney["in_control"]


def test_more_rules_find_more_and_are_wrong_more_often(rows):
    one, all_three = rows["p, 1 point beyond the limits"], rows["p, all three rules"]
    assert all_three["after_change"] < one["after_change"]
    assert all_three["in_control"] < one["in_control"]
