"""Champion against challenger on a page: words, verdicts, grades, changes. Draws a comparison that is there already."""

import streamlit as st

from core.charts.agreement import confusion_rows, draw_confusion
from core.charts.dictionaries import CONFUSION_COLUMNS, VERSION_COLUMNS
from core.statistics.agreement_intervals import Agreement
from core.usecases.compare_versions import VersionComparison, Versions
from core.wording import SCALE_GRADE_NAMES
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.panel import empty_state, panel
from dashboard.components.version_words import (
    VERDICTS_CAPTION,
    change_list,
    change_rows,
    standing_words,
    verdict_table,
    version_card,
)

ONE_VERSION = (
    "Nothing to compare yet",
    "No other model version has scored these scans. As soon as one has, its grades and verdicts stand here.",
)


def draw_versions(found: Versions) -> None:
    """Which versions count, and each other version against what counts; there must be scans."""
    panel(standing_words(found), key="words")
    if not found.comparisons:
        empty_state(*ONE_VERSION, key="empty")
    for place, each in enumerate(found.comparisons):
        draw_comparison(each, place)
    st.caption(
        f"As of {found.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scans (slabs), the latest {found.per_device} "
        "captures of each device; intervals are over patients."
    )


def draw_comparison(found: VersionComparison, place: int = 0) -> None:
    """One version against what counts: how many verdicts would change, both tables, and the scans concerned."""
    panel(version_card(found), key=f"version-{place}")
    left, right = st.columns(2, gap="medium")
    with left:
        panel(verdict_table(found), key=f"verdicts-{place}")
        st.caption(VERDICTS_CAPTION)
    with right:
        if isinstance(found.grades, Agreement):
            names = SCALE_GRADE_NAMES[found.scale]
            alt = f"Grades of {found.champion} and {found.challenger}."
            chart = draw_confusion(found.grades, found.champion, found.challenger, names)
            draw_chart(chart, alt=alt, key=f"octaudit.versions.{place}")
            draw_chart_data(
                ChartData(f"grades-of-versions-{place}", confusion_rows(found.grades, names), CONFUSION_COLUMNS)
            )
    if found.changes:
        panel(change_list(found), key=f"changes-{place}")
        draw_chart_data(ChartData(f"changed-verdicts-{place}", change_rows(found), VERSION_COLUMNS), behind="table")
