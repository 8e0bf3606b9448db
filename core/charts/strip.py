"""Strip plots: every scan a mark in the row of its group, with the middle half of the group. Pure functions of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import CALM, FAINT, RED

Row = dict[str, object]
SELECTED = "scan"
"""Name of the selection that a click on a mark makes; its field is ``scan``."""
USUAL, OUTLIER = "usual", "outlier"
_ROW_PX = 40
_FRAME_PX = 70
_LEAST_PX = 150
_GOLDEN = 0.6180339887498949
"""Steps of the golden ratio spread marks evenly, and each scan keeps its height from day to day."""


@dataclass(frozen=True, slots=True)
class Strips:
    """What to draw.

    ``marks`` hold ``strip``, ``value`` and ``scan`` each, may hold ``standing`` (``USUAL`` or ``OUTLIER``) and what
    ``tooltip`` asks for. ``spans`` hold ``strip``, ``low``, ``middle`` and ``high``. ``order`` is from top to bottom.
    """

    marks: Sequence[Row]
    spans: Sequence[Row]
    order: Sequence[str]
    title: str
    number: str
    tooltip: Sequence[alt.Tooltip]
    domain: tuple[float, float] | None = None
    """Ends of the axis; None: of the values."""


def draw_strips(strips: Strips, behind: Sequence[alt.Chart] = ()) -> alt.LayerChart:
    """One row per group: a mark per scan, a bar from the first to the third quartile, a tick at the median."""
    y = alt.Y(
        "strip:N", sort=list(strips.order), title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False, grid=False)
    )
    x = alt.X(
        "value:Q", title=strips.title, axis=alt.Axis(format=strips.number, tickCount=10), scale=alt.Scale(zero=False)
    )
    marks = [{"standing": USUAL, **row, "spread": (int(str(row["scan"])) * _GOLDEN) % 1.0} for row in strips.marks]
    click = alt.selection_point(name=SELECTED, fields=["scan"], on="click", empty=False)
    standing = alt.Scale(domain=[USUAL, OUTLIER], range=[CALM, RED])
    shapes = alt.Scale(domain=[USUAL, OUTLIER], range=["circle", "diamond"])
    points = (
        chart_of(marks)
        .mark_point(filled=True, size=36, opacity=0.7, cursor="pointer")
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("spread:Q", scale=alt.Scale(domain=[-0.35, 1.35])),
            color=alt.Color("standing:N", scale=standing, legend=None),
            shape=alt.Shape("standing:N", scale=shapes, legend=None),
            tooltip=list(strips.tooltip),
        )
        .add_params(click)
    )
    base = chart_of(strips.spans).encode(y=y)
    hover = [
        alt.Tooltip("strip:N", title="Group"), alt.Tooltip("middle:Q", title="Median", format=strips.number),
        alt.Tooltip("low:Q", title="1st quartile", format=strips.number),
        alt.Tooltip("high:Q", title="3rd quartile", format=strips.number),
    ]  # fmt: skip
    halves = base.mark_bar(height=26, opacity=0.16, color=FAINT).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q"), tooltip=hover
    )
    medians = base.mark_tick(thickness=2.5, height=26, color=FAINT).encode(x=alt.X("middle:Q"), tooltip=hover)
    height = max(_LEAST_PX, _ROW_PX * len(strips.order) + _FRAME_PX)
    return alt.LayerChart(layer=[*behind, halves, points, medians], height=height)


def band(low: float, high: float, words: str) -> alt.Chart:
    """A shaded range across all rows."""
    rows: list[Row] = [{"low": low, "high": high, "words": words}]
    chart: alt.Chart = (
        chart_of(rows)
        .mark_rect(color=FAINT, opacity=0.13)
        .encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), tooltip=[alt.Tooltip("words:N", title="Range")])
    )
    return chart


def upright(at: float, words: str, *, dash: Sequence[float] = (1, 0), color: str = FAINT) -> alt.Chart:
    """A line across all rows."""
    rows: list[Row] = [{"at": at, "words": words}]
    chart: alt.Chart = (
        chart_of(rows)
        .mark_rule(strokeDash=list(dash), strokeWidth=1.4, color=color)
        .encode(x=alt.X("at:Q"), tooltip=[alt.Tooltip("words:N", title="Line"), alt.Tooltip("at:Q", title="At")])
    )
    return chart
