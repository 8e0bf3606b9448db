"""Sites & devices: who fails more often than chance allows, and by how much. Load, choose, draw."""

from functools import partial

import streamlit as st

from core.charts.captions import FOREST_CAPTIONS, FUNNEL_CAPTION
from core.charts.dictionaries import CASE_COLUMNS, STANDARDISED_COLUMNS, UNIT_COLUMNS
from core.charts.funnel import MOST_IN_FOREST, SELECTED, Estimate, draw_forest, draw_funnel, estimate_rows
from core.clock import now
from core.store.scan_score import read_scan_scores
from core.store.unit import UnitKind
from core.usecases.judge_units import UnitComparison, compare_units
from core.usecases.look_at_unit import read_notes
from core.usecases.standardise_units import StandardisedUnits, standardise_units
from dashboard.components.case_mix import ESTIMATE_NAMES, adjusted_words, case_kinds_table, case_mix_table, case_rows
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.long_table import draw_long
from dashboard.components.panel import empty_state, go_to, panel
from dashboard.components.scan_strips import draw_scan_strips
from dashboard.components.unit_actions import draw_unit_actions
from dashboard.components.unit_table import unit_table
from dashboard.components.unit_words import KIND_NAMES, chosen_unit, trend_address, verdict_words
from dashboard.filters import POINT_FIELDS, RATE_FIELDS, Field, Period, draw_filters, url_choice, url_filters
from dashboard.session import open_session

PERIOD = Period.WEEKS_26


def main() -> None:
    """Draw the page."""
    st.title("Sites & devices")
    with st.container(horizontal=True, gap="small"):
        view = url_choice("Show", "view", {"rates": "Failure rates", "scans": "Scan by scan"})
        if view == "rates":
            kind = UnitKind(url_choice("Compare", "by", {each: KIND_NAMES[each] for each in UnitKind}))
            estimate = Estimate(url_choice("Rates", "rates", {each.value: ESTIMATE_NAMES[each] for each in Estimate}))
    if view == "rates":
        _draw_rates(kind, estimate)
    else:
        _draw_scans()


def _draw_rates(kind: UnitKind, estimate: Estimate) -> None:
    with open_session() as session:
        chosen = draw_filters(session, RATE_FIELDS, today=now().date(), period=PERIOD, by_week=True)
        comparison = compare_units(session, chosen, kind)
        is_asked = estimate is Estimate.STANDARDISED and comparison.funnel is not None
        cases = standardise_units(session, chosen, comparison, today=now().date()) if is_asked else None
        notes = read_notes(session, kind, study_id=chosen.study_id)
    filters = {Field.PERIOD: PERIOD.value, **url_filters()}
    if comparison.funnel is None:
        empty_state(
            "Nothing decided in this selection",
            "Choose a longer period or clear the filters. Captures count once every required slab is graded.",
            key="empty",
        )
        return
    panel(verdict_words(comparison, filters), key="verdict")
    _draw_charts(comparison, estimate, cases, filters)
    if cases:
        panel(case_mix_table(comparison, cases, filters), key="case-mix")
        st.caption(adjusted_words(cases))
        with st.expander(f"The {len(cases.strata)} kinds of cases"):
            panel(case_kinds_table(cases), key="case-kinds")
            if cases.left_out:
                st.caption(f"Without {', '.join(cases.left_out)}: too far outside to have a say in what is usual.")
        draw_chart_data(ChartData("kinds-of-cases", partial(case_rows, cases), CASE_COLUMNS), behind="kinds of cases")
    draw_long(
        comparison.units,
        lambda units: panel(unit_table(units, comparison.kind, filters, notes), key="units"),
        key="units", noun=f"{KIND_NAMES[comparison.kind].lower()}s",
    )  # fmt: skip
    _draw_notes(comparison)
    units = [*(each.unit for each in comparison.units), *comparison.uncounted]
    draw_unit_actions(units, kind, study_id=chosen.study_id, today=now().date())


def _draw_scans() -> None:
    with open_session() as session:
        chosen = draw_filters(session, POINT_FIELDS, today=now().date(), period=PERIOD)
        found = read_scan_scores(session, chosen)
    if not found.scans:
        empty_state("Nothing scored in this selection", "Choose a longer period or clear the filters.", key="empty")
        return
    draw_scan_strips(found)


def _draw_charts(
    comparison: UnitComparison, estimate: Estimate, cases: StandardisedUnits | None, filters: dict[str, str]
) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        alt = (
            "Funnel plot: share of ungradable first captures over the effective number of captures, one mark per unit."
        )
        picked = draw_chart(
            draw_funnel(comparison), alt=alt, selection=SELECTED,
            key=f"octaudit.funnel.{comparison.kind}",
        )  # fmt: skip
        st.caption(f"{FUNNEL_CAPTION} Click a mark for its trend.")
    with right:
        alt = f"Forest plot: every unit's {estimate} rate with its interval."
        draw_chart(draw_forest(comparison, estimate, cases), alt=alt)
        cut = f" The {MOST_IN_FOREST} of most concern." if len(comparison.units) > MOST_IN_FOREST else ""
        st.caption(FOREST_CAPTIONS[estimate] + cut)
    rows = partial(estimate_rows, comparison, estimate, cases)
    columns = UNIT_COLUMNS | (STANDARDISED_COLUMNS if cases else {})
    draw_chart_data(ChartData(f"{comparison.kind}-comparison", rows, columns))
    unit = chosen_unit(comparison, picked.get("key")) if picked else None
    if unit:
        go_to(trend_address(unit, comparison.kind, filters))


def _draw_notes(comparison: UnitComparison) -> None:
    assert comparison.design is not None, "notes stand below a funnel"
    if comparison.uncounted:
        st.caption(f"Nothing decided in this selection: {', '.join(unit.label for unit in comparison.uncounted)}.")
    st.caption(
        f"As of {comparison.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: first captures in patient visits; "
        f"correlation within visits {comparison.design.correlation:.2f}, pooled within units over "
        f"{comparison.design.n_clusters} visits. With many units some leave the limits by chance: q says how many."
    )


main()
