"""The chart by week: first-pass and final rate with intervals, and how many captures stand behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import altair as alt

from core.charts.inline import chart_of
from core.statistics.clustering import proportions
from core.statistics.proportions import Proportion
from core.store.mark import Mark
from core.store.overview import WeekTally

FIRST = "First pass"
FINAL = "Final"
_FEW = 4
AXIS_PX = 44
"""Both charts' vertical axes take this much, so that their weeks stand above each other."""


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """One week: both rates (None where nothing was decided) and the captures decided."""

    week_on: date
    first_pass: Proportion | None
    final: Proportion | None
    decided: int


def week_points(weeks: Sequence[WeekTally], factor: float) -> tuple[WeekPoint, ...]:
    """The rates of each week with their intervals under a design effect of ``factor``."""
    first_pass = proportions([(week.tally.gradable, week.tally.decided) for week in weeks], factor)
    final = proportions([(week.tally.final_gradable, week.tally.final_received) for week in weeks], factor)
    return tuple(
        WeekPoint(week.week_on, first_rate, final_rate, week.tally.decided)
        for week, first_rate, final_rate in zip(weeks, first_pass, final, strict=True)
    )


def week_rows(points: Sequence[WeekPoint]) -> list[dict[str, object]]:
    """One row per week, as the download has it; figures are empty where nothing was decided."""
    return [
        {"week": point.week_on.isoformat(), "decided": point.decided}
        | _columns("first_pass", point.first_pass)
        | _columns("final", point.final)
        for point in points
    ]


def _columns(name: str, rate: Proportion | None) -> dict[str, object]:
    if rate is None:
        return {}
    return {
        f"{name}_gradable": rate.k, f"{name}_of": rate.n, name: rate.value, f"{name}_low": rate.low,
        f"{name}_high": rate.high,
    }  # fmt: skip


def draw_rates(points: Sequence[WeekPoint], marks: Sequence[Mark] = ()) -> alt.LayerChart:
    """Both rates over the weeks with intervals, and a line where something happened. Colours come from the theme."""
    tooltip = [
        alt.Tooltip("week:T", title="Week from", format="%d %b %Y"),
        alt.Tooltip("series:N", title="Rate"),
        alt.Tooltip("value:Q", title="Gradable", format=".0%"),
        alt.Tooltip("low:Q", title="95 % from", format=".0%"),
        alt.Tooltip("high:Q", title="95 % to", format=".0%"),
        alt.Tooltip("k:Q", title="Gradable n"),
        alt.Tooltip("n:Q", title="Of"),
    ]
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5, minExtent=AXIS_PX)
    legend = alt.Legend(orient="top", symbolOpacity=1, symbolSize=90)
    # One domain for both: only so do colour and shape share one legend.
    series = alt.Scale(domain=[FIRST, FINAL])
    colour = alt.Color("series:N", title=None, scale=series, legend=legend)
    base = chart_of(_rate_rows(points)).encode(
        x=_week_axis(points), y=alt.Y("value:Q", scale=scale, title="Gradable", axis=axis), color=colour
    )
    # One band only: two of them over each other show neither.
    band = base.transform_filter(alt.datum.series == FIRST).mark_area(opacity=0.14)
    line = base.mark_line(strokeWidth=2)
    dots = base.mark_point(filled=True, size=46, opacity=1).encode(
        shape=alt.Shape("series:N", title=None, scale=series, legend=legend), tooltip=tooltip
    )
    layers = [band.encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q")), line, dots]
    shown = _mark_rows(points, marks)
    if shown:
        layers.append(_draw_marks(points, shown))
    return alt.LayerChart(layer=layers, height=240)


def _draw_marks(points: Sequence[WeekPoint], rows: list[dict[str, object]]) -> alt.Chart:
    tooltip = [
        alt.Tooltip("day:N", title="On"),
        alt.Tooltip("kind:N", title="What"),
        alt.Tooltip("text:N", title="Which"),
    ]
    rule = chart_of(rows).mark_rule(strokeDash=[4, 3], strokeWidth=1.5, opacity=0.7, color="#7a8894")
    chart: alt.Chart = rule.encode(x=_week_axis(points), tooltip=tooltip)
    return chart


def draw_counts(points: Sequence[WeekPoint]) -> alt.Chart:
    """How many captures were decided in each week: how much the rates above weigh."""
    tooltip = [
        alt.Tooltip("week:T", title="Week from", format="%d %b %Y"),
        alt.Tooltip("decided:Q", title="First captures decided"),
    ]
    top = max((point.decided for point in points), default=0)
    # Else there would be halves of captures.
    values = sorted({0, top // 2, top}) if top < _FEW else alt.Undefined
    axis = alt.Axis(tickCount=2, format="d", minExtent=AXIS_PX, values=values)
    bars = chart_of(_count_rows(points)).mark_bar(size=9, opacity=0.5)
    chart: alt.Chart = bars.encode(
        x=_week_axis(points), y=alt.Y("decided:Q", title="Decided", axis=axis), tooltip=tooltip
    ).properties(height=95)
    return chart


def _week_axis(points: Sequence[WeekPoint]) -> alt.X:
    """Ticks on the Mondays that have data, so that a label never names a day in mid-week."""
    mondays = [_noon(point.week_on) for point in points]
    every = max(1, len(mondays) // 9)
    axis = alt.Axis(values=mondays[::every], format="%d %b", labelOverlap=True, grid=False)
    return alt.X("week:T", title=None, axis=axis, scale=alt.Scale(nice=False, padding=14))


def _noon(day: date) -> str:
    """Noon without a time zone: the same day in every browser's local time."""
    return f"{day.isoformat()}T12:00:00"


def _rate_rows(points: Sequence[WeekPoint]) -> list[dict[str, object]]:
    return [
        {
            "week": _noon(point.week_on),
            "series": series,
            "value": rate.value,
            "low": rate.low,
            "high": rate.high,
            "k": rate.k,
            "n": rate.n,
        }
        for point in points
        for series, rate in ((FIRST, point.first_pass), (FINAL, point.final))
        if rate is not None
    ]


def _mark_rows(points: Sequence[WeekPoint], marks: Sequence[Mark]) -> list[dict[str, object]]:
    """Marks within the weeks that are drawn; each stands at its week's Monday, like the week's point."""
    weeks = {point.week_on for point in points}
    return [
        {"week": _noon(mark.week_on), "day": f"{mark.happened_at:%d %b %Y}", "kind": mark.kind, "text": mark.text}
        for mark in marks
        if weeks and min(weeks) <= mark.week_on <= max(weeks)
    ]


def _count_rows(points: Sequence[WeekPoint]) -> list[dict[str, object]]:
    return [{"week": _noon(point.week_on), "decided": point.decided} for point in points]
