"""Reliability curves and how far devices are off: pure functions of a calibration check."""

from collections.abc import Sequence

import altair as alt

from core.charts.inline import chart_of
from core.charts.palette import AMBER, CALM, FAINT
from core.statistics.calibration import Calibration
from core.statistics.resampling import Interval
from core.usecases.check_calibration import CalibrationCheck, CalibrationOf
from core.values import NotComputable

Row = dict[str, object]
_ROW_PX = 34
_FRAME_PX = 70
_LEAST_PX = 150
OFF, RIGHT = "off by more than chance", "as sure as it should be"


def curve_rows(found: CalibrationCheck) -> list[Row]:
    """One row per bin of the whole selection and of every device with enough scans."""
    return [
        {
            "of": each.name,
            "is_all": each is found.all,
            "predicted": point.predicted,
            "observed": point.observed.value,
            "low": point.observed.low,
            "high": point.observed.high,
            "scans": point.n_scans,
        }
        for each in (found.all, *found.devices)
        for point in each.points
    ]


def draw_reliability(found: CalibrationCheck) -> alt.LayerChart:
    """Observed over predicted share of ungradable scans: the selection with intervals, devices as thin lines."""
    rows = curve_rows(found)
    ends = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("predicted:Q", title="Model's probability of ungradable, mean of the bin", scale=ends, axis=axis)
    y = alt.Y("observed:Q", title="Called ungradable by people", scale=ends, axis=axis)
    tooltip = [
        alt.Tooltip("of:N", title="Of"), alt.Tooltip("predicted:Q", title="Foreseen", format=".1%"),
        alt.Tooltip("observed:Q", title="Observed", format=".1%"),
        alt.Tooltip("low:Q", title="95 % from", format=".1%"), alt.Tooltip("high:Q", title="95 % to", format=".1%"),
        alt.Tooltip("scans:Q", title="Scans"),
    ]  # fmt: skip
    diagonal = chart_of([{"at": 0.0}, {"at": 1.0}]).mark_line(strokeDash=[5, 4], color=FAINT)
    of_devices = [row for row in rows if not row["is_all"]]
    devices = chart_of(of_devices).encode(x=x, y=y, detail=alt.Detail("of:N"), tooltip=tooltip)
    thin = devices.mark_line(strokeWidth=1.1, opacity=0.55, color=FAINT, point=alt.OverlayMarkDef(size=22, color=FAINT))
    whole = chart_of([row for row in rows if row["is_all"]]).encode(x=x, tooltip=tooltip)
    layers = [
        diagonal.encode(x=alt.X("at:Q", scale=ends), y=alt.Y("at:Q", scale=ends)),
        *((thin,) if of_devices else ()),  # a layer without marks is a picture without words to a screen reader
        whole.mark_rule(strokeWidth=2.2, opacity=0.6, color=CALM).encode(
            y=alt.Y("low:Q", scale=ends), y2=alt.Y2("high:Q")
        ),
        whole.mark_line(strokeWidth=2.2, color=CALM).encode(y=y),
        whole.mark_point(filled=True, size=80, opacity=1, color=CALM).encode(y=y),
    ]
    return alt.LayerChart(layer=layers, height=360)


def device_rows(found: Sequence[CalibrationOf]) -> list[Row]:
    """One row per device or selection; figures are empty where they cannot be computed, with the reason."""
    return [_device_row(each) for each in found]


def _device_row(each: CalibrationOf) -> Row:
    row: Row = {"device": each.name, "scans": each.n_scans, "patients": each.n_patients, "why": ""}
    if not isinstance(each.found, Calibration):
        return row | {"why": each.found.reason}
    row |= {"predicted": each.found.predicted, "observed": each.found.observed, "error": each.error}
    row |= _interval("excess", each.found.excess) | _interval("slope", each.found.slope)
    row["standing"] = OFF if each.is_off else RIGHT
    row["why"] = each.found.slope.reason if isinstance(each.found.slope, NotComputable) else ""
    return row


def draw_excess(found: CalibrationCheck) -> alt.LayerChart:
    """Observed minus foreseen share of ungradable scans by device with its interval; right of nought: too confident."""
    rows = [row for row in device_rows(found.devices) if "excess" in row]
    order = [str(row["device"]) for row in rows]
    base = chart_of(rows).encode(
        y=alt.Y("device:N", sort=order, title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False)),
        color=alt.Color("standing:N", scale=alt.Scale(domain=[OFF, RIGHT], range=[AMBER, CALM]), legend=None),
        tooltip=[
            alt.Tooltip("device:N", title="Device"), alt.Tooltip("standing:N", title="Stands"),
            alt.Tooltip("predicted:Q", title="Foreseen", format=".1%"),
            alt.Tooltip("observed:Q", title="Observed", format=".1%"),
            alt.Tooltip("excess:Q", title="Difference", format="+.1%"),
            alt.Tooltip("slope:Q", title="Slope", format=".2f"), alt.Tooltip("scans:Q", title="Scans"),
            alt.Tooltip("patients:Q", title="Patients"),
        ],
    )  # fmt: skip
    title = "Observed minus foreseen share of ungradable"
    shape = alt.Shape("standing:N", scale=alt.Scale(domain=[OFF, RIGHT], range=["triangle-up", "circle"]), legend=None)
    spans = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=alt.X("excess_low:Q"), x2=alt.X2("excess_high:Q"))
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("excess:Q", title=title, axis=alt.Axis(format="+.0%", tickCount=6)), shape=shape
    )
    nought = chart_of([{"at": 0.0}]).mark_rule(strokeDash=[5, 4], color=FAINT).encode(x=alt.X("at:Q"))
    return alt.LayerChart(layer=[nought, spans, dots], height=max(_LEAST_PX, _ROW_PX * len(rows) + _FRAME_PX))


def _interval(name: str, found: Interval | NotComputable) -> Row:
    if isinstance(found, NotComputable):
        return {}
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
