"""Grading: scans to grade, to settle and to check, each with the keyboard alone; the plan and its progress."""

from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.store.access import Actor
from core.store.administration import list_studies
from core.store.calibration_mode import read_calibrated, reviewers_of_study
from core.store.grading_view import read_to_settle
from core.store.scan_filter import ScanFilter
from core.vocabulary import Role
from dashboard.components.panel import empty_state, panel
from dashboard.filters import MAX_ID, SCAN_FIELDS, draw_filters, filter_query, url_choice
from dashboard.grading.adjudication import draw_adjudication
from dashboard.grading.calibration import draw_calibration
from dashboard.grading.checks import draw_checks, read_check_list
from dashboard.grading.own import draw_own_list, read_own_list
from dashboard.grading.progress import (
    Programme,
    acceptance_words,
    device_table,
    grader_table,
    plan_words,
    progress_counters,
    read_programme,
    settled_words,
)
from dashboard.outcome import draw_outcome
from dashboard.session import current_user, open_session

VIEWS = {
    "own": ("My scans to grade", frozenset({Role.GRADER})),
    "settle": ("To settle", frozenset({Role.ADJUDICATOR})),
    "checks": ("Check of accepted scans", frozenset({Role.QC_TECHNICIAN, Role.ADJUDICATOR})),
    "plan": ("Plan and progress", frozenset({Role.MANAGER, Role.ADMIN})),
}
"""What each role does here; a person with several chooses."""


def main() -> None:
    """Draw the page."""
    actor, today = current_user(), now().date()
    st.title("Grading")
    words = {view: title for view, (title, roles) in VIEWS.items() if actor.roles & roles}
    view = url_choice("What to do", "view", words) if len(words) > 1 else next(iter(words))
    draw_outcome()
    {"own": _own, "settle": _settle, "checks": _checks, "plan": _plan}[view](actor, today)


def _own(_actor: Actor, today: date) -> None:
    with open_session() as session:
        own = read_own_list(session, today)
    draw_own_list(own, today)


def _settle(_actor: Actor, _today: date) -> None:
    with open_session() as session:
        items, total = read_to_settle(session, limit=2)
    draw_adjudication(items, total)


def _checks(_actor: Actor, today: date) -> None:
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS, today=today)
        checks = read_check_list(session, chosen, _asked_check())
    draw_checks(checks)


def _plan(actor: Actor, today: date) -> None:
    with open_session() as session:
        chosen = draw_filters(session, SCAN_FIELDS[:3], today=today)
        found = _study_of(session, chosen)
        programme = None if found is None else read_programme(session, chosen, found, today=today)
        calibrated = () if found is None else read_calibrated(session, found)
        reviewers = () if found is None else reviewers_of_study(session, found)
    if found is None:
        empty_state("Choose a study", "Every study has a grading plan of its own: choose one above.", key="plan-study")
        return
    if programme is None:
        empty_state("No protocol yet", "The grading plan is a part of the protocol: publish one.", key="plan-none")
        return
    _draw_programme(programme, chosen)
    is_keeper = any(
        g.role in {Role.MANAGER, Role.ADMIN} and g.site_id is None and g.covers(found, None) for g in actor.grants
    )
    if is_keeper:
        st.subheader("Calibration mode")
        draw_calibration(found, calibrated, reviewers)


def _draw_programme(programme: Programme, chosen: ScanFilter) -> None:
    panel(progress_counters(programme.progress), key="plan-counters")
    if programme.progress.graders:
        st.subheader("Graders")
        panel(grader_table(programme.progress), key="plan-graders")
    st.subheader("Settled")
    if programme.settled:
        panel(settled_words(programme.settled, filter_query(chosen)), key="plan-settled")
    else:
        st.caption("No scan of this selection is settled yet.")
    st.subheader("Checks of accepted scans")
    panel(acceptance_words(programme.acceptance, programme.accept_level), key="plan-acceptance")
    if programme.acceptance.devices:
        panel(device_table(programme.acceptance.devices), key="plan-devices")
    st.subheader("The plan")
    panel(plan_words(programme.plan, programme.version), key="plan-words")
    st.caption("An administrator changes it with a new version of the protocol, on the page Admin.")


def _study_of(session: Session, chosen: ScanFilter) -> int | None:
    """The chosen study, or the only one there is."""
    studies = list_studies(session)
    if chosen.study_id is not None:
        return chosen.study_id
    return studies[0].id if len(studies) == 1 else None


def _asked_check() -> int | None:
    text = st.query_params.get("check", "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= MAX_ID else None


main()
