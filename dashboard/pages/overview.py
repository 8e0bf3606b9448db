"""Overview: how many scans are good enough, where not, and what waits. Load, choose, draw."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from core.charts.captions import MATRIX_CAPTION, WEEKS_CAPTION
from core.charts.dictionaries import GROUP_COLUMNS, MATRIX_COLUMNS, WEEK_COLUMNS
from core.charts.matrix import matrix_rows
from core.charts.weekly import draw_counts, draw_rates, week_points, week_rows
from core.clock import now
from core.store.mark import Mark, read_marks
from core.store.overview import GroupTally, Overview, read_overview
from core.store.same_image import SharedImage, read_shared_images
from core.usecases.flag_sites import FlagMatrix, flag_sites
from core.usecases.judge_units import visit_factor
from core.vocabulary import Role
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.counters import counter_strip
from dashboard.components.flag_matrix import flag_matrix, matrix_words
from dashboard.components.group_table import group_rows, group_table, worst_first
from dashboard.components.long_table import draw_long
from dashboard.components.mark_list import mark_list
from dashboard.components.panel import empty_state, panel
from dashboard.components.rate import footnote, rate_pair
from dashboard.components.shared_images import shared_images
from dashboard.filters import RATE_FIELDS, Field, Period, draw_filters, url_filters
from dashboard.navigation import CENTRE, COMPARERS
from dashboard.session import current_user, open_session

MATRIX_LINKS = (
    "A cell leads to its trend or its worklist, *Why* to the causes, *Act* to what is done about the site, "
    "*Report* to a report of it, now or by schedule."
)
PERIOD = Period.WEEKS_26
"""Shown without a choice: long enough for a trend, short enough to be of now."""


NO_CAPTURES = (
    "No captures in this selection",
    "Choose a longer period or clear the filters. If nothing was sent yet, start on the page Upload.",
)
FOR_GRADERS = (
    "Rates are not shown to graders",
    "They would tell you what others think of scans you have yet to grade. Your next one waits on the page Grading.",
)


def main() -> None:
    """Draw the page."""
    moment, actor = now(), current_user()
    st.title("Overview")
    if actor.roles == {Role.GRADER}:
        empty_state(*FOR_GRADERS, key="empty")
        return
    with open_session() as session:
        chosen = draw_filters(session, RATE_FIELDS, today=moment.date(), period=PERIOD, by_week=True)
        overview, marks = read_overview(session, chosen, today=moment.date()), read_marks(session, chosen)
        shared = read_shared_images(session, chosen) if actor.has_role(*CENTRE) else ()
        is_comparing = actor.has_role(*COMPARERS)
        patients = {site.id: site.patients for site in overview.sites}
        matrix = None
        if is_comparing:
            matrix = flag_sites(session, chosen, today=moment.date(), now=moment, patients=patients)
        factor = matrix.factor if matrix else visit_factor(session, chosen)
    turn_around = matrix.turn_around if matrix else None
    panel(counter_strip(overview, url_filters(), moment, turn_around), key="counters")
    if overview.current.received > 0:
        panel(rate_pair(overview, factor), key="rates")
        if matrix is not None and matrix.sites:
            _draw_matrix(matrix)
        _draw_chart(overview, marks, factor)
        _draw_groups(overview, factor)
    else:
        empty_state(*NO_CAPTURES, key="empty")
    if shared:
        _draw_shared(shared)
    panel(footnote(overview.as_of, factor), key="footnote")


def _draw_matrix(matrix: FlagMatrix) -> None:
    st.subheader("Sites by indicator")
    panel(matrix_words(matrix), key="matrix-words")
    narrowed = {Field.PERIOD.value: PERIOD.value, **url_filters()}
    draw_long(matrix.sites, lambda sites: panel(flag_matrix(sites, narrowed), key="matrix"), key="matrix", noun="sites")
    st.caption(f"{MATRIX_CAPTION} {MATRIX_LINKS}")
    draw_chart_data(ChartData("sites-by-indicator", partial(matrix_rows, matrix), MATRIX_COLUMNS), behind="table")


def _draw_chart(overview: Overview, marks: Sequence[Mark], factor: float) -> None:
    st.subheader("By week")
    points = week_points(overview.weeks, factor)
    rates_alt = "First-pass and final gradable rate by week of acquisition, with 95 % intervals."
    draw_chart(draw_rates(points, marks), alt=rates_alt)
    counts_alt = "First captures decided, by week of acquisition."
    draw_chart(draw_counts(points), alt=counts_alt)
    st.caption(WEEKS_CAPTION)
    draw_chart_data(ChartData("rates-by-week", partial(week_rows, points), WEEK_COLUMNS))
    if marks:
        panel(mark_list(marks), key="marks")


def _draw_groups(overview: Overview, factor: float) -> None:
    narrowed = {Field.PERIOD: PERIOD, **url_filters()}  # other pages begin with another period
    with st.container(gap="medium"):
        for field, groups in ((Field.SITE, overview.sites), (Field.DEVICE, overview.devices)):
            _draw_group_table(groups, field, narrowed, factor)


def _draw_group_table(groups: Sequence[GroupTally], field: Field, narrowed: Mapping[str, str], factor: float) -> None:
    name = field.value
    st.subheader(f"By {name}")
    draw_long(
        worst_first(groups),
        lambda shown: panel(group_table(shown, name, name.capitalize(), narrowed, factor), key=f"{name}s"),
        key=f"{name}s", noun=f"{name}s",
    )  # fmt: skip
    draw_chart_data(ChartData(f"rates-by-{name}", partial(group_rows, groups, factor), GROUP_COLUMNS), behind="table")


def _draw_shared(shared: Sequence[SharedImage]) -> None:
    st.subheader("The same image from two sites")
    panel(shared_images(shared), key="shared-images")


main()
