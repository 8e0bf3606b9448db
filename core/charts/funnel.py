"""The funnel plot and the forest plot of units: pure functions of a comparison. Draw nothing but charts."""

from collections.abc import Sequence
from enum import StrEnum

import altair as alt
import numpy as np

from core.charts.inline import chart_of
from core.charts.palette import AMBER, BETTER, CALM, FAINT, RED
from core.statistics.funnel import Funnel, Side, Zone
from core.statistics.standardisation import StandardisedRate
from core.usecases.judge_units import JudgedUnit, UnitComparison
from core.usecases.standardise_units import StandardisedUnits
from core.values import NotComputable

WORSE, WATCH, USUAL, FEWER, FEW = (
    "above the 99.8 % limit", "above the 95 % limit", "within the limits", "below the limits", "too few to judge",
)  # fmt: skip
STANDINGS = (WORSE, WATCH, USUAL, FEWER, FEW)
_COLOURS = (RED, AMBER, CALM, BETTER, FAINT)
_SHAPES = ("diamond", "triangle-up", "circle", "triangle-down", "cross")
SELECTED = "unit"
"""Name of the selection that a click on a point makes; its field is ``key``."""
_N_STEPS = 160
_ROW_PX = 34
_LEAST_PX = 220
MOST_IN_FOREST = 60
"""Units of most concern; more rows would not be read."""


def standing(unit: JudgedUnit) -> str:
    """Where a unit stands, in the words of the legend."""
    if unit.is_red:
        return WORSE
    if unit.is_amber:
        return WATCH
    if not unit.is_judged:
        return FEW
    outside = unit.point.zone in (Zone.WARNING, Zone.ALARM)
    return FEWER if outside and unit.point.side is Side.LOW else USUAL


def unit_rows(units: Sequence[JudgedUnit]) -> list[dict[str, object]]:
    """One row per unit, as both charts and the download have it; rates are shares of ungradable first captures."""
    return [
        {
            "key": unit.unit.key,
            "unit": unit.unit.label,
            "name": unit.unit.name,
            "standing": standing(unit),
            "ungradable": unit.point.count.k,
            "decided": unit.point.count.n,
            "visits": unit.point.count.n_clusters,
            "patients": unit.count.patients,
            "effective_n": round(unit.point.effective_n, 2),
            "rate": unit.point.rate.value,
            "low": unit.point.rate.low,
            "high": unit.point.rate.high,
            "shrunken": unit.shrunken.value if unit.shrunken else None,
            "shrunken_low": unit.shrunken.low if unit.shrunken else None,
            "shrunken_high": unit.shrunken.high if unit.shrunken else None,
            "p_value": unit.point.p_value,
            "q_value": unit.point.q_value,
            "final_gradable": unit.count.tally.final_gradable,
            "final_received": unit.count.tally.final_received,
        }
        for unit in units
    ]


def draw_funnel(comparison: UnitComparison) -> alt.LayerChart:
    """Rate of ungradable first captures over the effective n, with both pairs of limits around the pooled rate."""
    assert comparison.funnel is not None, "an empty comparison has no funnel"
    rows = unit_rows(comparison.units)
    reach = 1.08 * max(unit.point.effective_n for unit in comparison.units)
    x = alt.X("effective_n:Q", title="Effective number of captures", scale=alt.Scale(domain=[0, reach], nice=False))
    base = chart_of(rows).encode(x=x, y=share_axis("rate", "Ungradable at the first pass"))
    click = alt.selection_point(name=SELECTED, fields=["key"], on="click", empty=False)
    points = base.mark_point(filled=True, size=120, opacity=0.95, cursor="pointer").encode(
        color=_standing_colour(rows), shape=_standing_shape(rows), tooltip=_tooltip()
    )
    named = base.transform_filter(alt.FieldOneOfPredicate(field="standing", oneOf=[WORSE, WATCH]))
    names = named.mark_text(align="left", dx=9, dy=-1, fontWeight=600, color=FAINT).encode(text=alt.Text("unit:N"))
    return alt.LayerChart(
        layer=[
            *limit_lines(comparison.funnel, reach),
            target_rule(comparison.funnel),
            names,
            points.add_params(click),
        ],
        height=380,
    )


class Estimate(StrEnum):
    """Which rate the forest plot draws as the unit's."""

    CRUDE = "crude"
    SHRUNKEN = "shrunken"
    STANDARDISED = "standardised"


def estimate_rows(
    comparison: UnitComparison, estimate: Estimate, cases: StandardisedUnits | None = None
) -> list[dict[str, object]]:
    """The units' rows with what the forest draws: ``shown`` with its interval, and ``beside`` as a hollow mark.

    ``cases`` must be given for standardised rates; without a rate of the kind asked ``shown`` is None.
    """
    rows = unit_rows(comparison.units)
    if estimate is Estimate.CRUDE:
        return [row | _shown(row["rate"], row["low"], row["high"], row["shrunken"]) for row in rows]
    if estimate is Estimate.SHRUNKEN:
        names = ("shrunken", "shrunken_low", "shrunken_high", "rate")
        return [row | _shown(*(row[name] for name in names)) for row in rows]
    assert cases is not None, "standardised rates need the units' cases"
    return [row | _standardised(cases.rates.get(str(row["key"])), row["rate"]) for row in rows]


def _shown(shown: object, low: object, high: object, beside: object) -> dict[str, object]:
    return {"shown": shown, "shown_low": low, "shown_high": high, "beside": beside}


def _standardised(found: StandardisedRate | NotComputable | None, crude: object) -> dict[str, object]:
    if not isinstance(found, StandardisedRate):
        why = found.reason if found else "no capture in the months that are read"
        return _shown(None, None, None, crude) | {"why": why}
    return _shown(min(found.value, 1.0), found.low, min(found.high, 1.0), crude) | {
        "observed": found.observed, "expected": found.expected, "ratio": found.ratio, "ratio_low": found.low_ratio,
        "ratio_high": found.high_ratio, "standardised": found.value, "standardised_low": found.low,
        "standardised_high": found.high, "standardised_p": found.p_value, "why": "",
    }  # fmt: skip


def draw_forest(
    comparison: UnitComparison, estimate: Estimate = Estimate.CRUDE, cases: StandardisedUnits | None = None
) -> alt.LayerChart:
    """Every unit's rate of the kind asked with its interval, another as a hollow mark, of most concern first."""
    assert comparison.funnel is not None, "an empty comparison has no forest"
    rows = estimate_rows(comparison, estimate, cases)[:MOST_IN_FOREST]
    order = [str(row["unit"]) for row in rows]
    base = chart_of(rows).encode(
        y=alt.Y("unit:N", title=None, sort=order, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    )
    colour = alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(_COLOURS)), legend=None)
    title = "Ungradable at the first pass" + ("" if estimate is Estimate.CRUDE else f", {estimate}")
    share = alt.X("shown:Q", title=title, axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(domain=[0, 1]))
    tooltip = [*_tooltip(), *_RATIOS] if estimate is Estimate.STANDARDISED else _tooltip()
    known = base.transform_filter("isValid(datum.shown)")
    spans = known.mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=alt.X("shown_low:Q"), x2=alt.X2("shown_high:Q"), color=colour, tooltip=tooltip
    )
    own = known.mark_point(filled=True, size=90, opacity=1).encode(
        x=share, color=colour, shape=alt.Shape("standing:N", scale=_shape_scale(), legend=None), tooltip=tooltip
    )
    beside = base.transform_filter("isValid(datum.beside)").mark_point(
        filled=False, shape="square", size=70, strokeWidth=1.6, color=FAINT
    )
    usual = comparison.funnel.target if cases is None else cases.usual
    line = chart_of([{"target": usual}]).mark_rule(strokeDash=[5, 4], color=FAINT)
    return alt.LayerChart(
        layer=[line.encode(x=alt.X("target:Q")), spans, beside.encode(x=alt.X("beside:Q"), tooltip=tooltip), own],
        height=max(_LEAST_PX, _ROW_PX * len(rows) + 60),
    )


_RATIOS = (
    alt.Tooltip("observed:Q", title="Observed"),
    alt.Tooltip("expected:Q", title="Expected", format=".1f"),
    alt.Tooltip("ratio:Q", title="Observed / expected", format=".2f"),
)


def limit_lines(funnel: Funnel, reach: float) -> list[alt.Chart]:
    """Both pairs of limits up to an effective number of ``reach``; what leaves the axis is cut off."""
    sizes = np.linspace(1.0, max(reach, 2.0), _N_STEPS)
    limits = funnel.limits(sizes)
    lines = []
    for level, low, high, dash, colour in (
        ("99.8 %", limits.low_alarm, limits.high_alarm, [1, 0], RED),
        ("95 %", limits.low_warning, limits.high_warning, [6, 4], AMBER),
    ):
        for values in (low, high):
            rows: list[dict[str, object]] = [
                {"n": float(n), "limit": float(value), "level": level} for n, value in zip(sizes, values, strict=True)
            ]
            line = chart_of(rows).mark_line(strokeWidth=1.4, opacity=0.85, strokeDash=dash, color=colour, clip=True)
            lines.append(
                line.encode(x=alt.X("n:Q"), y=alt.Y("limit:Q"), tooltip=[alt.Tooltip("level:N", title="Limit")])
            )
    return lines


def target_rule(funnel: Funnel) -> alt.Chart:
    """The usual rate."""
    rule = chart_of([{"target": funnel.target}]).mark_rule(strokeWidth=1.4, color=FAINT)
    chart: alt.Chart = rule.encode(
        y=alt.Y("target:Q"), tooltip=[alt.Tooltip("target:Q", title="Usual rate", format=".1%")]
    )
    return chart


def share_axis(field: str, title: str, *, top: float = 1.0) -> alt.Y:
    """A vertical axis of shares from 0 to ``top``."""
    axis = alt.Axis(format=".0%", tickCount=5)
    return alt.Y(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(domain=[0, top]))


def standing_mark(name: str) -> tuple[str, str]:
    """Shape and colour of a unit that stands so."""
    place = STANDINGS.index(name)
    return _SHAPES[place], _COLOURS[place]


def _present(rows: Sequence[dict[str, object]]) -> list[str]:
    found = {row["standing"] for row in rows}
    return [name for name in STANDINGS if name in found]


def _shape_scale() -> alt.Scale:
    return alt.Scale(domain=list(STANDINGS), range=list(_SHAPES))


def _legend(rows: Sequence[dict[str, object]]) -> alt.Legend:
    return alt.Legend(
        orient="top", title=None, values=_present(rows), symbolOpacity=1, symbolSize=100, labelLimit=240, columns=2
    )  # two columns fit a narrow page


def _standing_colour(rows: Sequence[dict[str, object]]) -> alt.Color:
    return alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(_COLOURS)), legend=_legend(rows))


def _standing_shape(rows: Sequence[dict[str, object]]) -> alt.Shape:
    return alt.Shape("standing:N", scale=_shape_scale(), legend=_legend(rows))


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("unit:N", title="Unit"),
        alt.Tooltip("name:N", title="Name"),
        alt.Tooltip("standing:N", title="Stands"),
        alt.Tooltip("rate:Q", title="Ungradable", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="95 % to", format=".1%"),
        alt.Tooltip("shrunken:Q", title="Shrunken", format=".1%"),
        alt.Tooltip("ungradable:Q", title="Ungradable n"),
        alt.Tooltip("decided:Q", title="Of decided"),
        alt.Tooltip("visits:Q", title="Patient visits"),
        alt.Tooltip("effective_n:Q", title="Effective n", format=".1f"),
    ]
