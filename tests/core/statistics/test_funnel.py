"""Funnel limits against the exact binomial; units are flagged where they lie beyond."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, false_discovery_control

from core.statistics.clustering import INDEPENDENT, ClusteredCount, DesignEffect
from core.statistics.funnel import FunnelUnit, Side, Zone, funnel, funnel_limits, two_sided_p, usual_rate, zones_above
from core.values import NotComputable


def unit(key, k, n, n_patients=20):
    return FunnelUnit(key, ClusteredCount.independent(k, n), n_patients)


def by_key(found):
    return {point.key: point for point in found.points}


@pytest.mark.parametrize("n", [8, 30, 100, 1500])
@pytest.mark.parametrize("target", [0.05, 0.39, 0.8])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_at_a_limit_half_the_counts_own_chance_fills_the_tail(n, target, level):
    """The definition, interpolated by numpy between all whole counts of the exact binomial."""
    counts = np.arange(n + 1)
    middle = binom.cdf(counts - 1, n, target) + binom.pmf(counts, n, target) / 2
    low, high = funnel_limits(target, [n], level)
    tail = (1 - level) / 2
    assert low[0] == pytest.approx(np.interp(tail, middle, counts) / n, abs=1e-6)
    assert high[0] == pytest.approx(np.interp(1 - tail, middle, counts) / n, abs=1e-6)


@settings(max_examples=40)
@given(st.floats(0.02, 0.98), st.floats(1, 3000), st.sampled_from([0.95, 0.998]))
def test_good_and_poor_captures_are_judged_alike(target, n, level):
    low, high = funnel_limits(target, [n], level)
    mirrored_low, mirrored_high = funnel_limits(1 - target, [n], level)
    assert (low[0], high[0]) == pytest.approx((1 - mirrored_high[0], 1 - mirrored_low[0]))


@settings(max_examples=40)
@given(st.floats(0.02, 0.98), st.floats(1, 3000), st.sampled_from([0.95, 0.998]))
def test_limits_enclose_the_target_and_narrow_as_n_grows(target, n, level):
    low, high = funnel_limits(target, [n, 4 * n], level)
    assert 0 <= low[0] <= target <= high[0] <= 1
    # Interpolation leaves ripples of well under one count.
    assert high[1] - low[1] <= high[0] - low[0] + 1 / n


@settings(max_examples=40)
@given(st.floats(0.02, 0.98), st.integers(2, 400), st.data())
def test_a_p_value_is_small_exactly_where_the_rate_lies_beyond_the_limits(target, n, data):
    k = data.draw(st.integers(0, n))
    low, high = funnel_limits(target, [n], 0.998)
    is_beyond = k / n < low[0] - 1e-9 or k / n > high[0] + 1e-9
    assert (two_sided_p([k / n], [n], target)[0] < 0.002) == is_beyond


def test_all_of_a_few_is_no_alarm_where_nearly_all_is_usual():
    assert two_sided_p([1.0], [6], 0.9)[0] > 0.5
    assert funnel_limits(0.9, [6], 0.998)[1][0] == 1.0


def test_a_large_n_has_the_normal_limits():
    low, high = funnel_limits(0.39, [1e6], 0.998)
    half = 3.0902 * np.sqrt(0.39 * 0.61 / 1e6)
    assert (low[0], high[0]) == pytest.approx((0.39 - half, 0.39 + half), abs=2e-6)


def test_units_are_zoned_by_what_chance_allows():
    units = [unit("usual", 39, 100), unit("odd", 50, 100), unit("bad", 60, 100), unit("good", 20, 100)]
    points = by_key(funnel(units, target=0.39))
    assert [points[key].zone for key in ("usual", "odd", "bad", "good")] == [
        Zone.WITHIN,
        Zone.WARNING,
        Zone.ALARM,
        Zone.ALARM,
    ]
    assert [points[key].side for key in ("usual", "bad", "good")] == [None, Side.HIGH, Side.LOW]
    assert points["bad"].is_alarm(Side.HIGH)
    assert not points["bad"].is_alarm(Side.LOW)


def test_a_clustered_unit_is_judged_on_fewer_captures_than_it_has():
    bad = FunnelUnit(1, ClusteredCount.of_clusters([6] * 11 + [0] * 9, [6] * 20), 20)
    assert by_key(funnel([bad], target=0.39, design=INDEPENDENT))[1].zone is Zone.ALARM
    held = by_key(funnel([bad], target=0.39, design=DesignEffect(0.9, 30, 900)))[1]
    assert held.zone is Zone.WITHIN
    assert held.effective_n == pytest.approx(120 / 5.5)
    assert held.rate.n == 120


@pytest.mark.parametrize(("n", "n_patients"), [(29, 20), (200, 2)])
def test_too_few_captures_or_patients_are_never_judged(n, n_patients):
    found = funnel([unit("few", n, n, n_patients), unit("many", 40, 100)], target=0.4)
    few = by_key(found)["few"]
    assert (few.zone, few.p_value, few.q_value, few.is_discovery) == (Zone.TOO_FEW, None, None, False)
    assert found.n_judged == 1
    assert few.rate.value == 1.0


def test_the_false_discovery_rate_is_that_of_scipy_over_the_judged_units():
    units = [unit(k, k, 100) for k in (10, 30, 39, 42, 48, 62)]
    found = funnel([*units, unit("few", 9, 10)], target=0.39)
    judged = [point for point in found.points if point.zone is not Zone.TOO_FEW]
    assert [point.q_value for point in judged] == pytest.approx(
        false_discovery_control([point.p_value for point in judged])
    )
    assert [point.key for point in judged if point.is_discovery] == [10, 62]


def test_the_target_is_the_pooled_rate_unless_given():
    assert funnel([unit(1, 10, 50), unit(2, 16, 50)]).target == 0.26
    with pytest.raises(ValueError, match="a target lies between"):
        funnel([unit(1, 10, 50)], target=1.0)


def test_a_bad_site_does_not_make_good_ones_look_extraordinary():
    """The demo study's sites: with the pooled rate of 24 % the second would lie below the red line."""
    units = [unit("A", 20, 83), unit("B", 1, 38), unit("bad", 33, 41), unit("E", 3, 43), unit("H", 3, 46)]
    found = funnel(units)
    assert found.left_out == ("bad",)
    assert found.target == pytest.approx(27 / 210)
    assert {point.key for point in found.points if point.zone is Zone.ALARM} == {"bad"}
    assert by_key(funnel(units, target=60 / 251))["B"].zone is Zone.ALARM


def test_less_than_half_of_the_units_are_left_out_of_the_target():
    assert funnel([unit(1, 1, 100), unit(2, 99, 100)]).left_out == ()
    assert len(funnel([unit(1, 1, 100), unit(2, 99, 100), unit(3, 2, 100), unit(4, 98, 100)]).left_out) == 1


def test_many_studies_have_their_usual_rates_at_once():
    k, n = np.array([[10.0, 12.0, 90.0], [10.0, 12.0, 11.0]]), np.full((2, 3), 100.0)
    rates, is_out = usual_rate(k, n, n, np.ones((2, 3), bool))
    assert rates == pytest.approx([0.11, 0.11])
    assert is_out.tolist() == [[False, False, True], [False, False, False]]


@pytest.mark.parametrize("k", [0, 50])
def test_where_every_unit_has_the_same_extreme_rate_nobody_is_flagged(k):
    found = funnel([unit(1, k, 50), unit(2, k, 50)])
    assert {point.zone for point in found.points} == {Zone.WITHIN}
    assert found.limits([1, 50]).high_alarm.tolist() == [k / 50] * 2


def test_nothing_counted_is_no_funnel_and_an_empty_unit_no_point():
    assert funnel([]) == NotComputable("nothing counted yet")
    assert funnel([unit(1, 0, 0)]) == NotComputable("nothing counted yet")
    assert [point.key for point in funnel([unit(1, 0, 0), unit(2, 3, 9)]).points] == [2]


def test_a_single_capture_is_a_point():
    assert funnel([unit(1, 1, 1)]).points[0].zone is Zone.TOO_FEW


def test_the_curves_of_one_funnel_lie_inside_one_another():
    curves = funnel([unit(1, 39, 100)]).limits(np.linspace(1, 300, 60))
    assert (curves.low_alarm <= curves.low_warning).all()
    assert (curves.high_warning <= curves.high_alarm).all()


def test_many_funnels_at_once_say_what_each_says_alone():
    rng = np.random.default_rng(5)
    n = rng.integers(0, 120, (6, 40))
    k = rng.binomial(n, np.select([np.arange(40) < 4, np.arange(40) < 12], [0.6, 0.35], 0.2))
    patients = rng.integers(1, 8, 40)
    sizes = n / 1.4
    above, far_above = zones_above(k.astype(float), n.astype(float), sizes, (n >= 30) & (patients >= 3))
    for row in range(6):
        units = [unit(key, int(k[row, key]), int(n[row, key]), int(patients[key])) for key in range(40)]
        found = by_key(funnel(units, design=_Constant(0.0, 0, 0)))
        high = [key in found and found[key].side is Side.HIGH for key in range(40)]
        zones = [found[key].zone if key in found else Zone.TOO_FEW for key in range(40)]
        assert above[row].tolist() == [h and z in {Zone.WARNING, Zone.ALARM} for h, z in zip(high, zones, strict=True)]
        assert far_above[row].tolist() == [h and z is Zone.ALARM for h, z in zip(high, zones, strict=True)]
    assert far_above.any()
    assert (above & ~far_above).any()


class _Constant(DesignEffect):
    """1.4 for every unit."""

    def factor(self, count):
        return 1.4
