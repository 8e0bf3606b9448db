"""Reports: make one, find those made before, have them sent by schedule, take results away. Load, choose, draw."""

from collections.abc import Sequence

import streamlit as st

from core.store.access import Actor
from core.store.batch import SiteRef, read_sites
from core.store.report import read_reports
from core.store.report_schedule import Schedule, read_schedules, read_sendings
from core.usecases.schedule_reports import KEEPERS
from core.vocabulary import ReportState
from dashboard.administration.steps import adding_freely, draw_outcome
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.report_forms import (
    draw_asking,
    draw_export,
    draw_schedule_changes,
    draw_scheduling,
    draw_tips,
)
from dashboard.components.report_table import report_table, schedule_table
from dashboard.installation import installation
from dashboard.navigation import COMPARERS
from dashboard.session import current_user, open_session

PAGE_SIZE = 20
REFRESH_S = 2
"""How often the list asks whether a report is made: one takes a few seconds."""


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Reports")
    draw_outcome()
    with open_session() as session:
        sites = tuple(place for place in read_sites(session) if place.is_active)
        schedules = read_schedules(session) if actor.has_role(*COMPARERS) else ()
    if not sites:
        empty_state("No site to report on", "Ask an administrator for a role at a site.", key="no-site")
        return
    with adding_freely("Make a report", "ask", icon="picture_as_pdf", is_open=True):
        draw_asking(actor, sites)
    _draw_list()
    if actor.has_role(*COMPARERS):
        _draw_schedules(actor, sites, schedules)
    st.subheader("Take results away")
    draw_export(sites)
    st.subheader("Tip sheets")
    draw_tips(sites)


def _draw_list() -> None:
    number = page_number()
    with open_session() as session:
        is_live = any(row.state is ReportState.ASKED for row in read_reports(session, limit=PAGE_SIZE))

    @st.fragment(run_every=REFRESH_S if is_live else None)
    def reports() -> None:
        with open_session() as session:
            rows = read_reports(session, limit=PAGE_SIZE, offset=PAGE_SIZE * number)
            sendings = read_sendings(session, [row.id for row in rows])
        if rows:
            panel(report_table(rows, sendings), key="reports")
            draw_pager(number, PAGE_SIZE, shown=len(rows), total=None, noun="reports")
        else:
            empty_state("No report yet", "Make the first one above; it stays listed here with its hash.", key="none")
        if is_live and not any(row.state is ReportState.ASKED for row in rows):
            st.rerun()  # the last one is made: stop asking

    reports()


def _draw_schedules(actor: Actor, sites: Sequence[SiteRef], schedules: Sequence[Schedule]) -> None:
    st.subheader("By schedule")
    if schedules:
        panel(schedule_table(schedules), key="schedules")
    else:
        st.caption("No report is scheduled.")
    if not actor.has_role(*KEEPERS):
        return
    if installation().settings.smtp_host is None:
        st.caption("Reports can be scheduled once a mail server is set (OCTAUDIT_SMTP_HOST).")
    else:
        with adding_freely("Schedule a report", "schedule", icon="schedule_send"):
            draw_scheduling(actor, sites)
    kept = [each for each in schedules if actor.has_role(*KEEPERS, study_id=each.study_id, site_id=each.site_id)]
    if kept:
        with adding_freely("Change, pause or end a schedule", "change", icon="event_busy"):
            draw_schedule_changes(kept)


main()
