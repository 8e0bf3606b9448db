"""Trends: since when it got worse, by which rule, and what happened then. Load, choose, draw."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.charts.captions import CONTROL_CAPTION, SUMS_CAPTION
from core.charts.control import SELECTED, draw_control, draw_cusum, draw_ewma, point_rows
from core.charts.dictionaries import MULTIPLE_COLUMNS, POINT_COLUMNS
from core.clock import now
from core.statistics.control_chart import ChartKind
from core.store.mark import Mark, read_marks
from core.store.unit import Unit, UnitKind
from core.usecases.watch_units import Trend, Watch, watch_units
from core.values import NotComputable
from dashboard.administration.steps import draw_outcome
from dashboard.components.annotation_form import draw_annotation
from dashboard.components.baseline_form import draw_baselines
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.mark_list import mark_list
from dashboard.components.panel import empty_state, go_to, panel
from dashboard.components.sparkline import multiple_rows, small_multiples
from dashboard.components.trend_words import trend_words
from dashboard.components.unit_words import KIND_NAMES, PLURALS, act_link
from dashboard.filters import UNIT_FIELDS, Field, Period, days_address, draw_filters, url_choice, url_filters
from dashboard.session import current_user, open_session

PERIOD = Period.WEEKS_52
MULTIPLES_CAPTION = (
    "**Small multiples.** Every unit from 0 to 100 % ungradable, those that break a rule first, then by how much "
    "evidence of failing too often there is now. Grey: each point's limits; line: the baseline."
)


def main() -> None:
    """Draw the page."""
    st.title("Trends")
    today = now().date()
    kind = UnitKind(url_choice("Units", "by", {each: KIND_NAMES[each] for each in UnitKind}))
    with open_session() as session:
        chosen = draw_filters(session, UNIT_FIELDS, today=today, period=PERIOD)
        limits = ChartKind(url_choice("Limits", "limits", {each: f"{each} limits" for each in _KINDS}))
        watch = watch_units(session, chosen, kind, today=today, chart=limits)
        marks = read_marks(session, chosen)
    filters = {Field.PERIOD: PERIOD.value, **url_filters(), "by": kind.value}
    if isinstance(watch.trend, NotComputable):
        empty_state("No trend in this selection", f"{_sentence(watch.trend)} Clear the filters, or wait.", key="empty")
    else:
        _draw_trend(watch.trend, marks, _name(watch), chosen.since, filters)
        if (unit := _only_unit(watch)) is not None:
            panel(act_link(unit, kind, filters), key="act")
        draw_outcome()  # here, where the forms are: the page's top is out of sight
        draw_annotation(chosen, marks, current_user(), today=today)
        st.subheader("Baseline")
        draw_baselines(chosen, watch.trend, current_user(), today=today)
    if len(watch.units) > 1:
        _draw_multiples(watch, filters)


_KINDS = (ChartKind.LANEY, ChartKind.P)


def _draw_trend(trend: Trend, marks: Sequence[Mark], who: str, since: date | None, filters: dict[str, str]) -> None:
    panel(trend_words(trend, who, marks, filters), key="words")
    alt = f"Control chart of {who}: share of ungradable first captures over time with limits."
    picked = draw_chart(
        draw_control(trend, marks, since), alt=alt, selection=SELECTED,
        key="octaudit.control",
    )  # fmt: skip
    st.caption(f"{CONTROL_CAPTION} Click a point for its scans.")
    if marks:
        panel(mark_list(marks), key="marks")
    if trend.cusum and trend.ewma:
        draw_chart(draw_cusum(trend, since), alt="CUSUM with its threshold.")
        draw_chart(draw_ewma(trend, since), alt="EWMA with its thresholds.")
        st.caption(SUMS_CAPTION)
    st.caption(f"As of {now():%d %b %Y, %H:%M} UTC. Unit of analysis: first captures in patient visits.")
    draw_chart_data(ChartData("trend", point_rows(trend, since), POINT_COLUMNS))
    if picked:
        go_to(days_address(str(picked.get("from")), str(picked.get("to")), filters))


def _draw_multiples(watch: Watch, filters: dict[str, str]) -> None:
    n_worse = sum(unit.trend.is_worse for unit in watch.units)
    st.subheader(f"All {PLURALS[watch.kind]}, {n_worse} of {len(watch.units)} with a broken rule")
    panel(small_multiples(watch.units, watch.kind, filters), key="multiples")
    if watch.n_units > len(watch.units) + len(watch.too_few):
        st.caption(f"The {len(watch.units)} of most concern, of {watch.n_units}. Narrow the filters to see others.")
    few = ", ".join(unit.label for unit in watch.too_few)
    st.caption(MULTIPLES_CAPTION + (f" Too few visits for a single point: {few}." if few else ""))
    draw_chart_data(
        ChartData(f"trends-by-{watch.kind}", multiple_rows(watch.units), MULTIPLE_COLUMNS), behind="pictures"
    )


def _name(watch: Watch) -> str:
    unit = _only_unit(watch)
    return unit.label if unit else f"All {PLURALS[watch.kind]} together"


def _only_unit(watch: Watch) -> Unit | None:
    units = [unit.unit for unit in watch.units] + list(watch.too_few)
    return units[0] if len(units) == 1 else None


def _sentence(reason: NotComputable) -> str:
    return f"{reason.reason[:1].upper()}{reason.reason[1:]}."


main()
