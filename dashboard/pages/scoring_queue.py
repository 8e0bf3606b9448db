"""Queue: what waits to be scored, who scores it how fast, and what could not be scored. Load, choose, draw."""

from datetime import timedelta

import streamlit as st

from core.charts.throughput import HOURS, draw_throughput
from core.clock import now
from core.store.alert import read_open_alerts
from core.store.queue_state import STUCK_STATES, read_lanes, read_scored_hours, read_stuck
from core.store.scan_filter import ScanFilter
from core.store.worker_process import read_hours, read_processes
from core.vocabulary import AlertKind
from dashboard.administration.steps import draw_outcome
from dashboard.components.chart import draw_chart
from dashboard.components.markup import page_link, tag
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.components.queue_counters import is_alive, keeper_line, queue_counters, worker_table
from dashboard.components.stuck_scans import draw_stuck_steps, stuck_table
from dashboard.filters import Field, draw_filters
from dashboard.session import current_user, open_session

PAGE_SIZE = 25
REFRESHED_EVERY = timedelta(seconds=10)


def main() -> None:
    """Draw the page."""
    st.title("Queue")
    draw_outcome()
    with open_session() as session:
        chosen = draw_filters(session, (Field.STUDY, Field.SITE), today=now().date())
    _draw_live(chosen)
    _draw_stuck(chosen)


@st.fragment(run_every=REFRESHED_EVERY)
def _draw_live(chosen: ScanFilter) -> None:
    at = now()
    within = {"study_id": chosen.study_id, "site_id": chosen.site_id}
    since = at - timedelta(hours=HOURS)
    with open_session() as session:
        lanes = read_lanes(session, **within)
        hours = read_scored_hours(session, since=since, **within)
        processes, work = read_processes(session, since=since), read_hours(session, since=since)
        alerts = read_open_alerts(session)
    is_stalled = any(alert.kind is AlertKind.QUEUE and chosen.study_id in {None, alert.study_id} for alert in alerts)
    if is_stalled:
        panel(tag("p", page_link("The queue is stalled: see the alert", "alerts"), class_="verdict"), key="stalled")
    panel(queue_counters(lanes, at=at), key="counters")
    draw_chart(draw_throughput(hours, until=at), alt="Scans scored per hour, last 24 hours", key="throughput")
    st.subheader("Workers")
    panel(keeper_line(processes, at=at), key="keeper")
    workers = [process for process in processes if process.kind == "worker"]
    if workers:
        panel(worker_table(workers, work, at=at), key="workers")
    else:
        empty_state("No worker was heard", "No worker gave a sign of life within 24 hours. Start one.", key="no-worker")
    n_alive = sum(is_alive(process, at) for process in workers)
    st.caption(f"{n_alive} alive. Workers score for all studies, so their figures do too. As of {at:%H:%M:%S} UTC.")


def _draw_stuck(chosen: ScanFilter) -> None:
    number = page_number()
    with open_session() as session:
        scans, total = read_stuck(
            session, STUCK_STATES, study_id=chosen.study_id, site_id=chosen.site_id, page=number, page_size=PAGE_SIZE
        )
    st.subheader("Could not be scored")
    if not scans:
        empty_state("Nothing is stuck", "No scan failed or was set aside in this selection.", key="nothing-stuck")
        return
    panel(stuck_table(scans), key="stuck")
    draw_pager(number, PAGE_SIZE, shown=len(scans), total=total, noun="scans")
    draw_stuck_steps(scans, current_user())


main()
