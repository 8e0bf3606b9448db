"""Agreement: does the model grade as people do, and do people grade alike? Load, choose, draw."""

from functools import partial

import streamlit as st

from core.charts.agreement import confusion_rows, draw_confusion, draw_kappas, kappa_rows
from core.charts.captions import CONFUSION_CAPTION, KAPPA_CAPTION
from core.charts.dictionaries import CONFUSION_COLUMNS, KAPPA_COLUMNS
from core.clock import now
from core.policy.grading_plan import Settlement
from core.statistics.agreement_intervals import Agreement
from core.usecases.compare_grades import GradeComparison, GroupBy, compare_grades
from dashboard.components.agreement_words import (
    adjudicated_list,
    agreement_cards,
    consensus_cards,
    disputed_list,
    settled_words,
)
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.faz_agreement import draw_faz_agreement
from dashboard.components.panel import empty_state, panel
from dashboard.filters import POINT_FIELDS, Period, draw_filters, url_choice
from dashboard.session import open_session

BY_WORDS = {GroupBy.SITE: "By site", GroupBy.DEVICE: "By device", GroupBy.SLAB: "By slab"}
VIEWS = {"grades": "Grades", "faz": "FAZ by hand"}
NO_GRADES = (
    "No masked grades in this selection",
    "Agreement needs grades given without seeing the model's: the protocol's grading plan draws scans for that.",
)


def main() -> None:
    """Draw the page."""
    st.title("Agreement")
    if url_choice("Show", "view", VIEWS) == "faz":
        draw_faz_agreement()
    else:
        _draw_grades()


def _draw_grades() -> None:
    by = GroupBy(url_choice("Break down", "group", {each.value: BY_WORDS[each] for each in GroupBy}))
    with open_session() as session:
        chosen = draw_filters(session, POINT_FIELDS, today=now().date(), period=Period.ALL)
        comparison = compare_grades(session, chosen, by)
    if not comparison.groups and not isinstance(comparison.people, Agreement):
        empty_state(*NO_GRADES, key="empty")
        return
    panel(agreement_cards(comparison), key="cards")
    _draw_confusions(comparison)
    st.subheader(BY_WORDS[by])
    draw_chart(draw_kappas(comparison.groups), alt="Kappa of model and people by group.")
    st.caption(KAPPA_CAPTION + _silent_words(comparison))
    draw_chart_data(ChartData(f"agreement-by-{by}", partial(kappa_rows, comparison.groups), KAPPA_COLUMNS))
    if comparison.settled:
        st.subheader("Settled by graders and adjudicators")
        panel(consensus_cards(comparison), key="consensus")
        panel(settled_words(comparison.settled), key="settled")
        if any(scan.settlement is Settlement.ADJUDICATION for scan in comparison.settled):
            panel(adjudicated_list(comparison.settled), key="adjudicated")
    if comparison.disputed:
        st.subheader("To be talked about")
        panel(disputed_list(comparison.disputed), key="disputed")
    _draw_notes(comparison)


def _silent_words(comparison: GradeComparison) -> str:
    """Which groups have no kappa, and why; nothing where all have one."""
    silent = [f"{row['group']} ({row['why']})" for row in kappa_rows(comparison.groups) if row["why"]]
    return f" Without a kappa: {'; '.join(silent)}." if silent else ""


def _draw_confusions(comparison: GradeComparison) -> None:
    pairs = (("model", "Model", "Person", comparison.model), ("people", "One person", "Another", comparison.people))
    for column, (name, first, second, found) in zip(st.columns(2, gap="medium"), pairs, strict=True):
        with column:
            if isinstance(found, Agreement):
                alt = f"Confusion matrix of {first.lower()} and {second.lower()}."
                draw_chart(draw_confusion(found, first, second), alt=alt)
                draw_chart_data(ChartData(f"confusion-{name}", confusion_rows(found), CONFUSION_COLUMNS))
    st.caption(CONFUSION_CAPTION)


def _draw_notes(comparison: GradeComparison) -> None:
    silent = f" {comparison.n_model_silent} grades of scans that the model abstained from are left out."
    cut = " Only the latest grades are shown." if comparison.is_cut else ""
    st.caption(
        f"As of {comparison.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scans (slabs), resampled by patient."
        + (silent if comparison.n_model_silent else "")
        + cut
    )


main()
