"""The chart by week says what the counts say."""

from datetime import UTC, date, datetime

from core.charts.dictionaries import WEEK_COLUMNS
from core.charts.weekly import FINAL, FIRST, draw_counts, draw_rates, week_points, week_rows
from core.store.mark import Mark
from core.store.overview import WeekTally
from core.store.tally import Tally

WEEKS = (
    WeekTally(date(2026, 3, 2), Tally(received=12, decided=10, gradable=7, final_received=11, final_gradable=10)),
    WeekTally(date(2026, 3, 9), Tally(received=3, decided=0, gradable=0, final_received=3, final_gradable=0)),
)


def test_rates_and_intervals_come_from_the_counts():
    first, second = week_points(WEEKS, 1.0)
    assert (first.first_pass.k, first.first_pass.n, first.final.n) == (7, 10, 11)
    assert first.first_pass.low < 0.7 < first.first_pass.high
    assert second.first_pass is None, "a week in which nothing was decided has no rate"
    assert second.final.value == 0


def test_a_week_without_decisions_leaves_no_point_of_that_rate():
    rows = draw_rates(week_points(WEEKS, 1.0)).data.values
    assert [(row["week"][:10], row["series"]) for row in rows] == [
        ("2026-03-02", FIRST),
        ("2026-03-02", FINAL),
        ("2026-03-09", FINAL),
    ]


def test_the_axis_of_rates_runs_from_nothing_to_everything():
    line = draw_rates(week_points(WEEKS, 1.0)).to_dict()["layer"][1]
    assert line["encoding"]["y"]["scale"]["domain"] == [0, 1]


def test_ticks_are_the_mondays_of_the_data():
    axis = draw_counts(week_points(WEEKS, 1.0)).to_dict()["encoding"]["x"]["axis"]
    assert axis["values"] == ["2026-03-02T12:00:00", "2026-03-09T12:00:00"]


def test_no_weeks_are_an_empty_chart_and_no_error():
    assert draw_rates(()).to_dict()["layer"]
    assert draw_counts(()).data.values == []


def test_a_mark_stands_at_its_week_and_only_within_the_weeks_drawn():
    def mark(day: int) -> Mark:
        return Mark(datetime(2026, 3, day, 15, tzinfo=UTC), "software update", "S01-A: 1.2 to 1.3", "S01")

    assert [mark(day).week_on.day for day in (9, 15)] == [9, 9]
    *_, rule = draw_rates(week_points(WEEKS, 1.0), [mark(11), mark(20)]).layer
    assert rule.mark.type == "rule"
    assert [row["week"] for row in rule.data.values] == ["2026-03-09T12:00:00"]
    assert len(draw_rates(week_points(WEEKS, 1.0), [mark(20)]).layer) == 3


def test_the_download_has_both_rates_of_every_week():
    first, second = week_rows(week_points(WEEKS, 1.0))
    assert set(first) == set(WEEK_COLUMNS)
    assert (first["week"], first["first_pass_gradable"], first["first_pass_of"]) == ("2026-03-02", 7, 10)
    assert "first_pass" not in second, "nothing was decided in that week"
    assert second["final"] == 0
