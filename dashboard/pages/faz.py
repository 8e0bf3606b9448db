"""FAZ: how large and round the avascular zone is, by site and device, eye, visit and grade. Load, choose, draw."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core.charts import dictionaries
from core.charts.faz import draw_grades, draw_pairs, draw_values, grade_rows, pair_rows, value_rows
from core.charts.strip import SELECTED
from core.clock import now
from core.measures.words import FAZ, MEASURES
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.usecases.compare_faz import MOST_GROUPS, FazBy, FazComparison, Magnification, compare_faz
from dashboard.components import faz_table as table
from dashboard.components import faz_words as words
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.faz_choice import draw_faz_choice, octa_types
from dashboard.components.panel import empty_state, panel
from dashboard.components.scan_strips import open_picked
from dashboard.filters import FINER_FIELDS, Field, Period, draw_filters, url_choice
from dashboard.session import open_session

PERIOD = Period.WEEKS_26
FIELDS = (Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.EYE, Field.PERIOD, *FINER_FIELDS)
BY_WORDS = {FazBy.SITE: "By site", FazBy.DEVICE: "By device"}
SCALE_WORDS = {Magnification.NOMINAL: "Nominal mm", Magnification.CORRECTED: "Corrected for axial length"}


def main() -> None:
    """Draw the page."""
    st.title("FAZ")
    with open_session() as session:
        chosen = draw_filters(session, FIELDS, today=now().date(), period=PERIOD)
        types = octa_types(read_filter_choices(session, ScanFilter()).scan_types)
        if not types:
            empty_state(words.NOTHING, words.WHAT_NEXT, key="empty")
            return
        column, by, magnification, chosen = _choose(chosen, types)
        found = compare_faz(session, chosen, column, by, magnification)
    if found.n_scans == 0 or not (found.points or found.cut_off):
        empty_state(words.NOTHING, words.WHAT_NEXT, key="empty")
        if found.n_scans:
            panel(table.source_table(found), key="sources")
        return
    panel(words.faz_words(found, magnification), key="words")
    _draw_values(found, by)
    _draw_outliers(found)
    _draw_pairs(found)
    _draw_grades(found)
    _draw_notes(found)


def _choose(chosen: ScanFilter, types: list[str]) -> tuple[str, FazBy, Magnification, ScanFilter]:
    """Metric, grouping, millimetres, and the filter narrowed to one slab and field."""
    with st.container(horizontal=True, gap="small"):
        column, slab, type_ = draw_faz_choice(types)
        by = FazBy(url_choice("Break down", "group", {each.value: BY_WORDS[each] for each in FazBy}))
        magnification = Magnification(
            url_choice("Millimetres", "scale", {each.value: SCALE_WORDS[each] for each in Magnification})
        )
    return column, by, magnification, replace(chosen, slab=slab, scan_type=type_)


def _draw_values(found: FazComparison, by: FazBy) -> None:
    if found.groups:
        alt = f"{MEASURES[FAZ][found.column].name} of every scan by {by}, with quartiles."
        picked = draw_chart(
            draw_values(found), alt=alt, selection=SELECTED,
            key=f"octaudit.faz.values.{by}",
        )  # fmt: skip
        cut = f" The {MOST_GROUPS} with most scans of {found.n_groups}." if found.n_groups > MOST_GROUPS else ""
        st.caption(words.VALUES_CAPTION + words.norm_words(found) + cut)
        panel(table.group_table(found, by.value.capitalize()), key="groups")
        rows = table.group_rows(found.groups, found)
        draw_chart_data(ChartData(f"faz-scans-by-{by}", partial(value_rows, found), dictionaries.FAZ_COLUMNS))
        draw_chart_data(ChartData(f"faz-by-{by}", rows, dictionaries.FAZ_GROUP_COLUMNS), behind="table")
        open_picked(picked)


def _draw_outliers(found: FazComparison) -> None:
    if found.cut_off or any(point.is_outlier for point in found.points):
        st.subheader("Outliers")
        panel(table.outlier_list(found), key="outliers")
        st.caption(table.OUTLIER_RULE)


def _draw_pairs(found: FazComparison) -> None:
    st.subheader("Between eyes, visits and repeats")
    panel(words.pair_cards(found), key="pairs")
    if any(pairs.pairs for pairs in found.pairs):
        picked = draw_chart(
            draw_pairs(found), alt="Differences between eyes, visits and repeats.", selection=SELECTED,
            key="octaudit.faz.pairs",
        )  # fmt: skip
        st.caption(words.pairs_caption(found))
        draw_chart_data(ChartData("faz-differences", partial(pair_rows, found), dictionaries.FAZ_PAIR_COLUMNS))
        open_picked(picked)


def _draw_grades(found: FazComparison) -> None:
    st.subheader("What the grade does to the metric")
    panel(words.effect_words(found), key="effect")
    draw_chart(draw_grades(found), alt="Mean of the metric by final grade, with intervals.")
    st.caption(words.GRADES_CAPTION)
    draw_chart_data(ChartData("faz-by-grade", partial(grade_rows, found), dictionaries.FAZ_GRADE_COLUMNS))


def _draw_notes(found: FazComparison) -> None:
    st.subheader("Where the millimetres come from")
    panel(table.source_table(found), key="sources")
    cut = f" Of each device the latest {found.per_device} captures." if found.is_cut else ""
    st.caption(f"As of {found.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: scans; intervals are over patients.{cut}")


main()
