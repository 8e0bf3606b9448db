"""Calibration on a page: words, reliability curve, devices, data. Draws a check that is there already."""

import streamlit as st

from core.charts.calibration import curve_rows, device_rows, draw_excess, draw_reliability
from core.charts.dictionaries import CALIBRATION_COLUMNS, CURVE_COLUMNS
from core.store.graded_scan import Reference
from core.usecases.check_calibration import CalibrationCheck
from dashboard.components.calibration_words import (
    DECISIONS_CAPTION,
    EXCESS_CAPTION,
    RELIABILITY_CAPTION,
    calibration_words,
    few_words,
)
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.panel import panel


def draw_calibration(found: CalibrationCheck) -> None:
    """A check with at least one graded scan."""
    panel(calibration_words(found), key="words")
    if found.all.points:
        left, right = st.columns(2, gap="medium")
        with left:
            alt = "Reliability curve: observed over predicted share of ungradable scans."
            draw_chart(draw_reliability(found), alt=alt)
            st.caption(RELIABILITY_CAPTION)
            draw_chart_data(ChartData("reliability", curve_rows(found), CURVE_COLUMNS))
        with right:
            if any(each.points for each in found.devices):
                alt = "Observed minus predicted share of ungradable scans by device."
                draw_chart(draw_excess(found), alt=alt)
                st.caption(EXCESS_CAPTION)
            else:
                st.caption("**By device.** Nothing is drawn: no device has enough grades.")
            draw_chart_data(ChartData("calibration", device_rows((found.all, *found.devices)), CALIBRATION_COLUMNS))
    biased = f"{DECISIONS_CAPTION} " if found.reference is Reference.DECISIONS else ""
    cut = " Only the latest grades are shown." if found.is_cut else ""
    st.caption(
        f"{biased}As of {found.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scans (slabs); intervals are over "
        f"patients.{few_words(found)}{cut}"
    )
