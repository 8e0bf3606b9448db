"""The captures of an expected scan on a page: side by side, the requests' course, and the choice of the best one."""

from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.capture_set import CaptureSet, SetCapture, read_capture_set, slot_of
from core.store.tracker import read_course, read_rounds
from core.usecases.choose_best import choose_best
from core.usecases.review_scan import REVIEWERS
from core.wording import grade_name
from dashboard.administration.steps import fresh_key, perform, popping_up
from dashboard.components.before_after import best_words, captures_table, course
from dashboard.components.panel import panel
from dashboard.session import open_session


def draw_captures(acquisition_id: int, actor: Actor, *, today: date, is_quiet: bool = True) -> None:
    """Every capture of the expected scan that this one belongs to; ``is_quiet``: nothing where it is the only one."""
    with open_session() as session:
        slot_id = slot_of(session, acquisition_id)
        captures = read_capture_set(session, slot_id) if slot_id is not None else None
        rounds = read_rounds(session, slot_id) if slot_id is not None else ()
        steps = read_course(session, [each.id for each in rounds])
    if captures is None or (is_quiet and len(captures.captures) == 1 and not rounds):
        return
    st.subheader("Before and after")
    panel(captures_table(captures, rounds), key="captures")
    if len(captures.captures) > 1:
        panel(best_words(captures), key="best")
    _draw_choice(captures, actor)
    if rounds:
        st.subheader("Course of the request" if len(rounds) == 1 else "Course of the requests")
        panel(course(rounds, steps, today), key="course")


def _draw_choice(captures: CaptureSet, actor: Actor) -> None:
    """Who reviews marks the capture that stands for the expected scan, where there is anything to choose."""
    place = {"study_id": captures.study_id, "site_id": captures.site_id}
    if len(captures.gradable) < 2 or not actor.has_role(*REVIEWERS, **place):  # noqa: PLR2004 - one is no choice
        return
    others: list[SetCapture | None] = [each for each in captures.gradable if each is not captures.chosen]
    if captures.chosen is not None:
        others.append(None)
    with popping_up("Choose the best capture", "best", icon="star"):
        chosen = st.selectbox("Which one", others, format_func=_capture_words, key=fresh_key("best.which"))
        reason = st.text_area("Reason (required)", max_chars=1000, height=90, key=fresh_key("best.reason"))
        if st.button("Save the choice", type="primary", key=fresh_key("best.save")):
            perform(lambda session, who: _choose(session, who, captures, chosen, reason))


def _choose(session: Session, actor: Actor, captures: CaptureSet, chosen: SetCapture | None, reason: str) -> str:
    choose_best(
        session, actor=actor, expected_scan_id=captures.expected_scan_id,
        acquisition_id=chosen.acquisition_id if chosen is not None else None, reason=reason,
    )  # fmt: skip
    return f"Capture {chosen.code} stands for this expected scan." if chosen is not None else "The rule holds again."


def _capture_words(capture: SetCapture | None) -> str:
    if capture is None:
        return "None: let the rule decide"
    grade = "not graded" if capture.ordinal < 0 else grade_name(capture.ordinal, capture.scans[0].kind)
    return f"{capture.code} · {capture.acquired_at:%d %b %Y, %H:%M} · {grade}"
