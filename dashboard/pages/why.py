"""Why scans fail: causes by frequency, by site and by device, who can cure them, and how. Load, choose, draw."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.charts.captions import CURES_CAPTION, HEAT_CAPTION, PARETO_CAPTION, SEVERITY_CAPTION
from core.charts.causes import (
    MOST_GROUPS,
    SELECTED,
    cause_rows,
    cure_rows,
    draw_cures,
    draw_heat_map,
    draw_pareto,
    draw_severities,
    heat_rows,
    most_failing,
    severity_rows,
)
from core.charts.dictionaries import CAUSE_COLUMNS, CURE_COLUMNS, HEAT_COLUMNS, SEVERITY_COLUMNS
from core.clock import now
from core.store.cause import Findings, GroupFindings, read_findings
from core.store.signed_baseline import only_study
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.panel import empty_state, go_to, panel
from dashboard.components.tip_sheet import cause_words, tip_sheet
from dashboard.filters import RATE_FIELDS, Field, Period, draw_filters, scans_address, url_filters
from dashboard.session import open_session

PERIOD = Period.WEEKS_26


def main() -> None:
    """Draw the page."""
    st.title("Why scans fail")
    with open_session() as session:
        chosen = draw_filters(session, RATE_FIELDS, today=now().date(), period=PERIOD, by_week=True)
        findings = read_findings(session, chosen)
        study_id = only_study(session, chosen)
    filters = {Field.PERIOD.value: PERIOD.value, **url_filters()}
    if not findings.all.failed:
        empty_state(
            "No failure in this selection",
            "Every decided first capture is gradable, or none is decided. Choose a longer period or clear the filters.",
            key="empty",
        )
        return
    panel(cause_words(findings.all), key="words")
    _draw_causes(findings)
    sites, devices = most_failing(findings.sites), most_failing(findings.devices)
    if len(sites) > 1:
        _draw_heat("site", "Site", sites, filters)
    _draw_heat("device", "Device", devices, filters)
    st.caption(f"{HEAT_CAPTION}{_cut_words(findings)} Click a cell for its scans.")
    st.subheader("Severity")
    draw_chart(draw_severities(findings.all), alt="Mild and severe artifacts among all captures.")
    st.caption(SEVERITY_CAPTION)
    draw_chart_data(ChartData("severities", partial(severity_rows, findings.all), SEVERITY_COLUMNS))
    st.subheader("What to do about it")
    panel(tip_sheet(findings.all, filters, study_id), key="tips")
    if study_id is None:
        st.caption("Choose a study or a site for the tip sheets as PDF: each study has its own words.")
    st.caption(f"As of {findings.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: first captures.")


def _draw_causes(findings: Findings) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        alt = "Ungradable first captures by weightiest cause, the most frequent first."
        draw_chart(draw_pareto(findings.all), alt=alt)
        st.caption(PARETO_CAPTION)
        draw_chart_data(ChartData("causes", partial(cause_rows, findings.all), CAUSE_COLUMNS))
    with right:
        alt = "Ungradable first captures by site and by who could cure their cause."
        draw_chart(draw_cures(most_failing(findings.sites)), alt=alt)
        st.caption(CURES_CAPTION)
        draw_chart_data(ChartData("cures-by-site", partial(cure_rows, findings.sites), CURE_COLUMNS))


def _cut_words(findings: Findings) -> str:
    """That there are more sites or devices than are drawn; nothing where all are."""
    if max(len(findings.sites), len(findings.devices)) <= MOST_GROUPS:
        return ""
    return f" The {MOST_GROUPS} with most failures are shown; narrow the filters to see others."


def _draw_heat(field: str, title: str, groups: Sequence[GroupFindings], filters: dict[str, str]) -> None:
    st.subheader(f"By {field}")
    picked = draw_chart(
        draw_heat_map(groups, title), alt=f"Causes of failure by {field}.", selection=SELECTED,
        key=f"octaudit.heat.{field}",
    )  # fmt: skip
    draw_chart_data(ChartData(f"causes-by-{field}", partial(heat_rows, groups), HEAT_COLUMNS))
    if picked:
        go_to(scans_address({**filters, field: str(picked.get("id")), "reason": str(picked.get("code"))}))


main()
