"""Charts of the tracker: time to receipt with its band, questions per 100 scans by site. Pure functions of values."""

from collections.abc import Sequence

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import AXIS_PX, CALM, FAINT, RED
from core.statistics.proportions import Proportion
from core.statistics.survival import TurnAround
from core.usecases.follow_requests import SiteQueries

Row = dict[str, object]
_ROW_PX, _FRAME_PX = 26, 60


def receipt_rows(found: TurnAround) -> list[Row]:
    """One row per step of the curve, from the day of the request on: share received by then, and its band."""
    rows: list[Row] = [{"days": 0.0, "received": 0.0, "low": 0.0, "high": 0.0}]
    steps = zip(found.times.tolist(), found.open_share.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    return rows + [
        {"days": days, "received": 1.0 - share, "low": 1.0 - high, "high": 1.0 - low}
        for days, share, low, high in steps
    ]


def draw_receipt(found: TurnAround) -> alt.LayerChart:
    """Share of requests whose replacement has come by each day, a step function, with its pointwise 95 % band."""
    base = chart_of(receipt_rows(found))
    x = alt.X("days:Q", title="Days since the request", scale=alt.Scale(nice=True))
    axis = alt.Axis(format=".0%", tickCount=5, minExtent=AXIS_PX)
    scale = alt.Scale(domain=[0, 1])
    tooltip = [
        alt.Tooltip("days:Q", title="Days", format=".1f"),
        alt.Tooltip("received:Q", title="Received", format=".0%"),
        alt.Tooltip("low:Q", title="95 % from", format=".0%"),
        alt.Tooltip("high:Q", title="95 % to", format=".0%"),
    ]
    band = base.mark_area(opacity=0.18, color=CALM, interpolate="step-after").encode(
        x=x, y=alt.Y("low:Q", title="Replacement received", axis=axis, scale=scale), y2=alt.Y2("high:Q")
    )
    line = base.mark_line(color=CALM, strokeWidth=2, interpolate="step-after").encode(
        x=x, y=alt.Y("received:Q", scale=scale), tooltip=tooltip
    )
    points = base.mark_point(color=CALM, filled=True, size=18, opacity=0.9).encode(
        x=x, y=alt.Y("received:Q", scale=scale), tooltip=tooltip
    )
    half = chart_of([{"half": 0.5}]).mark_rule(strokeDash=[4, 3], color=FAINT).encode(y=alt.Y("half:Q"))
    return alt.LayerChart(layer=[half, band, line, points], height=260)


def query_rows(queries: Sequence[SiteQueries]) -> list[Row]:
    """One row per site, as the download has it; rates are per 100 scans."""
    return [{"site": each.site_code} | proportion_columns(each.rate) for each in queries]


def proportion_columns(rate: Proportion) -> Row:
    """Count, of how many, and the rate with its interval per 100."""
    return {
        "asked": rate.k, "scored": rate.n, "per_100": 100 * rate.value, "low": 100 * rate.low, "high": 100 * rate.high,
    }  # fmt: skip


def draw_queries(queries: Sequence[SiteQueries], overall: Proportion | None) -> alt.LayerChart:
    """Scans asked about per 100 scored, site by site with intervals, and the programme's own as a line."""
    base = chart_of(query_rows(queries))
    order = [each.site_code for each in queries]
    y = alt.Y("site:N", sort=order, title=None, axis=alt.Axis(labelOverlap=False, minExtent=AXIS_PX))
    x = alt.X(
        "per_100:Q", title="Scans asked about per 100 scored", axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=True)
    )
    tooltip = [
        alt.Tooltip("site:N", title="Site"),
        alt.Tooltip("asked:Q", title="Asked about"),
        alt.Tooltip("scored:Q", title="Scored"),
        alt.Tooltip("per_100:Q", title="Per 100", format=".1f"),
        alt.Tooltip("low:Q", title="95 % from", format=".1f"),
        alt.Tooltip("high:Q", title="95 % to", format=".1f"),
    ]
    spans = base.mark_rule(color=FAINT, strokeWidth=2).encode(
        y=y, x=alt.X("low:Q"), x2=alt.X2("high:Q"), tooltip=tooltip
    )
    points = base.mark_point(filled=True, size=70, opacity=1, color=CALM).encode(y=y, x=x, tooltip=tooltip)
    layers = [spans, points]
    if overall is not None:
        line = [{"all": 100 * overall.value, "words": "all sites together"}]
        layers.insert(
            0,
            chart_of(line)
            .mark_rule(strokeDash=[4, 3], color=RED)
            .encode(
                x=alt.X("all:Q"), tooltip=[alt.Tooltip("words:N", title="Line"), alt.Tooltip("all:Q", format=".1f")]
            ),
        )
    return alt.LayerChart(layer=layers, height=_ROW_PX * max(3, len(queries)) + _FRAME_PX)
