"""Overview: how many scans are good enough, where not, and what waits. Load, choose, draw."""

from datetime import datetime

import streamlit as st

from core.clock import now
from core.store.overview import Overview, read_overview
from dashboard.charts.weekly import draw_counts, draw_rates, week_points
from dashboard.components.counters import counter_strip
from dashboard.components.group_table import group_table
from dashboard.components.markup import Html, tag
from dashboard.components.panel import empty_state, panel
from dashboard.components.rate import rate_pair
from dashboard.filters import RATE_FIELDS, Period, draw_filters, url_filters
from dashboard.session import open_session


def main() -> None:
    """Draw the page."""
    moment = now()
    with open_session() as session:
        st.title("Overview")
        chosen = draw_filters(session, RATE_FIELDS, today=moment.date(), period=Period.WEEKS_26)
        overview = read_overview(session, chosen, today=moment.date())
    panel(counter_strip(overview, url_filters(), moment), key="counters")
    if overview.current.received == 0:
        empty_state(
            "No captures in this selection",
            "Choose a longer period or clear the filters. If nothing was sent yet, start on the page Upload.",
            key="empty",
        )
        return
    panel(rate_pair(overview), key="rates")
    _draw_chart(overview)
    with st.container(gap="medium"):
        st.subheader("By site")
        panel(group_table(overview.sites, "site", "Site", url_filters()), key="sites")
        st.subheader("By device")
        panel(group_table(overview.devices, "device", "Device", url_filters()), key="devices")
    panel(_footnote(overview.as_of), key="footnote")


def _draw_chart(overview: Overview) -> None:
    st.subheader("By week")
    points = week_points(overview.weeks)
    rates_alt = "First-pass and final gradable rate by week of acquisition, with 95 % intervals."
    st.altair_chart(draw_rates(points), width="stretch", alt=rates_alt)
    st.altair_chart(draw_counts(points), width="stretch", alt="Captures decided by week of acquisition.")


def _footnote(as_of: datetime) -> Html:
    return tag(
        "p",
        "Gradable means grade 1 or better on every slab that the protocol requires. Intervals are Wilson 95 % and take "
        "captures as independent of each other; eyes and repeats of one patient are not quite. Weeks begin on Monday "
        f"(UTC) and count by the day of acquisition. As of {as_of:%d %b %Y, %H:%M} UTC.",
        class_="muted small",
    )


main()
