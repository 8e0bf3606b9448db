"""CUSUM and EWMA find a slow decline that single points hide, say since when, and hold still while nothing changes."""

from datetime import date, timedelta

import numpy as np
import pytest

from core.statistics.clustering import INDEPENDENT, ClusteredCount, DesignEffect
from core.statistics.control_chart import Period
from core.statistics.cusum import cusum, plan_cusum, running_sum, scores
from core.statistics.ewma import ewma, moving_average, plan_ewma
from core.statistics.funnel import Side

START = date(2026, 1, 5)


def weeks(counts, n=20):
    days = [START + timedelta(weeks=number) for number in range(len(counts))]
    return [
        Period(day, day + timedelta(days=6), ClusteredCount.independent(int(k), n if k is not None else 0))
        for day, k in zip(days, counts, strict=True)
    ]


BASELINE = [period.count for period in weeks([4] * 25)]
SLOW = [4] * 20 + [7] * 12
"""From 20 % to 35 %: no single week leaves the limits of three standard deviations (0 to 48 %)."""


def test_a_score_is_the_log_likelihood_ratio_of_steiner():
    # Risk 20 %, odds ratio 2: a failure weighs log(2 / 1.2), a success log(1 / 1.2).
    assert scores(1, 1, 0.2, 2.0) == pytest.approx(np.log(2 / 1.2))
    assert scores(0, 1, 0.2, 2.0) == pytest.approx(np.log(1 / 1.2))
    assert scores(3, 10, 0.2, 2.0, 2.0) == pytest.approx((3 * np.log(2 / 1.2) + 7 * np.log(1 / 1.2)) / 2)


def test_the_sum_never_falls_below_nought():
    assert running_sum(np.array([-1.0, 2.0, -3.0, 1.0, 1.0])) == pytest.approx([0, 2, 0, 1, 2])
    assert running_sum(np.array([])).shape == (0,)


def test_a_slow_decline_is_signalled_and_dated():
    found = cusum(weeks(SLOW), 0.2, plan_cusum(BASELINE, 0.2, INDEPENDENT))
    assert not any(point.is_signal for point in found.points[:20])
    assert found.points[-1].is_signal
    assert found.changed_after == START + timedelta(weeks=19, days=6)


def test_a_sum_that_was_never_at_nought_left_it_with_the_first_point():
    found = cusum(weeks([9] * 10), 0.2, plan_cusum(BASELINE, 0.2, INDEPENDENT))
    assert found.changed_after == START


def test_while_nothing_changes_nothing_is_dated():
    found = cusum(weeks([4, 5, 3] * 8), 0.2, plan_cusum(BASELINE, 0.2, INDEPENDENT))
    assert found.changed_after is None


def test_an_odds_ratio_below_one_looks_for_an_improvement():
    plan = plan_cusum(BASELINE, 0.2, INDEPENDENT, odds_ratio=0.5)
    assert cusum(weeks([1] * 15), 0.2, plan).points[-1].is_signal
    assert not any(point.is_signal for point in cusum(weeks(SLOW), 0.2, plan).points)


def test_expected_rates_that_follow_the_cases_explain_a_hard_month():
    plan = plan_cusum(BASELINE, 0.2, INDEPENDENT)
    explained = cusum(weeks(SLOW), [0.2] * 20 + [0.35] * 12, plan)
    assert not any(point.is_signal for point in explained.points)


def test_clustered_visits_need_more_evidence():
    visits = [ClusteredCount.of_clusters([1] * 4, [5] * 4)] * 25
    clustered = DesignEffect(0.5, 9, 99)
    plan = plan_cusum(visits, 0.2, clustered)
    periods = [
        Period(week.starts_on, week.ends_on, ClusteredCount.of_clusters([1] * 3 + [4], [5] * 4)) for week in weeks(SLOW)
    ]
    plain = cusum(periods, 0.2, plan_cusum(visits, 0.2, INDEPENDENT))
    held = cusum(periods, 0.2, plan)
    assert sum(point.is_signal for point in held.points) < sum(point.is_signal for point in plain.points)


def test_points_that_scatter_more_than_chance_need_more_evidence():
    plain, restless = (plan_cusum(BASELINE, 0.2, INDEPENDENT, sigma_z=sigma_z) for sigma_z in (1.0, 1.6))
    signals = [sum(point.is_signal for point in cusum(weeks(SLOW), 0.2, plan).points) for plan in (plain, restless)]
    assert signals[1] < signals[0]
    assert restless.scatter.factor(BASELINE[0]) == pytest.approx(2.56)
    calm, wide = (plan_ewma(BASELINE, 0.2, INDEPENDENT, sigma_z=sigma_z) for sigma_z in (1.0, 1.6))
    assert abs(ewma(weeks(SLOW), 0.2, wide).points[-1].value) < abs(ewma(weeks(SLOW), 0.2, calm).points[-1].value)


def test_the_average_is_worked_out_by_hand():
    assert moving_average(np.array([1.0, 0.0, 2.0]), 0.5) == pytest.approx([0.5, 0.25, 1.125])


def test_the_average_signals_a_slow_decline_on_its_side():
    found = ewma(weeks(SLOW), 0.2, plan_ewma(BASELINE, 0.2, INDEPENDENT))
    assert {point.signal for point in found.points[:20]} == {None}
    assert found.points[-1].signal is Side.HIGH
    better = ewma(weeks([1] * 20), 0.2, plan_ewma(BASELINE, 0.2, INDEPENDENT))
    assert better.points[-1].signal is Side.LOW


def test_periods_without_any_count_are_left_out():
    periods = weeks([4, 4])
    empty = Period(START, START, ClusteredCount())
    assert len(cusum([empty, *periods], 0.2, plan_cusum(BASELINE, 0.2, INDEPENDENT)).points) == 2
    assert len(ewma([empty, *periods], 0.2, plan_ewma(BASELINE, 0.2, INDEPENDENT)).points) == 2
    assert cusum([], 0.2, plan_cusum(BASELINE, 0.2, INDEPENDENT)).points == ()
    assert ewma([], 0.2, plan_ewma(BASELINE, 0.2, INDEPENDENT)).points == ()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_of_none_or_all_cannot_be_planned_for(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan_cusum(BASELINE, rate, INDEPENDENT)
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan_ewma(BASELINE, rate, INDEPENDENT)


def test_odds_and_weights_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="odds ratio"):
        plan_cusum(BASELINE, 0.2, INDEPENDENT, odds_ratio=1.0)
    with pytest.raises(ValueError, match="weight"):
        plan_ewma(BASELINE, 0.2, INDEPENDENT, weight=0.0)
