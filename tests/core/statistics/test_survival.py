"""Kaplan-Meier against a published data set and statsmodels; open items are neither dropped nor taken for done."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from core.statistics.survival import duration_reached, turn_around
from core.values import NotComputable

WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
IS_CLOSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
"""Remission under 6-MP, Freireich et al. 1963, doi:10.1182/blood.V21.6.699.699."""


def test_it_gives_the_published_curve_and_median():
    found = turn_around(WEEKS, np.array(IS_CLOSED, bool))
    curve = dict(zip(found.times.tolist(), found.open_share.round(3).tolist(), strict=True))
    assert (curve[6], curve[13], curve[23]) == (0.857, 0.69, 0.448)
    # R: survfit(..., conf.type = "log-log") gives 23, from 13 to infinity.
    assert (found.median.value, found.median.low, found.median.high) == (23.0, 13.0, None)
    assert found.p90 == NotComputable("less than 90% are done by the longest time seen")
    assert (found.n, found.n_open) == (21, 12)


def test_curve_and_intervals_are_those_of_statsmodels():
    rng = np.random.default_rng(0)
    done, now = rng.exponential(5.0, 120), rng.uniform(0, 20, 120)
    found = turn_around(np.minimum(done, now), done <= now)
    other = SurvfuncRight(np.minimum(done, now), (done <= now).astype(int))
    at = np.searchsorted(found.times, other.surv_times)
    assert found.open_share[at] == pytest.approx(other.surv_prob)
    assert found.median.value == other.quantile(0.5)
    assert (found.median.low, found.median.high) == pytest.approx(other.quantile_ci(0.5), abs=0.4)


def test_leaving_out_the_open_ones_would_make_a_backlog_look_fast():
    days = [1, 1, 2, 2, 30, 30, 30, 30]
    is_closed = [True] * 4 + [False] * 4
    assert turn_around(days[:4], is_closed[:4]).median.value == 1
    assert isinstance(turn_around(days, is_closed).p90, NotComputable)


def test_when_all_are_closed_the_quantiles_are_those_of_the_durations():
    found = turn_around(np.arange(1, 101), np.ones(100, bool))
    assert (found.median.value, found.p90.value) == (50, 90)
    assert found.median.low < 50 < found.median.high
    assert found.p90.high <= 100


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_single_item_and_only_open_ones_have_an_answer(is_closed):
    found = turn_around([3.0], [is_closed])
    assert found.n_open == (not is_closed)
    assert isinstance(found.median, NotComputable) == (not is_closed)


def test_an_item_answered_at_once_counts():
    assert turn_around([0.0, 0.0, 4.0], [True, True, True]).median.value == 0.0


def test_nothing_and_nonsense():
    assert turn_around([], []) == NotComputable("nothing counted yet")
    with pytest.raises(ValueError, match="at least 0"):
        turn_around([-1.0], [True])
    with pytest.raises(ValueError, match="at least 0"):
        turn_around([1.0, 2.0], [True])


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_time_reached_is_that_of_the_curve(n):
    rng = np.random.default_rng(n)
    for _ in range(50):
        days, is_closed = rng.integers(0, 12, n), rng.random(n) < 0.7
        expected = turn_around(days, is_closed).p90
        found = duration_reached(days, is_closed, 0.9)
        assert found == (None if isinstance(expected, NotComputable) else expected.value)
