"""Simulated visits have the rate and the correlation that they were asked for."""

import numpy as np
import pytest

from core.statistics.proof.programmes import Mechanism, draw, draw_visits, site_sizes


@pytest.mark.parametrize("mechanism", Mechanism)
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
def test_visits_have_their_rate_and_correlation(mechanism, correlation):
    k = draw_visits(np.random.default_rng(1), np.full(200_000, 0.39), correlation, 6, mechanism)
    assert k.mean() / 6 == pytest.approx(0.39, abs=0.005)
    assert k.var() / (6 * 0.39 * 0.61) == pytest.approx(1 + 5 * correlation, rel=0.02)


def test_sites_have_4_to_66_visits_and_one_has_40():
    visits = site_sizes()
    assert (len(visits), visits.min(), visits.max(), (visits == 40).sum()) == (30, 4, 66, 1)
    assert site_sizes(6).max() == 66


def test_the_sums_of_a_site_are_those_of_its_visits():
    counts = draw(np.random.default_rng(2), 3, np.array([4, 9]), [0.0, 1.0], 0.0)
    assert counts.unit(1, 1, 9) == counts.unit(2, 1, 9)
    unit = counts.unit(0, 1, 9)
    assert (unit.k, unit.n, unit.kk, unit.kn, unit.nn) == (54, 54, 324, 324, 324)
    assert counts.unit(0, 0, 4).k == 0
