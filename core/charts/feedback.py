"""The chart of a technician's own rate over time beside the study's median. A pure function of frozen values."""

from collections.abc import Sequence

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import AXIS_PX, CALM, FAINT
from core.store.first_pass import StudyMedian
from core.usecases.give_feedback import TrendPoint

Row = dict[str, object]


def trend_rows(points: Sequence[TrendPoint]) -> list[Row]:
    """One row per point, as the download has it."""
    return [
        {
            "from": point.starts_on.isoformat(), "to": point.ends_on.isoformat(), "gradable": point.rate.k,
            "decided": point.rate.n, "rate": point.rate.value, "low": point.rate.low, "high": point.rate.high,
        }
        for point in points
    ]  # fmt: skip


def draw_trend(points: Sequence[TrendPoint], median: StudyMedian | None) -> alt.LayerChart:
    """Own gradable share at the first pass, four weeks a point, with intervals; the median as a line with its band."""
    base = chart_of(trend_rows(points))
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5, minExtent=AXIS_PX)
    x = alt.X("from:T", title=None, axis=alt.Axis(format="%d %b", labelOverlap=True))
    tooltip = [
        alt.Tooltip("from:T", title="From", format="%d %b %Y"),
        alt.Tooltip("to:T", title="To", format="%d %b %Y"),
        alt.Tooltip("rate:Q", title="Gradable", format=".0%"),
        alt.Tooltip("low:Q", title="95 % from", format=".0%"),
        alt.Tooltip("high:Q", title="95 % to", format=".0%"),
        alt.Tooltip("gradable:Q", title="Gradable n"),
        alt.Tooltip("decided:Q", title="Of"),
    ]
    y = alt.Y("rate:Q", title="Gradable at the first pass", axis=axis, scale=scale)
    spans = base.mark_rule(strokeWidth=2, opacity=0.55, color=CALM).encode(
        x=x, y=alt.Y("low:Q", scale=scale), y2=alt.Y2("high:Q"), tooltip=tooltip
    )
    line = base.mark_line(color=CALM, strokeWidth=2).encode(x=x, y=y)
    marks = base.mark_point(filled=True, size=70, opacity=1, color=CALM).encode(x=x, y=y, tooltip=tooltip)
    layers = [line, spans, marks]
    if median is not None:
        row = {"median": median.median, "low": median.low, "high": median.high, "words": "median of the study"}
        shown = chart_of([row])
        tips = [alt.Tooltip("words:N", title="Line"), alt.Tooltip("median:Q", title="Gradable", format=".0%")]
        band = shown.mark_rect(opacity=0.16, color=FAINT).encode(y=alt.Y("low:Q", scale=scale), y2=alt.Y2("high:Q"))
        rule = shown.mark_rule(strokeDash=[5, 4], strokeWidth=1.6, color=FAINT).encode(
            y=alt.Y("median:Q", scale=scale), tooltip=tips
        )
        layers = [band, rule, *layers]
    return alt.LayerChart(layer=layers, height=260)
