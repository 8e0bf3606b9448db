"""Periods are whole weeks, up to and including the present one."""

from datetime import date

from dashboard.filters import Period, period_bounds


def test_all_time_has_no_bounds():
    assert period_bounds(Period.ALL, date(2026, 3, 4)) == (None, None)


def test_a_period_ends_with_the_present_week_and_begins_on_a_monday():
    for today in (date(2026, 3, 2), date(2026, 3, 4), date(2026, 3, 8)):
        since, until = period_bounds(Period.WEEKS_4, today)
        assert (since, until) == (date(2026, 2, 9), date(2026, 3, 9))
