"""Where one unit stands in the funnel of all, without saying who the others are: for what leaves the centre."""

import altair as alt

from core.charts.funnel import limit_lines, share_axis, standing, standing_mark, target_rule
from core.charts.inline import chart_of
from core.charts.palette import FAINT
from core.usecases.judge_units import UnitComparison


def draw_position(comparison: UnitComparison, key: str) -> alt.LayerChart:
    """The funnel with every other unit as a nameless dot. The one with this ``key`` stands out; it may be missing."""
    assert comparison.funnel is not None, "an empty comparison has no funnel"
    reach = 1.08 * max(unit.point.effective_n for unit in comparison.units)
    top = 1.15 * max(unit.point.rate.value for unit in comparison.units)
    x = alt.X("n:Q", title="Effective number of captures", scale=alt.Scale(domain=[0, reach], nice=False),
              axis=alt.Axis(tickCount=4))  # fmt: skip
    y = share_axis("rate", "Ungradable", top=min(1.0, max(top, 2.5 * comparison.funnel.target, 0.1)))
    others = [
        {"n": unit.point.effective_n, "rate": unit.point.rate.value}
        for unit in comparison.units
        if unit.unit.key != key
    ]
    own = next((unit for unit in comparison.units if unit.unit.key == key), None)
    layers = [
        *limit_lines(comparison.funnel, reach),
        target_rule(comparison.funnel),
        chart_of(others).mark_point(filled=True, size=34, opacity=0.65, color=FAINT).encode(x=x, y=y),
    ]
    if own is not None:
        shape, colour = standing_mark(standing(own))
        rows = [{"n": own.point.effective_n, "rate": own.point.rate.value}]
        layers.append(
            chart_of(rows)
            .mark_point(filled=True, size=190, opacity=1, color=colour, shape=shape, stroke="white", strokeWidth=1.5)
            .encode(x=x, y=y)
        )
    return alt.LayerChart(layer=layers, height=220)
