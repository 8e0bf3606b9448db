"""A small version of the funnel's proof; the full one is in docs/statistics.md."""

import numpy as np
import pytest

from core.statistics.funnel import FunnelUnit, funnel
from core.statistics.proof.flags import discoveries, false_flags, judge, power
from core.statistics.proof.programmes import draw, site_sizes


@pytest.fixture(scope="module")
def flags():
    return false_flags(100, seed=3)


def test_healthy_sites_are_seldom_flagged_and_naive_limits_cry_wolf(flags):
    usual = [row for row in flags if row["n_sites"] == 30 and row["rate"] == 0.39]
    assert [row["n_judged"] for row in usual] == [2900] * 6
    # The error of a share of 0.25 % of 2900 sites is 0.09 points.
    assert all(row["false_percent"] <= 0.45 for row in usual)
    assert all(row["naive_percent"] > 3 for row in usual if row["correlation"] >= 0.3)
    assert all(row["correlation_found"] == pytest.approx(row["correlation"], abs=0.01) for row in usual)


def test_the_bad_site_is_found_as_often_as_asked():
    found = {row["correlation"]: row["power_percent"] for row in power(100, seed=3) if row["n_sites"] == 30}
    assert found[0.0] >= 98
    assert found[0.3] >= 75
    # A thousand programmes: the error is 1.5 points.
    assert found[0.5] >= 57


def test_among_discoveries_few_are_healthy():
    rows = discoveries(6, seed=3)
    shares = {(row["correlation"], row["rule"]): row["false_share_percent"] for row in rows}
    for correlation in (0.0, 0.3):
        assert shares[correlation, "false-discovery control at 5 %"] <= 8
        assert shares[correlation, "95 % line"] > 20


def test_the_simulation_judges_as_the_page_does():
    visits = site_sizes(8)
    counts = draw(np.random.default_rng(4), 1, visits, [0.39] * 7 + [0.7], 0.3)
    units = [FunnelUnit(site, counts.unit(0, site, int(n)), int(n)) for site, n in enumerate(visits)]
    judged = [point.p_value for point in funnel(units).points]
    assert judged[0] is None
    assert judge(counts)[0, 1:] == pytest.approx(judged[1:])
