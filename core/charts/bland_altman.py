"""Differences of two ways to measure against their mean (Bland and Altman): a pure function of frozen pairs."""

import altair as alt

from core.charts.faz import metric_title, number_format
from core.charts.inline import chart_of
from core.charts.palette import AMBER, CALM, FAINT, RED
from core.statistics.agreement_intervals import BlandAltman
from core.statistics.resampling import Interval
from core.usecases.compare_outlines import MethodAgreement

Row = dict[str, object]
SELECTED = "pair"
"""Name of the selection that a click on a mark makes; its field is ``scan``."""


def pair_rows(found: MethodAgreement) -> list[Row]:
    """One row per pair."""
    return [
        {
            "scan": pair.scan.scan_id,
            "subject": pair.scan.subject_code,
            "site": pair.scan.site_code,
            "device": pair.scan.device_code,
            "eye": pair.scan.laterality.value,
            "reference": found.reference,
            "reference_value": pair.reference,
            "other": found.other,
            "other_value": pair.other,
            "mean": pair.mean,
            "difference": pair.difference,
        }
        for pair in found.pairs
    ]


def draw_bland_altman(found: MethodAgreement, column: str) -> alt.LayerChart:
    """Each pair's difference over its mean; bias and limits of agreement as lines, their 95 % intervals as bands."""
    number = number_format(column)
    click = alt.selection_point(name=SELECTED, fields=["scan"], on="click", empty=False)
    title = metric_title(column)
    x = alt.X(
        "mean:Q", title=f"Mean of both: {title.lower()}", scale=alt.Scale(zero=False), axis=alt.Axis(format=number)
    )
    y = alt.Y("difference:Q", title=f"{found.other.capitalize()} minus {found.reference}", axis=alt.Axis(format=number))
    tooltip = [
        alt.Tooltip("scan:Q", title="Scan"), alt.Tooltip("subject:N", title="Subject"),
        alt.Tooltip("eye:N", title="Eye"), alt.Tooltip("device:N", title="Device"),
        alt.Tooltip("reference_value:Q", title=found.reference.capitalize(), format=number),
        alt.Tooltip("other_value:Q", title=found.other.capitalize(), format=number),
        alt.Tooltip("difference:Q", title="Difference", format=f"+{number}"),
    ]  # fmt: skip
    dots = chart_of(pair_rows(found)).mark_point(filled=True, size=70, opacity=0.85, color=CALM, cursor="pointer")
    layers = [*_lines(found.limits, number), dots.encode(x=x, y=y, tooltip=tooltip).add_params(click)]
    return alt.LayerChart(layer=layers, height=300)


def _lines(limits: object, number: str) -> list[alt.Chart]:
    """Nought, and where they can be computed bias and limits."""
    nought = chart_of([{"difference": 0.0}]).mark_rule(color=FAINT, strokeWidth=1)
    drawn = [nought.encode(y=alt.Y("difference:Q"))]
    if not isinstance(limits, BlandAltman):
        return drawn
    for words, found, colour in (
        ("bias", limits.bias, AMBER), ("lower limit of agreement", limits.low, RED),
        ("upper limit of agreement", limits.high, RED),
    ):  # fmt: skip
        drawn += _line(words, found, colour, number)
    return drawn


def _line(words: str, found: Interval, colour: str, number: str) -> list[alt.Chart]:
    row: Row = {"what": words, "difference": found.value, "low": found.low, "high": found.high}
    base = chart_of([row])
    tooltip = [
        alt.Tooltip("what:N", title="Line"), alt.Tooltip("difference:Q", title="At", format=f"+{number}"),
        alt.Tooltip("low:Q", title="95 % from", format=f"+{number}"),
        alt.Tooltip("high:Q", title="95 % to", format=f"+{number}"),
    ]  # fmt: skip
    band = base.mark_rect(color=colour, opacity=0.13).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    line = base.mark_rule(color=colour, strokeDash=[6, 4], strokeWidth=1.6)
    return [band, line.encode(y=alt.Y("difference:Q"), tooltip=tooltip)]
