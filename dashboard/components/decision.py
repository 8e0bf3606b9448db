"""The decision box of the scan page: what this person may do with this scan, written at the click."""

from datetime import date

import streamlit as st

from core.store.access import Actor
from core.store.scan_history import HistoryEntry, OpenRequest, open_question
from core.store.scan_view import ScanView
from core.usecases.reacquire import MOVES, SITE_ROLES
from core.usecases.review_scan import REVIEWERS
from core.values import Reason
from core.vocabulary import CoipsGrade, ReasonCode, RequestState, ScanState
from core.wording import GRADE_NAMES, REASON_NAMES, REQUEST_NAMES, days_left_words
from dashboard import decisions

ASKABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW})
ACCEPTABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW, ScanState.QUERIED})
REQUESTABLE = frozenset({ScanState.UNDER_REVIEW, ScanState.QUERIED})
HUMAN_REASONS = tuple(code for code in ReasonCode if code.startswith("oscar-mp:"))
"""What a person may name when asking for a new OCTA scan."""


def draw_decision(view: ScanView, actor: Actor, *, today: date) -> None:
    """Reviewers decide; the site answers an open request; everybody else sees neither."""
    if view.request is not None and view.request.is_open:
        _draw_request(view, view.request, actor, today)
    question = open_question(view.history) if view.state is ScanState.QUERIED else None
    if question is not None:
        _draw_question(view, question, actor)
    if actor.has_role(*REVIEWERS, study_id=view.study_id, site_id=view.site_id) and view.state in ACCEPTABLE:
        _draw_review(view)


def _draw_review(view: ScanView) -> None:
    bound = (view.scan_id, view.version)
    with st.container(horizontal=True, gap="small", key="octaudit-decision"):
        if view.state is not ScanState.ACCEPTED and _may_accept(view):
            st.button(
                "Accept",
                type="primary",
                icon=":material/check:",
                on_click=decisions.accept,
                args=bound,
                help="The scan is good enough as it is graded.",
                width="stretch",
            )
        with st.popover("Override grade", icon=":material/edit:", width="stretch"):
            _draw_override(view, bound)
        if view.state in REQUESTABLE:
            with st.popover("Ask for a new scan", icon=":material/replay:", width="stretch"):
                _draw_request_form(view, bound)
        if view.state in ASKABLE:
            with st.popover("Ask the site", icon=":material/help:", width="stretch"):
                _draw_query_form(view, bound)


def _may_accept(view: ScanView) -> bool:
    """Accepting an ungradable scan contradicts its grade: that is an override, with a reason."""
    assessment = view.assessment
    if assessment is None:
        return False
    ordinal = assessment.ordinal if view.human_ordinal is None else view.human_ordinal
    return ordinal >= CoipsGrade.GRADABLE or (assessment.is_abstained and view.human_ordinal is None)


def _draw_override(view: ScanView, bound: tuple[int, int]) -> None:
    st.segmented_control(
        "Your grade", list(GRADE_NAMES), key="override.grade", format_func=lambda ordinal: GRADE_NAMES[ordinal]
    )
    st.text_area(
        "Reason (required)",
        key="override.reason",
        max_chars=1000,
        height=90,
        placeholder="What does the image show that the model missed?",
    )
    st.button("Save my grade", type="primary", on_click=decisions.override, args=bound, key=f"override-{view.scan_id}")
    st.caption("Gradable or outstanding accepts the scan. The model's grade stays on record.")


def _reasons(view: ScanView) -> tuple[Reason, ...]:
    """What the page already shows of the verdict, above the box."""
    return view.assessment.reasons if view.assessment else ()


def _draw_request_form(view: ScanView, bound: tuple[int, int]) -> None:
    codes = list(dict.fromkeys([*(reason.code for reason in _reasons(view)), *HUMAN_REASONS]))
    st.selectbox("Reason", codes, key="request.code", format_func=lambda code: REASON_NAMES[code])
    st.text_input("In your words (optional)", key="request.text", max_chars=500)
    st.text_input(
        "What the technician should do (optional)",
        key="request.remedy",
        max_chars=500,
        placeholder="Empty: the remedy shown above",
    )
    st.button("Send to the site", type="primary", on_click=decisions.request, args=bound, key=f"request-{view.scan_id}")
    until = f"Due {view.window_ends_on:%d %b %Y}, when" if view.window_ends_on else "Without a due day:"
    st.caption(f"{until} the visit window ends." if view.window_ends_on else f"{until} this visit has no window.")


def _draw_query_form(view: ScanView, bound: tuple[int, int]) -> None:
    st.text_area(
        "Question (required)",
        key="query.text",
        max_chars=1000,
        height=90,
        placeholder="Was this the left eye? The optic disc lies on the other side.",
    )
    st.button("Send the question", type="primary", on_click=decisions.query, args=bound, key=f"query-{view.scan_id}")
    st.caption("The scan waits in the site's worklist for the answer and then comes back to you.")


def _draw_question(view: ScanView, question: HistoryEntry, actor: Actor) -> None:
    """What the site was asked; who may answer for it gets the form."""
    asked = f"**Question to the site** · {question.happened_at:%d %b %Y} · {question.who or 'reading centre'}"
    st.info(f"{asked}\n\n{question.note}", icon=":material/help:")
    if not actor.has_role(*SITE_ROLES, study_id=view.study_id, site_id=view.site_id):
        return
    st.text_area("Answer", key="answer.text", max_chars=1000, height=90, placeholder="What did you find?")
    st.button("Send the answer", on_click=decisions.answer, args=(view.scan_id,), key=f"answer-{view.scan_id}")


def request_words(request: OpenRequest, today: date) -> str:
    """How far the request is, and how long the site has left, as long as it is the site's move."""
    words = f"**A new scan is asked for** · {REQUEST_NAMES[request.state].lower()}"
    if request.is_answered:
        return words
    return f"{words} · {days_left_words((request.due_on - today).days if request.due_on else None)}"


def _draw_request(view: ScanView, request: OpenRequest, actor: Actor, today: date) -> None:
    text = request_words(request, today)
    shown = {each for reason in _reasons(view) for each in (reason.text, reason.remedy)}
    more = [each for each in (request.text, request.remedy) if each and each not in shown]
    st.info("\n\n".join([text, *more]), icon=":material/replay:")
    if not actor.has_role(*SITE_ROLES, study_id=view.study_id, site_id=view.site_id):
        return
    moves = MOVES[request.state]
    with st.container(horizontal=True, gap="small", key="octaudit-request"):
        if RequestState.ACKNOWLEDGED in moves:
            st.button(
                "Acknowledge", icon=":material/done:", on_click=decisions.acknowledge, args=(request.id,),
                width="stretch",
            )  # fmt: skip
        if RequestState.SCHEDULED in moves:
            with st.popover("Schedule", icon=":material/event:", width="stretch"):
                st.date_input("Appointment", value=today, min_value=today, key="schedule.day", format="YYYY-MM-DD")
                st.button("Save the day", type="primary", on_click=decisions.schedule, args=(request.id,))
        if RequestState.NOT_POSSIBLE in moves:
            with st.popover("Not possible", icon=":material/block:", width="stretch"):
                st.text_area("Why? (required)", key="not-possible.reason", max_chars=1000, height=90)
                st.button("Close the request", type="primary", on_click=decisions.give_up, args=(request.id,))
        if RequestState.RECEIVED in moves:
            st.page_link(
                "pages/upload.py",
                label="Upload the replacement",
                icon=":material/upload:",
                query_params={"request": str(request.id)},
                width="stretch",
            )
