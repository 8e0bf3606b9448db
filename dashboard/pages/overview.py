"""Overview: how many scans are good enough, where not, and what waits. Load, choose, draw."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.clock import now
from core.store.overview import Overview, read_overview
from core.store.same_image import SharedImage, read_shared_images
from core.vocabulary import Role
from dashboard.charts.weekly import draw_counts, draw_rates, week_points
from dashboard.components.counters import counter_strip
from dashboard.components.group_table import group_table
from dashboard.components.markup import Html, tag
from dashboard.components.panel import empty_state, panel
from dashboard.components.rate import rate_pair
from dashboard.components.shared_images import shared_images
from dashboard.filters import RATE_FIELDS, Period, draw_filters, url_filters
from dashboard.session import current_user, open_session

READING_CENTRE = frozenset(Role) - {Role.SITE_TECHNICIAN}


def main() -> None:
    """Draw the page."""
    moment, actor = now(), current_user()
    with open_session() as session:
        st.title("Overview")
        chosen = draw_filters(session, RATE_FIELDS, today=moment.date(), period=Period.WEEKS_26)
        overview = read_overview(session, chosen, today=moment.date())
        shared = read_shared_images(session, chosen) if actor.has_role(*READING_CENTRE) else ()
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
    _draw_groups(overview)
    _draw_shared(shared)
    panel(_footnote(overview.as_of), key="footnote")


def _draw_groups(overview: Overview) -> None:
    with st.container(gap="medium"):
        st.subheader("By site")
        panel(group_table(overview.sites, "site", "Site", url_filters()), key="sites")
        st.subheader("By device")
        panel(group_table(overview.devices, "device", "Device", url_filters()), key="devices")


def _draw_shared(shared: Sequence[SharedImage]) -> None:
    if shared:
        st.subheader("The same image from two sites")
        panel(shared_images(shared), key="shared-images")


def _draw_chart(overview: Overview) -> None:
    st.subheader("By week")
    points = week_points(overview.weeks)
    rates_alt = "First-pass and final gradable rate by week of acquisition, with 95 % intervals."
    st.altair_chart(draw_rates(points), width="stretch", alt=rates_alt)
    st.altair_chart(draw_counts(points), width="stretch", alt="First captures decided, by week of acquisition.")


def _footnote(as_of: datetime) -> Html:
    return tag(
        "p",
        "Gradable means grade 1 or better on every slab that the protocol requires. Intervals are Wilson 95 % and take "
        "captures as independent of each other; eyes and repeats of one patient are not quite. Weeks begin on Monday "
        f"(UTC) and count by the day of acquisition. As of {as_of:%d %b %Y, %H:%M} UTC.",
        class_="muted small",
    )


main()
