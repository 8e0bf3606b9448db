"""Why scans fail: Pareto, heat maps, severities and who can cure it. Pure functions of frozen counts."""

from collections.abc import Mapping, Sequence

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import AMBER, BETTER, CALM, FAINT, RED
from core.policy.reasons import REASON_TEXTS
from core.store.cause import FindingCounts, GroupFindings
from core.vocabulary import OperatorFixable, ReasonCode, Severity
from core.wording import ARTIFACT_LABELS, REASON_NAMES

CURES = {
    OperatorFixable.YES: "can be cured at the device",
    OperatorFixable.UNKNOWN: "may lie with device or patient",
    OperatorFixable.NO: "lies with the patient",
}
_CURE_COLOURS = (CALM, AMBER, BETTER)
SELECTED = "cell"
"""Name of the selection that a click on a heat map makes; its fields are ``code`` and ``id``."""
MOST_GROUPS = 40
"""So many columns of a heat map can still be read."""
_ROW_PX = 34
_FRAME_PX = 136
"""What a legend of two lines, axis and title take of a chart's height: what is left is the rows'."""
_LEAST_PX = 190
_MANY = 8
"""More names than this do not stand side by side."""
_LABEL_PX = 230
_ROOM_FOR_WORDS = 2.2
"""The axis reaches so far beyond the longest bar that its words fit on a narrow page."""
Row = dict[str, object]
_APART = alt.Scale(paddingInner=0.35, paddingOuter=0.15)
"""Bars with room between them."""


def cause_rows(counts: FindingCounts) -> list[Row]:
    """One row per cause, the most frequent first; shares of the failed captures, each counted once."""
    ordered = sorted(counts.first_causes.items(), key=lambda item: (-item[1], item[0]))
    rows: list[Row] = []
    so_far = 0
    for code, n in ordered:
        so_far += n
        rows.append(
            {
                "code": code.value,
                "cause": REASON_NAMES[code],
                "cure": CURES[REASON_TEXTS[code].operator_fixable],
                "failed_first": n,
                "failed_any": counts.causes.get(code, 0),
                "failed": counts.failed,
                "share": n / counts.failed,
                "cumulative": so_far / counts.failed,
            }
        )
    return rows


def draw_pareto(counts: FindingCounts) -> alt.LayerChart:
    """Bars of failed captures by their weightiest cause, and how much the causes so far explain together."""
    rows = cause_rows(counts)
    y = alt.Y("cause:N", sort=[str(row["cause"]) for row in rows], title=None, axis=_names(), scale=_APART)
    base = chart_of(rows).encode(y=y)
    axis = alt.Axis(tickMinStep=1, tickCount=6)
    reach = _ROOM_FOR_WORDS * max(counts.first_causes.values(), default=1)
    bars = base.mark_bar(opacity=0.9).encode(
        x=alt.X("failed_first:Q", title="Ungradable first captures", axis=axis, scale=alt.Scale(domain=[0, reach])),
        color=_cure_colour({str(row["cure"]) for row in rows}),
        tooltip=[
            alt.Tooltip("cause:N", title="Cause"), alt.Tooltip("cure:N", title="Cure"),
            alt.Tooltip("failed_first:Q", title="Weightiest cause of"),
            alt.Tooltip("failed_any:Q", title="Any cause of"),
            alt.Tooltip("share:Q", title="Share of failures", format=".0%"),
            alt.Tooltip("cumulative:Q", title="With those above", format=".0%"),
        ],
    )  # fmt: skip
    words = base.transform_calculate(
        label="format(datum.share, '.0%') + ' · together ' + format(datum.cumulative, '.0%')"
    )
    text = words.mark_text(align="left", dx=6, color=FAINT).encode(x=alt.X("failed_first:Q"), text=alt.Text("label:N"))
    return alt.LayerChart(layer=[bars, text], height=_height(len(rows)))


def most_failing(groups: Sequence[GroupFindings]) -> tuple[GroupFindings, ...]:
    """At most ``MOST_GROUPS`` groups, those with most failed captures, by code."""
    ranked = sorted(groups, key=lambda group: (-group.counts.failed, group.code))[:MOST_GROUPS]
    return tuple(sorted(ranked, key=lambda group: group.code))


def heat_rows(groups: Sequence[GroupFindings]) -> list[Row]:
    """One row per group and cause that occurs: failed captures with that cause, per decided capture of the group."""
    codes = sorted({code for group in groups for code in group.counts.causes})
    return [
        {
            "id": group.id,
            "group": group.code,
            "code": code.value,
            "cause": REASON_NAMES[code],
            "failed_any": group.counts.causes.get(code, 0),
            "decided": group.counts.decided,
            "rate": group.counts.causes.get(code, 0) / group.counts.decided,
        }
        for group in groups
        for code in codes
        if group.counts.decided
    ]


def draw_heat_map(groups: Sequence[GroupFindings], title: str) -> alt.LayerChart:
    """Causes down, groups across; colour is the share of the group's decided captures that failed with the cause."""
    rows = heat_rows(groups)
    click = alt.selection_point(name=SELECTED, fields=["code", "id"], on="click", empty=False)
    total: dict[str, int] = {}
    for row in rows:
        total[str(row["cause"])] = total.get(str(row["cause"]), 0) + int(str(row["failed_any"]))
    order = sorted(total, key=lambda cause: (-total[cause], cause))
    base = chart_of(rows).encode(
        x=alt.X("group:N", title=None, axis=_across(len(groups))),
        y=alt.Y("cause:N", title=None, sort=order, axis=_names()),
    )
    top = max((float(str(row["rate"])) for row in rows), default=1.0) or 1.0
    scale = alt.Scale(scheme="viridis", domain=[0, top])
    legend = alt.Legend(format=".0%", tickCount=4, gradientLength=80)
    cells = base.mark_rect(cursor="pointer", stroke=FAINT, strokeWidth=0.4).encode(
        color=alt.Color("rate:Q", title="of decided", scale=scale, legend=legend),
        tooltip=[
            alt.Tooltip("group:N", title=title), alt.Tooltip("cause:N", title="Cause"),
            alt.Tooltip("failed_any:Q", title="Failed with it"), alt.Tooltip("decided:Q", title="Of decided"),
            alt.Tooltip("rate:Q", title="Share", format=".1%"),
        ],
    )  # fmt: skip
    # Viridis runs from dark to light: figures are light on the dark half and dark on the light one.
    ink = alt.when(alt.datum.rate > 0.6 * top).then(alt.value("#10161b")).otherwise(alt.value("#ffffff"))
    figures = base.mark_text(fontSize=12, fontWeight=600).encode(text=alt.Text("failed_any:Q"), color=ink)
    return alt.LayerChart(layer=[cells.add_params(click), figures], height=_height(len(order)) + 40)


def _across(n_groups: int) -> alt.Axis:
    """Every column's name, slanted where they are many."""
    return alt.Axis(orient="top", labelAngle=-40 if n_groups > _MANY else 0, labelOverlap=False)


def severity_rows(counts: FindingCounts) -> list[Row]:
    """Every artifact type with its mild and severe captures among the decided."""
    return [
        {
            "artifact": ARTIFACT_LABELS[name],
            "severity": severity.value,
            "captures": counts.artifacts.get((name, severity), 0),
            "decided": counts.decided,
            "share": counts.artifacts.get((name, severity), 0) / counts.decided,
        }
        for name in ARTIFACT_LABELS
        for severity in (Severity.SEVERE, Severity.MILD)
        if counts.decided
    ]


def draw_severities(counts: FindingCounts) -> alt.Chart:
    """How many of the decided captures have each artifact, mild or severe, gradable or not."""
    share = alt.Axis(format=".0%", tickCount=5)
    colour = alt.Color(
        "severity:N", title=None, scale=alt.Scale(domain=["severe", "mild"], range=[RED, AMBER]),
        legend=alt.Legend(orient="top"),
    )  # fmt: skip
    chart: alt.Chart = (
        chart_of(severity_rows(counts))
        .mark_bar(opacity=0.9)
        .encode(
            y=alt.Y("artifact:N", sort=list(ARTIFACT_LABELS.values()), title=None, axis=_names(), scale=_APART),
            x=alt.X("share:Q", title="Of decided first captures", axis=share, stack="zero"),
            color=colour,
            order=alt.Order("severity:N", sort="descending"),
            tooltip=[
                alt.Tooltip("artifact:N", title="Artifact"), alt.Tooltip("severity:N", title="Severity"),
                alt.Tooltip("captures:Q", title="Captures"), alt.Tooltip("share:Q", title="Share", format=".1%"),
            ],
        )
        .properties(height=_height(len(ARTIFACT_LABELS)))
    )  # fmt: skip
    return chart


def cure_counts(counts: FindingCounts) -> dict[OperatorFixable, int]:
    """Failed captures by who could cure their weightiest cause."""
    found = dict.fromkeys(CURES, 0)
    for code, n in counts.first_causes.items():
        found[REASON_TEXTS[code].operator_fixable] += n
    return found


def cure_rows(groups: Sequence[GroupFindings]) -> list[Row]:
    """One row per group with failures and answer, sites with most failures first."""
    failing = sorted((g for g in groups if g.counts.failed), key=lambda g: (-g.counts.failed, g.code))
    return [
        {
            "group": group.code,
            "cure": words,
            "failed_first": cure_counts(group.counts)[fixable],
            "failed": group.counts.failed,
            "share": cure_counts(group.counts)[fixable] / group.counts.failed,
        }
        for group in failing
        for fixable, words in CURES.items()
    ]


def draw_cures(groups: Sequence[GroupFindings]) -> alt.Chart:
    """Operator or patient: the failed captures of each site by who could cure their weightiest cause."""
    rows = cure_rows(groups)
    order = list(dict.fromkeys(str(row["group"]) for row in rows))
    chart: alt.Chart = (
        chart_of(rows)
        .mark_bar(opacity=0.9)
        .encode(
            y=alt.Y("group:N", sort=order, title=None, axis=_names(), scale=_APART),
            x=alt.X("failed_first:Q", title="Ungradable first captures", stack="zero", axis=alt.Axis(tickMinStep=1)),
            color=_cure_colour({str(row["cure"]) for row in rows if row["failed_first"]}),
            tooltip=[
                alt.Tooltip("group:N", title="Site"), alt.Tooltip("cure:N", title="Cure"),
                alt.Tooltip("failed_first:Q", title="Failed"), alt.Tooltip("share:Q", title="Share", format=".0%"),
            ],
        )
        .properties(height=_height(len(order)))
    )  # fmt: skip
    return chart


def top_cause(counts: FindingCounts) -> tuple[ReasonCode, int] | None:
    """The weightiest cause of most failed captures; None where none failed."""
    ordered: Mapping[ReasonCode, int] = counts.first_causes
    return max(ordered.items(), key=lambda item: (item[1], item[0]), default=None)


def _cure_colour(present: set[str]) -> alt.Color:
    names = list(CURES.values())
    legend = alt.Legend(orient="top", values=[name for name in names if name in present], labelLimit=240, columns=1)
    return alt.Color("cure:N", title=None, scale=alt.Scale(domain=names, range=list(_CURE_COLOURS)), legend=legend)


def _names() -> alt.Axis:
    return alt.Axis(labelLimit=_LABEL_PX, labelOverlap=False)


def _height(n_rows: int) -> int:
    return max(_LEAST_PX, _ROW_PX * n_rows + _FRAME_PX)
