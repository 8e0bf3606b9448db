"""Control chart, CUSUM and EWMA of one trend above each other: pure functions of a trend. Draw nothing but charts."""

from collections.abc import Sequence
from datetime import date

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import AMBER, AXIS_PX, BETTER, CALM, FAINT, RED
from core.statistics.control_chart import ChartPoint
from core.statistics.funnel import Side
from core.store.mark import Mark
from core.usecases.watch_units import BaselineSource, Trend

WORSE, USUAL, BETTER_WORDS = "breaks a rule: too many", "breaks no rule", "breaks a rule: fewer"
STANDINGS = (WORSE, USUAL, BETTER_WORDS)
SELECTED = "point"
"""Name of the selection that a click on a point makes; its fields are ``from`` and ``to``."""
Row = dict[str, object]


def standing(point: ChartPoint) -> str:
    """The bad side outweighs the good one."""
    sides = {signal.side for signal in point.signals}
    return WORSE if Side.HIGH in sides else BETTER_WORDS if sides else USUAL


def point_rows(trend: Trend, since: date | None = None) -> list[Row]:
    """One row per point, as the charts and the download have it; the baseline's points say so."""
    baseline = trend.chart.baseline
    sums = {point.period: point for point in trend.cusum.points} if trend.cusum else {}
    averages = {point.period: point for point in trend.ewma.points} if trend.ewma else {}
    judged = set(trend.judged)
    rows: list[Row] = []
    for point in trend.chart.points:
        if since is not None and point.period.ends_on < since:
            continue
        summed, averaged = sums.get(point.period), averages.get(point.period)
        is_judged = point in judged
        rows.append(
            {
                "from": point.period.starts_on.isoformat(),
                "to": point.period.ends_on.isoformat(),
                "start": _noon(point.period.starts_on),
                "middle": _noon(point.period.starts_on + (point.period.ends_on - point.period.starts_on) / 2),
                "end": _noon(point.period.ends_on),
                "ungradable": point.period.count.k,
                "decided": point.period.count.n,
                "visits": point.period.count.n_clusters,
                "rate": point.value,
                "centre": baseline.centre,
                "low": point.low,
                "high": point.high,
                "standing": standing(point) if is_judged else USUAL,
                "rules": "; ".join(signal.rule for signal in point.signals) if is_judged else "",
                "is_baseline": is_of_baseline(trend, point),
                "cusum": summed.value if summed else None,
                "ewma": averaged.value if averaged else None,
            }
        )
    return rows


def is_of_baseline(trend: Trend, point: ChartPoint) -> bool:
    """Whether the baseline was taken from this point; one of the whole study was taken from no unit's points."""
    baseline, period = trend.chart.baseline, point.period
    within = baseline.starts_on <= period.starts_on and period.ends_on <= baseline.ends_on
    return within and trend.source is not BaselineSource.SHARED


def draw_control(trend: Trend, marks: Sequence[Mark] = (), since: date | None = None) -> alt.LayerChart:
    """Rate of ungradable first captures point by point, each with its own limits around the baseline's centre."""
    rows = point_rows(trend, since)
    base = chart_of(rows).encode(x=_time("middle", rows), y=_rate_axis(rows, trend.what))
    limits = chart_of(rows).mark_rect(color=FAINT, opacity=0.16).encode(
        x=_time("start", rows), x2=alt.X2("end:T"), y=alt.Y("low:Q"), y2=alt.Y2("high:Q")
    )  # fmt: skip
    centre = chart_of([{"centre": trend.chart.baseline.centre}]).mark_rule(color=FAINT, strokeDash=[5, 4])
    click = alt.selection_point(name=SELECTED, fields=["from", "to"], on="click", empty=False)
    present = [name for name in STANDINGS if name in {row["standing"] for row in rows}]
    legend = alt.Legend(orient="top", title=None, values=present, symbolOpacity=1, symbolSize=90, labelLimit=260)
    colour = alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=[RED, CALM, BETTER]), legend=legend)
    shapes = alt.Scale(domain=list(STANDINGS), range=["diamond", "circle", "triangle-down"])
    dots = base.mark_point(filled=True, size=90, opacity=1, cursor="pointer").encode(
        color=colour, shape=alt.Shape("standing:N", scale=shapes, legend=legend), tooltip=_tooltip(trend.what)
    )
    early = [limits, *_draw_baseline(rows), centre.encode(y=alt.Y("centre:Q"))]
    layers = [*early, *_mark_rules(rows, marks), base.mark_line(strokeWidth=1.6, color=CALM), dots.add_params(click)]
    return alt.LayerChart(layer=layers, height=270)


def draw_cusum(trend: Trend, since: date | None = None) -> alt.LayerChart:
    """The sum of evidence for doubled odds of failure, with the threshold at which it is a signal."""
    assert trend.cusum is not None, "drawn only where there is one"
    return _draw_sum(trend, since, "cusum", "CUSUM", [trend.cusum.plan.threshold])


def draw_ewma(trend: Trend, since: date | None = None) -> alt.LayerChart:
    """The moving average of the points in standard deviations, with the thresholds on both sides."""
    assert trend.ewma is not None, "drawn only where there is one"
    threshold = trend.ewma.plan.threshold
    return _draw_sum(trend, since, "ewma", "EWMA", [threshold, -threshold])


def _draw_sum(trend: Trend, since: date | None, field: str, title: str, thresholds: list[float]) -> alt.LayerChart:
    rows = point_rows(trend, since)
    values = [float(str(row[field])) for row in rows if row[field] is not None]
    reach = [min(0.0, *values, *thresholds), 1.1 * max(*values, *thresholds)] if values else [0.0, 1.0]
    axis = alt.Axis(tickCount=3, minExtent=AXIS_PX)
    y = alt.Y(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(domain=reach, nice=False))
    tooltip = [
        alt.Tooltip("from:N", title="From"), alt.Tooltip("to:N", title="To"),
        alt.Tooltip(f"{field}:Q", title=title, format=".2f"),
    ]  # fmt: skip
    line = chart_of(rows).encode(x=_time("middle", rows), y=y)
    limits = [
        chart_of([{"at": at}]).mark_rule(color=AMBER, strokeDash=[6, 4]).encode(y=alt.Y("at:Q")) for at in thresholds
    ]
    dots = line.mark_point(filled=True, size=40, color=CALM, opacity=1).encode(tooltip=tooltip)
    drawn = [*limits, line.mark_line(strokeWidth=1.8, color=CALM), dots]
    return alt.LayerChart(layer=drawn, height=110)


def _draw_baseline(rows: Sequence[Row]) -> list[alt.Chart]:
    """A bar along the bottom under the points that the baseline was taken from, where they are drawn."""
    own = [row for row in rows if row["is_baseline"]]
    if not own:
        return []
    span: Row = {"start": own[0]["start"], "end": own[-1]["end"], "zero": 0.0, "what": "baseline"}
    bar = chart_of([span]).mark_rule(color=FAINT, strokeWidth=5, opacity=0.8)
    return [
        bar.encode(
            x=_time("start", rows),
            x2=alt.X2("end:T"),
            y=alt.Y("zero:Q"),
            tooltip=[alt.Tooltip("what:N", title="Frozen")],
        )
    ]


def _mark_rules(rows: Sequence[Row], marks: Sequence[Mark]) -> list[alt.Chart]:
    if not rows:
        return []
    first, last = str(rows[0]["from"]), str(rows[-1]["to"])
    shown: list[Row] = [
        {
            "at": _noon(mark.happened_at.date()), "day": f"{mark.happened_at:%d %b %Y}", "kind": mark.kind,
            "text": mark.text,
        }
        for mark in marks
        if first <= mark.happened_at.date().isoformat() <= last
    ]  # fmt: skip
    if not shown:
        return []
    tooltip = [
        alt.Tooltip("day:N", title="On"),
        alt.Tooltip("kind:N", title="What"),
        alt.Tooltip("text:N", title="Which"),
    ]
    rule = chart_of(shown).mark_rule(strokeDash=[4, 3], strokeWidth=1.5, opacity=0.8, color=FAINT)
    return [rule.encode(x=_time("at", rows), tooltip=tooltip)]


def _rate_axis(rows: Sequence[Row], what: str) -> alt.Y:
    top = max([float(str(row["rate"])) for row in rows] + [float(str(row["high"])) for row in rows], default=1.0)
    axis = alt.Axis(format=".0%", tickCount=5, minExtent=AXIS_PX)
    scale = alt.Scale(domain=[0, min(1.0, top + 0.06)], nice=False)
    return alt.Y("rate:Q", title=what.capitalize(), axis=axis, scale=scale)


def _time(field: str, rows: Sequence[Row]) -> alt.X:
    """The same days on every chart of the page, so that points of one time stand above each other."""
    axis = alt.Axis(format="%d %b", labelOverlap=True, grid=False)
    domain = [str(rows[0]["start"]), str(rows[-1]["end"])] if rows else []
    scale = alt.Scale(domain=domain, nice=False, padding=12) if domain else alt.Scale(nice=False)
    return alt.X(f"{field}:T", title=None, axis=axis, scale=scale)


def _tooltip(what: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("from:N", title="From"),
        alt.Tooltip("to:N", title="To"),
        alt.Tooltip("rate:Q", title=what.capitalize(), format=".1%"),
        alt.Tooltip("ungradable:Q", title=f"{what.capitalize()} n"),
        alt.Tooltip("decided:Q", title="Of decided"),
        alt.Tooltip("visits:Q", title="Patient visits"),
        alt.Tooltip("low:Q", title="Lower limit", format=".1%"),
        alt.Tooltip("high:Q", title="Upper limit", format=".1%"),
        alt.Tooltip("rules:N", title="Broken rules"),
    ]


def _noon(day: date) -> str:
    """Noon without a time zone: the same day in every browser's local time."""
    return f"{day.isoformat()}T12:00:00"
