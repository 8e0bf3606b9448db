"""Confusion matrices and kappa by group: pure functions of agreements. Draw nothing but charts."""

from collections.abc import Mapping, Sequence
from math import floor

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import CALM, FAINT
from core.statistics.agreement_intervals import Agreement
from core.statistics.resampling import Interval
from core.usecases.compare_grades import GroupAgreement
from core.wording import GRADE_NAMES

Row = dict[str, object]
_ROW_PX = 34
_FRAME_PX = 80
_IN_TWO_LINES = "split(replace(datum.label, ' (', '|('), '|')"
"""So that all three names stand side by side on a narrow page."""
ALMOST_PERFECT = 0.81
"""From here on Landis and Koch 1977 (doi:10.2307/2529310) call a kappa almost perfect."""


def confusion_rows(found: Agreement, names: Mapping[int, str] = GRADE_NAMES) -> list[Row]:
    """One row per cell of the confusion matrix; ``names`` are those of the grades."""
    return [
        {
            "first": names[row],
            "second": names[column],
            "pairs": int(found.confusion[row, column]),
            "share": float(found.confusion[row, column] / max(1, found.confusion[row].sum())),
        }
        for row in names
        for column in names
    ]


def draw_confusion(found: Agreement, first: str, second: str, names: Mapping[int, str] = GRADE_NAMES) -> alt.LayerChart:
    """Rows are ``first``'s grades, columns ``second``'s; figures are pairs, colours the share of the row."""
    order = list(names.values())
    # The padding holds the names' second line, which Vega would draw over the cells.
    across = alt.Axis(orient="top", labelAngle=0, labelExpr=_IN_TWO_LINES, labelPadding=18)
    base = chart_of(confusion_rows(found, names)).encode(
        x=alt.X("second:N", sort=order, title=second, axis=across),
        y=alt.Y("first:N", sort=order, title=first),
    )
    scale = alt.Scale(scheme="viridis", domain=[0, 1])
    cells = base.mark_rect(stroke=FAINT, strokeWidth=0.4).encode(
        color=alt.Color("share:Q", scale=scale, legend=None),
        tooltip=[
            alt.Tooltip("first:N", title=first), alt.Tooltip("second:N", title=second),
            alt.Tooltip("pairs:Q", title="Pairs"), alt.Tooltip("share:Q", title="Of the row", format=".0%"),
        ],
    )  # fmt: skip
    ink = alt.when(alt.datum.share > 0.6).then(alt.value("#10161b")).otherwise(alt.value("#ffffff"))  # noqa: PLR2004
    figures = base.mark_text(fontSize=14, fontWeight=600).encode(text=alt.Text("pairs:Q"), color=ink)
    return alt.LayerChart(layer=[cells, figures], height=260)


def kappa_rows(groups: Sequence[GroupAgreement]) -> list[Row]:
    """One row per group; figures are empty where they cannot be computed, and ``why`` says why."""
    rows: list[Row] = []
    for group in groups:
        row: Row = {"group": group.name, "pairs": group.n_pairs, "why": ""}
        if isinstance(group.found, Agreement):
            row |= {"patients": group.found.n_patients, **_figures("percent", group.found.percent)}
            row |= _figures("ac1", group.found.ac1)
            if isinstance(group.found.kappa, Interval):
                row |= _figures("kappa", group.found.kappa)
            else:
                row["why"] = group.found.kappa.reason
        else:
            row["why"] = group.found.reason
        rows.append(row)
    return rows


def draw_kappas(groups: Sequence[GroupAgreement]) -> alt.LayerChart:
    """Quadratically weighted kappa of model and people by group, with intervals over patients."""
    rows = [row for row in kappa_rows(groups) if "kappa" in row]
    order = [str(row["group"]) for row in rows]
    base = chart_of(rows).encode(
        y=alt.Y("group:N", sort=order, title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    )
    tooltip = [
        alt.Tooltip("group:N", title="Group"), alt.Tooltip("kappa:Q", title="Kappa", format=".2f"),
        alt.Tooltip("kappa_low:Q", title="95 % from", format=".2f"),
        alt.Tooltip("kappa_high:Q", title="95 % to", format=".2f"),
        alt.Tooltip("percent:Q", title="Equal", format=".0%"), alt.Tooltip("pairs:Q", title="Pairs"),
        alt.Tooltip("patients:Q", title="Patients"),
    ]  # fmt: skip
    lowest = min([0.0, *(float(str(row["kappa_low"])) for row in rows)])
    quarters = [quarter / 4 for quarter in range(floor(round(4 * lowest, 6)), 5)]
    x = alt.X(
        "kappa:Q", title="Quadratically weighted kappa", scale=alt.Scale(domain=[quarters[0], 1], nice=False),
        axis=alt.Axis(values=quarters, format=".2f"),
    )  # fmt: skip
    spans = base.mark_rule(strokeWidth=3, opacity=0.55, color=CALM).encode(
        x=alt.X("kappa_low:Q"), x2=alt.X2("kappa_high:Q"), tooltip=tooltip
    )
    dots = base.mark_point(filled=True, size=90, opacity=1, color=CALM).encode(x=x, tooltip=tooltip)
    border = chart_of([{"at": ALMOST_PERFECT}]).mark_rule(strokeDash=[5, 4], color=FAINT).encode(x=alt.X("at:Q"))
    return alt.LayerChart(layer=[border, spans, dots], height=_ROW_PX * max(len(rows), 2) + _FRAME_PX)


def _figures(name: str, found: Interval) -> Row:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
