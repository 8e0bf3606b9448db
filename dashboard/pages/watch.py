"""Model & data watch: drift of images and scores, calibration by device, model versions. Load, choose, draw."""

from datetime import timedelta
from functools import partial

import streamlit as st

from core.charts.captions import DRIFT_CAPTION, INDICES_CAPTION, SCORES_CAPTION
from core.charts.dictionaries import DRIFT_COLUMNS, INDEX_COLUMNS, SCORE_COLUMNS
from core.charts.drift import draw_indices, draw_scores, drift_rows, index_rows, score_rows
from core.clock import now
from core.store.graded_scan import Reference
from core.usecases.check_calibration import check_calibration
from core.usecases.compare_versions import compare_versions
from core.usecases.watch_inputs import InputWatch, watch_inputs
from dashboard.components.calibration_panel import draw_calibration
from dashboard.components.calibration_words import REFERENCE_NAMES
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.drift_table import drift_table, drift_words
from dashboard.components.long_table import draw_long
from dashboard.components.panel import empty_state, panel
from dashboard.components.version_panel import draw_versions
from dashboard.filters import POINT_FIELDS, RATE_FIELDS, Field, Period, draw_filters, url_choice, url_filters
from dashboard.session import open_session

PERIOD = Period.WEEKS_13


NOTHING_SCORED = (
    "Nothing scored in this selection",
    "Choose a longer period or clear the filters. Scans appear here as soon as the model has scored them.",
)
VIEWS = {"drift": "Drift", "calibration": "Calibration", "versions": "Model versions"}
NO_GRADES = (
    "No graded scans in this selection",
    "Calibration needs grades of people for scans that the model scored. Choose a longer period or clear the filters.",
)


def main() -> None:
    """Draw the page."""
    st.title("Model & data watch")
    with st.container(horizontal=True, gap="small"):
        view = url_choice("Show", "view", VIEWS)
        words = {each.value: REFERENCE_NAMES[each] for each in Reference}
        reference = Reference(url_choice("Reference", "reference", words)) if view == "calibration" else None
    if reference is not None:
        _draw_calibration(reference)
    elif view == "versions":
        _draw_versions()
    else:
        _draw_drift()


def _draw_calibration(reference: Reference) -> None:
    with open_session() as session:
        chosen = draw_filters(session, POINT_FIELDS, today=now().date(), period=Period.ALL)
        found = check_calibration(session, chosen, reference)
    if not found.all.n_scans:
        empty_state(*NO_GRADES, key="empty")
        return
    draw_calibration(found)


def _draw_versions() -> None:
    with open_session() as session:
        chosen = draw_filters(session, POINT_FIELDS, today=now().date(), period=PERIOD)
        found = compare_versions(session, chosen)
    if not found.counting:
        empty_state(*NOTHING_SCORED, key="empty")
        return
    draw_versions(found)


def _draw_drift() -> None:
    today = now().date()
    with open_session() as session:
        chosen = draw_filters(session, RATE_FIELDS, today=today, period=PERIOD, by_week=True)
        starts_on = chosen.since or today - timedelta(weeks=13)
        watch = watch_inputs(session, chosen, starts_on=starts_on)
    if not watch.now.n_slabs:
        empty_state(*NOTHING_SCORED, key="empty")
        return
    panel(drift_words(watch), key="words")
    _draw_charts(watch)
    narrowed = {Field.PERIOD.value: PERIOD.value, **url_filters()}
    draw_long(
        watch.devices,
        lambda devices: panel(drift_table(devices, narrowed), key="devices"),
        key="devices",
        noun="devices",
    )
    st.caption(DRIFT_CAPTION)
    draw_chart_data(ChartData("drift-by-device", partial(drift_rows, watch.devices), DRIFT_COLUMNS))
    st.caption(
        f"As of {watch.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scored slabs of first captures; of the index, "
        f"captures. This period begins on {watch.starts_on:%d %b %Y}."
    )


def _draw_charts(watch: InputWatch) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        alt = "Distribution of the model's probability of ungradable, this period and the year before."
        draw_chart(draw_scores(watch.before, watch.now), alt=alt)
        st.caption(SCORES_CAPTION)
        draw_chart_data(ChartData("scores", partial(score_rows, watch.before, watch.now), SCORE_COLUMNS))
    with right:
        rows = index_rows(watch.before, watch.now)
        if rows:
            alt = "Distribution of the device's quality index, this period and the year before."
            draw_chart(draw_indices(watch.before, watch.now), alt=alt)
        st.caption(INDICES_CAPTION)
        if rows:
            draw_chart_data(ChartData("device-index", rows, INDEX_COLUMNS))


main()
