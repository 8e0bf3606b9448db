"""Points are pooled and never moved, baselines are frozen, and each run rule fires where it should and nowhere else."""

from datetime import date, timedelta

import numpy as np
import pytest

from core.statistics.clustering import INDEPENDENT, ClusteredCount, DesignEffect
from core.statistics.control_chart import (
    ChartKind,
    Period,
    Rule,
    Signal,
    control_chart,
    control_charts,
    freeze_baseline,
    pool_periods,
    run_signals,
)
from core.statistics.funnel import Side
from core.values import NotComputable

START = date(2026, 1, 5)


def week(number, k, n):
    starts_on = START + timedelta(weeks=number)
    return Period(starts_on, starts_on + timedelta(days=6), ClusteredCount.independent(k, n))


def weeks(k, n=20):
    return [week(number, each, n) for number, each in enumerate(k)]


def baseline(k=(8, 9, 7, 8, 8, 9, 7, 8, 8, 8), n=20):
    return freeze_baseline(weeks(k, n), INDEPENDENT)


def fired(values):
    values = np.array(values, float)
    found = run_signals(values, np.full_like(values, 0.1), np.full_like(values, 0.9), 0.5)
    return [{(signal.rule, signal.side) for signal in each} for each in found]


def test_weeks_with_few_visits_are_pooled_until_there_are_enough():
    points, pending = pool_periods([week(0, 1, 2), week(1, 1, 4), week(2, 0, 5), week(3, 2, 3)])
    assert [(p.count.k, p.count.n, p.starts_on, p.ends_on) for p in points] == [
        (2, 6, START, START + timedelta(days=13)),
        (0, 5, START + timedelta(days=14), START + timedelta(days=20)),
    ]
    assert pending.count.n == 3
    assert pool_periods([]) == ((), None)


def test_a_new_week_never_moves_an_old_point():
    rng = np.random.default_rng(0)
    periods = [week(number, 0, int(n)) for number, n in enumerate(rng.integers(0, 7, 60))]
    whole, _ = pool_periods(periods)
    for upto in range(0, 60, 7):
        before, _ = pool_periods(periods[:upto])
        assert whole[: len(before)] == before


def test_a_chart_per_k_visits_pools_until_k():
    points, _ = pool_periods([week(number, 1, 4) for number in range(20)], min_visits=12)
    assert {point.count.n for point in points} == {12}


def test_the_baseline_is_the_pooled_rate_of_its_own_points():
    found = baseline()
    assert (found.centre, found.n, found.n_points) == (0.4, 200, 10)
    assert (found.starts_on, found.ends_on) == (START, START + timedelta(weeks=9, days=6))
    assert found.sigma_z == 1.0


def test_laneys_factor_is_worked_out_by_hand():
    # z alternates between -a and a: every moving range is 2 a, over 1.128.
    found = baseline([4, 12] * 5)
    a = 0.2 / np.sqrt(0.4 * 0.6 / 20)
    assert found.sigma_z == pytest.approx(2 * a / 1.128)


def test_too_few_points_make_no_baseline():
    assert isinstance(freeze_baseline(weeks([8] * 7), INDEPENDENT), NotComputable)
    assert freeze_baseline([], INDEPENDENT) == NotComputable("nothing counted yet")


def test_limits_are_laneys_for_many_captures():
    found = baseline([760, 840] * 5, n=2000)
    low, high = found.limits([ClusteredCount.independent(0, 2000)], ChartKind.LANEY)
    half = 3 * found.sigma_z * np.sqrt(0.4 * 0.6 / 2000)
    assert found.sigma_z > 3
    assert (low[0], high[0]) == pytest.approx((0.4 - half, 0.4 + half), abs=0.003)
    low, high = found.limits([ClusteredCount.independent(0, 2000)], ChartKind.P)
    half = 3 * np.sqrt(0.4 * 0.6 / 2000)
    assert (low[0], high[0]) == pytest.approx((0.4 - half, 0.4 + half), abs=0.001)


def test_clustering_widens_the_limits():
    six_each = ClusteredCount.of_clusters([2] * 10, [6] * 10)
    plain, clustered = (
        freeze_baseline(weeks([8] * 10), design).limits([six_each], ChartKind.P)
        for design in (INDEPENDENT, DesignEffect(0.5, 9, 99))
    )
    assert clustered[1][0] > plain[1][0]


def test_one_point_beyond_the_limits_fires_there_and_only_there():
    assert fired([0.5, 0.95, 0.5, 0.05, 0.5])[1:4] == [{(Rule.ONE_OUT, Side.HIGH)}, set(), {(Rule.ONE_OUT, Side.LOW)}]


def test_eight_on_one_side_fires_at_the_eighth_and_a_value_on_the_centre_ends_the_run():
    low_run = [0.4, 0.3] * 4
    assert fired(low_run)[6:] == [set(), {(Rule.EIGHT_ON_ONE_SIDE, Side.LOW)}]
    assert not any(fired([*low_run[:5], 0.5, *low_run[:5]]))


def test_six_in_a_row_rising_fires_at_the_sixth_and_two_equal_values_end_it():
    assert fired([0.46, 0.47, 0.48, 0.49, 0.51, 0.52])[4:] == [set(), {(Rule.SIX_TREND, Side.HIGH)}]
    assert not any(fired([0.46, 0.47, 0.48, 0.48, 0.49, 0.51, 0.52]))
    assert fired([0.54, 0.53, 0.52, 0.51, 0.49, 0.48])[5] == {(Rule.SIX_TREND, Side.LOW)}


def test_a_planted_step_is_signalled_and_the_baseline_does_not_follow_it():
    held = baseline()
    chart = control_chart(weeks([8, 7, 9, 8, 17, 16, 18]), held, ChartKind.P)
    assert [Signal(Rule.ONE_OUT, Side.HIGH) in point.signals for point in chart.points] == [False] * 4 + [True] * 3
    assert chart.baseline == held
    assert chart.points[0].value == 0.4


def test_many_charts_at_once_are_the_charts_one_by_one():
    series = [(weeks([8, 7, 0, 8, 17]), baseline()), ([], baseline()), (weeks([3, 30], n=50), baseline([4, 12] * 5))]
    assert control_charts(series) == tuple(control_chart(points, held) for points, held in series)
    assert control_charts([]) == ()


def test_points_without_any_count_and_charts_without_points_are_drawn_empty():
    assert control_chart([], baseline()).points == ()
    assert len(control_chart([week(0, 0, 0), week(1, 8, 20)], baseline()).points) == 1


def test_a_baseline_without_a_poor_capture_expects_half_of_one():
    assert baseline([0] * 10).expected_rate == pytest.approx(0.5 / 201)
    assert baseline([20] * 10).expected_rate == pytest.approx(200.5 / 201)
    assert baseline().expected_rate == 0.4


@pytest.mark.parametrize("k", [0, 20])
def test_a_baseline_of_none_or_all_flags_any_other_rate(k):
    held = baseline([k] * 10)
    chart = control_chart(weeks([k, 10]), held)
    assert [bool(point.signals) for point in chart.points] == [False, True]
