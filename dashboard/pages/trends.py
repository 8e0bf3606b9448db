"""Trends: since when it got worse, by which rule, and what happened then. Load, choose, draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import streamlit as st

from core.charts.captions import CONTROL_CAPTION, FAULT_CAPTION, SUMS_CAPTION
from core.charts.control import SELECTED, draw_control, draw_cusum, draw_ewma, point_rows
from core.charts.dictionaries import MULTIPLE_COLUMNS, POINT_COLUMNS
from core.clock import now
from core.statistics.control_chart import ChartKind
from core.store.example import Fault
from core.store.mark import Mark, read_marks
from core.store.unit import Unit, UnitKind
from core.usecases.watch_fault import FAULT_WORDS, watch_fault
from core.usecases.watch_fault_units import watch_fault_units
from core.usecases.watch_units import Trend, Watch, watch_units
from core.values import NotComputable
from dashboard.administration.steps import draw_outcome
from dashboard.components.annotation_form import draw_annotation
from dashboard.components.baseline_form import draw_baselines
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, Rows, draw_chart_data
from dashboard.components.mark_list import mark_list
from dashboard.components.panel import empty_state, go_to, panel
from dashboard.components.sparkline import multiple_rows, small_multiples
from dashboard.components.trend_words import trend_words
from dashboard.components.unit_words import KIND_NAMES, PLURALS, act_link
from dashboard.filters import (
    RATE_FIELDS,
    UNGRADABLE,
    Field,
    Period,
    days_address,
    draw_filters,
    url_choice,
    url_filters,
)
from dashboard.session import current_user, open_session

PERIOD = Period.WEEKS_52
MULTIPLES_CAPTION = (
    "**Small multiples.** Every unit's share from 0 to 100 %, those that break a rule first, then by how much "
    "evidence of failing too often there is now. Grey: each point's limits; line: the baseline."
)


UNGRADABLE_CAPTURES = "ungradable"
COUNTED_NAMES = {
    UNGRADABLE_CAPTURES: "Ungradable",
    **{each.value: words.capitalize() for each, words in FAULT_WORDS.items()},
}
"""What a point counts, by its name in the URL."""


def main() -> None:
    """Draw the page."""
    st.title("Trends")
    today = now().date()
    with st.container(horizontal=True, gap="small"):
        kind = UnitKind(url_choice("Units", "by", {each: KIND_NAMES[each] for each in UnitKind}))
        counted = url_choice("Of", "of", COUNTED_NAMES)
    with open_session() as session:
        chosen = draw_filters(session, RATE_FIELDS, today=today, period=PERIOD, by_week=True)
        limits = ChartKind(url_choice("Limits", "limits", {each: f"{each} limits" for each in _KINDS}))
        fault = Fault(counted) if counted != UNGRADABLE_CAPTURES else None
        trend: Trend | NotComputable
        if fault:
            watch = watch_fault_units(session, chosen, fault, kind, today=today, chart=limits)
            trend = watch_fault(session, chosen, fault, today=today, chart=limits)
        else:
            watch = watch_units(session, chosen, kind, today=today, chart=limits)
            trend = watch.trend
        marks = read_marks(session, chosen)
    filters = {Field.PERIOD: PERIOD.value, **url_filters(), "by": kind.value}
    if isinstance(trend, NotComputable):
        empty_state("No trend in this selection", f"{_sentence(trend)} Clear the filters, or wait.", key="empty")
    else:
        drawn = _Drawn(trend, _name(watch), {"fault": fault.value} if fault else UNGRADABLE)
        _draw_trend(drawn, marks, chosen.since, filters)
        if (unit := _only_unit(watch)) is not None:
            panel(act_link(unit, kind, filters), key="act")
        draw_outcome()  # here, where the forms are: the page's top is out of sight
        draw_annotation(chosen, marks, current_user(), today=today)
        if fault is None:
            st.subheader("Baseline")
            draw_baselines(chosen, trend, current_user(), today=today)
    if len(watch.units) > 1:
        _draw_multiples(watch, {**filters, "of": counted}, FAULT_WORDS[fault] if fault else UNGRADABLE_CAPTURES)


_KINDS = (ChartKind.LANEY, ChartKind.P)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The trend in front, whose it is, and how the page Examples is asked for the scans that it counts."""

    trend: Trend
    who: str
    scans: Mapping[str, str]


def _draw_trend(drawn: _Drawn, marks: Sequence[Mark], since: date | None, filters: dict[str, str]) -> None:
    trend = drawn.trend
    panel(trend_words(trend, drawn.who, marks, filters, drawn.scans), key="words")
    alt = f"Control chart of {drawn.who}: {trend.what}, share of first captures over time with limits."
    picked = draw_chart(
        draw_control(trend, marks, since), alt=alt, selection=SELECTED,
        key="octaudit.control",
    )  # fmt: skip
    caption = CONTROL_CAPTION if trend.what == UNGRADABLE_CAPTURES else FAULT_CAPTION
    st.caption(f"{caption} Click a point for its scans.")
    if marks:
        panel(mark_list(marks), key="marks")
    if trend.cusum and trend.ewma:
        draw_chart(draw_cusum(trend, since), alt="CUSUM with its threshold.")
        draw_chart(draw_ewma(trend, since), alt="EWMA with its thresholds.")
        st.caption(SUMS_CAPTION)
    st.caption(f"As of {now():%d %b %Y, %H:%M} UTC. Unit of analysis: first captures in patient visits.")
    draw_chart_data(_counting(ChartData("trend", partial(point_rows, trend, since), POINT_COLUMNS), trend.what))
    if picked:
        go_to(days_address(str(picked.get("from")), str(picked.get("to")), filters, drawn.scans))


def _counting(data: ChartData, what: str) -> ChartData:
    """The points; where they count something else than the ungradable, that column says so."""
    if what == UNGRADABLE_CAPTURES:
        return data
    name = what.replace(" ", "_")
    columns = {name if column == "ungradable" else column: words for column, words in data.dictionary.items()}
    columns[name] = f"Decided first captures: {what} (count)"
    columns["rate"] = f"{name} / decided, 0 to 1"
    return ChartData(f"{data.file_name}-{name}", lambda: _renamed(data.lines(), name), columns)


def _renamed(rows: Rows, name: str) -> list[dict[str, object]]:
    return [{name if column == "ungradable" else column: value for column, value in row.items()} for row in rows]


def _draw_multiples(watch: Watch, filters: dict[str, str], what: str) -> None:
    n_worse = sum(unit.trend.is_worse for unit in watch.units)
    st.subheader(f"All {PLURALS[watch.kind]}, {what}: {n_worse} of {len(watch.units)} with a broken rule")
    panel(small_multiples(watch.units, watch.kind, filters), key="multiples")
    if watch.n_units > len(watch.units) + len(watch.too_few):
        st.caption(f"The {len(watch.units)} of most concern, of {watch.n_units}. Narrow the filters to see others.")
    few = ", ".join(unit.label for unit in watch.too_few)
    st.caption(MULTIPLES_CAPTION + (f" Too few visits for a single point: {few}." if few else ""))
    data = ChartData(f"trends-by-{watch.kind}", partial(multiple_rows, watch.units), MULTIPLE_COLUMNS)
    draw_chart_data(_counting(data, what), behind="pictures")


def _name(watch: Watch) -> str:
    unit = _only_unit(watch)
    return unit.label if unit else f"All {PLURALS[watch.kind]} together"


def _only_unit(watch: Watch) -> Unit | None:
    units = [unit.unit for unit in watch.units] + list(watch.too_few)
    return units[0] if len(units) == 1 else None


def _sentence(reason: NotComputable) -> str:
    return f"{reason.reason[:1].upper()}{reason.reason[1:]}."


main()
