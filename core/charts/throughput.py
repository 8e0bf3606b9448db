"""Scans scored per hour: a pure function of counted hours."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import CALM
from core.store.queue_state import ScoredHour

HOURS = 24
Row = dict[str, object]


def hour_rows(hours: Sequence[ScoredHour], *, until: datetime) -> list[Row]:
    """One row per hour of the last 24, those without a scored scan included; the last one is not over yet."""
    last = until.replace(minute=0, second=0, microsecond=0)
    counted = {hour.started_at: hour.n_scored for hour in hours}
    starts = [last - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    return [{"hour": start.isoformat(), "scored": counted.get(start, 0), "is_open": start == last} for start in starts]


def draw_throughput(hours: Sequence[ScoredHour], *, until: datetime) -> alt.Chart:
    """A bar per hour of the last 24 (UTC); the present hour is pale, for it is not over."""
    rows = hour_rows(hours, until=until)
    scale = alt.Scale(domainMin=0, domainMax=alt.Undefined if any(row["scored"] for row in rows) else 1)
    chart: alt.Chart = (
        chart_of(rows)
        .mark_bar(color=CALM)
        .encode(
            x=alt.X(
                "utcyearmonthdatehours(hour):O",
                title="Hour (UTC)",
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", format="%H"),
            ),
            y=alt.Y(
                "scored:Q", title="Scans scored", scale=scale, axis=alt.Axis(format=",d", tickMinStep=1, tickCount=4)
            ),
            opacity=alt.condition("datum.is_open", alt.value(0.45), alt.value(1)),
            tooltip=[
                alt.Tooltip("hour:T", title="From", format="%d %b %H:%M"),
                alt.Tooltip("scored:Q", title="Scored", format=",d"),
            ],
        )
        .properties(height=150)
    )
    return chart
