"""FAZ metrics by site or device, between eyes and visits, and by grade: pure functions of a comparison."""

from collections.abc import Sequence

import altair as alt
import numpy as np

from core.charts.inline import chart_of
from core.charts.palette import AMBER, CALM, FAINT, RED
from core.charts.strip import OUTLIER, USUAL, Row, Strips, band, draw_strips, upright
from core.measures.words import FAZ, MEASURES
from core.statistics.resampling import Interval
from core.usecases.compare_faz import FazComparison, FazPoint, PairKind
from core.wording import GRADE_NAMES

PAIR_NAMES = {
    PairKind.EYES: "Right − left eye",
    PairKind.VISITS: "Visit − visit before",
    PairKind.REPEATS: "Repeat − before, same visit",
}


def metric_title(column: str) -> str:
    """The metric's name with its unit."""
    words = MEASURES[FAZ][column]
    return f"{words.name} in {words.unit}" if words.unit else words.name


def number_format(column: str) -> str:
    """As many decimals as the metric is read with."""
    return f".{MEASURES[FAZ][column].decimals}f"


def value_rows(found: FazComparison) -> list[Row]:
    """One row per scan that is shown, as the download has it."""
    shown = {group.name for group in found.groups}
    return [_value_row(point) for point in found.points if point.group in shown]


def _value_row(point: FazPoint) -> Row:
    reading = point.reading
    return {
        "scan": reading.scan_id,
        "strip": point.group,
        "subject": reading.subject_code,
        "eye": reading.laterality.value,
        "site": reading.site_code,
        "device": reading.device_code,
        "day": reading.acquired_at.date().isoformat(),
        "grade": reading.ordinal,
        "value": point.value,
        "robust_z": point.z,
        "standing": OUTLIER if point.is_outlier else USUAL,
        "scale_source": reading.scale_source.value if reading.scale_source else "",
        "axial_length_mm": reading.axial_length_mm,
    }


def draw_values(found: FazComparison) -> alt.LayerChart:
    """Every scan in the row of its site or device; the published range of healthy eyes is shaded behind."""
    behind = []
    if found.norm is not None:
        words = f"healthy eyes, {found.norm.mean} ± 1.96 × {found.norm.deviation}"
        behind = [band(found.norm.low, found.norm.high, words), upright(found.norm.mean, "mean of healthy eyes")]
    spans: list[Row] = [
        dict(zip(("strip", "low", "middle", "high"), (group.name, *group.quartiles), strict=True))
        for group in found.groups
    ]
    number = number_format(found.column)
    tooltip = [
        alt.Tooltip("scan:Q", title="Scan"), alt.Tooltip("subject:N", title="Subject"),
        alt.Tooltip("eye:N", title="Eye"), alt.Tooltip("device:N", title="Device"), alt.Tooltip("day:N", title="Taken"),
        alt.Tooltip("value:Q", title=metric_title(found.column), format=number),
        alt.Tooltip("robust_z:Q", title="Robust z", format=".1f"), alt.Tooltip("grade:Q", title="Grade"),
    ]  # fmt: skip
    order = [group.name for group in found.groups]
    return draw_strips(Strips(value_rows(found), spans, order, metric_title(found.column), number, tooltip), behind)


def pair_rows(found: FazComparison) -> list[Row]:
    """One row per pair of scans."""
    return [
        {
            "strip": PAIR_NAMES[pair.kind],
            "first": pair.first.reading.scan_id,
            "scan": pair.second.reading.scan_id,
            "subject": pair.second.reading.subject_code,
            "first_value": pair.first.value,
            "second_value": pair.second.value,
            "value": pair.difference,
            "days": (pair.second.reading.acquired_at - pair.first.reading.acquired_at).days,
        }
        for pairs in found.pairs
        for pair in pairs.pairs
    ]


def draw_pairs(found: FazComparison) -> alt.LayerChart:
    """Differences by kind of pair, with the published repeatability to either side of nought."""
    behind = [upright(0.0, "no difference")]
    if found.repeatability is not None:
        for sign in (-1.0, 1.0):
            manual, automatic = sign * found.repeatability.manual, sign * found.repeatability.automatic
            behind.append(upright(manual, "repeatability by hand", dash=(5, 4), color=AMBER))
            behind.append(upright(automatic, "repeatability, automatic", color=RED))
    known = [pairs for pairs in found.pairs if pairs.pairs]
    spans: list[Row] = [_span(PAIR_NAMES[each.kind], [pair.difference for pair in each.pairs]) for each in known]
    number = number_format(found.column)
    tooltip = [
        alt.Tooltip("subject:N", title="Subject"), alt.Tooltip("first:Q", title="Scan"),
        alt.Tooltip("scan:Q", title="And scan"), alt.Tooltip("first_value:Q", title="First", format=number),
        alt.Tooltip("second_value:Q", title="Second", format=number),
        alt.Tooltip("value:Q", title="Difference", format=f"+{number}"), alt.Tooltip("days:Q", title="Days between"),
    ]  # fmt: skip
    title = f"Difference of {metric_title(found.column).lower()}"
    order = [PAIR_NAMES[pairs.kind] for pairs in known]
    return draw_strips(Strips(pair_rows(found), spans, order, title, number, tooltip), behind)


def grade_rows(found: FazComparison) -> list[Row]:
    """One row per grade: how many scans, and their mean with its interval."""
    rows: list[Row] = []
    for grade in found.effect.grades:
        row: Row = {"grade": GRADE_NAMES[grade.ordinal], "scans": len(grade.values), "patients": grade.n_patients}
        if isinstance(grade.mean, Interval):
            row |= {"mean": grade.mean.value, "low": grade.mean.low, "high": grade.mean.high}
            row |= {"median": float(np.median(grade.values)), "deviation": float(np.std(grade.values, ddof=1))}
        rows.append(row)
    return rows


def draw_grades(found: FazComparison) -> alt.LayerChart:
    """The mean by final grade with its interval over patients; a thin bar shows one standard deviation of scans."""
    rows = [row | _deviation(row) for row in grade_rows(found) if "mean" in row]
    number = number_format(found.column)
    y = alt.Y("grade:N", sort=list(GRADE_NAMES.values()), title=None, axis=alt.Axis(labelLimit=180))
    tooltip = [
        alt.Tooltip("grade:N", title="Grade"), alt.Tooltip("mean:Q", title="Mean", format=number),
        alt.Tooltip("low:Q", title="95 % from", format=number), alt.Tooltip("high:Q", title="95 % to", format=number),
        alt.Tooltip("deviation:Q", title="S.d. of scans", format=number), alt.Tooltip("scans:Q", title="Scans"),
        alt.Tooltip("patients:Q", title="Patients"),
    ]  # fmt: skip
    base = chart_of(rows).encode(y=y, tooltip=tooltip)
    axis = alt.Axis(format=number, tickCount=8)
    x = alt.X("mean:Q", title=metric_title(found.column), axis=axis, scale=alt.Scale(zero=False))
    spread = base.mark_rule(strokeWidth=1, color=FAINT).encode(x=alt.X("below:Q"), x2=alt.X2("above:Q"))
    spans = base.mark_rule(strokeWidth=4, opacity=0.6, color=CALM).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    dots = base.mark_point(filled=True, size=100, opacity=1, color=CALM).encode(x=x)
    return alt.LayerChart(layer=[spread, spans, dots], height=190)


def _deviation(row: Row) -> Row:
    mean, deviation = float(str(row["mean"])), float(str(row["deviation"]))
    return {"below": mean - deviation, "above": mean + deviation}


def _span(name: str, values: Sequence[float]) -> Row:
    low, middle, high = (float(each) for each in np.quantile(values, [0.25, 0.5, 0.75]))
    return {"strip": name, "low": low, "middle": middle, "high": high}
