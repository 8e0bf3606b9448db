"""What a click on the scan page writes: callbacks around the review and reacquisition use cases. Draws only outcomes.

A callback gets the version that the person saw as an argument bound when the button was drawn. Read again at the click,
it would always be the newest one, and a colleague's decision in between would be overwritten unseen.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from core.errors import OctauditError
from core.store.access import current_actor
from core.usecases.answer_query import answer_query
from core.usecases.grade_masked import grade_masked
from core.usecases.reacquire import acknowledge_request, mark_not_possible, schedule_request
from core.usecases.review_scan import accept_scan, override_scan, query_site, request_reacquisition
from core.vocabulary import ReasonCode
from dashboard.session import open_session

_OUTCOME = "octaudit.outcome"


def accept(scan_id: int, seen_version: int) -> None:
    """Accept the scan as the model graded it."""
    _write("Accepted.", accept_scan, scan_id=scan_id, seen_version=seen_version)


def override(scan_id: int, seen_version: int) -> None:
    """Replace the model's grade by the one chosen in the form, with its reason."""
    ordinal, reason = st.session_state["override.grade"], st.session_state["override.reason"]
    if ordinal is None:
        _refuse("Choose a grade first.")
        return
    arguments = {"scan_id": scan_id, "seen_version": seen_version, "ordinal": ordinal, "reason": reason}
    if _write("The grade was overridden.", override_scan, **arguments):
        st.session_state["override.reason"] = ""


def request(scan_id: int, seen_version: int) -> None:
    """Ask the site for a new capture, for the reason chosen in the form."""
    code: ReasonCode | None = st.session_state["request.code"]
    _write(
        "The site was asked for a new scan.",
        request_reacquisition,
        scan_id=scan_id,
        seen_version=seen_version,
        reason_code=code,
        text=st.session_state["request.text"].strip(),
        remedy=st.session_state["request.remedy"].strip(),
    )


def query(scan_id: int, seen_version: int) -> None:
    """Ask the site what is written in the form."""
    question = st.session_state["query.text"]
    arguments = {"scan_id": scan_id, "seen_version": seen_version, "question": question}
    if _write("The question was sent to the site.", query_site, **arguments):
        st.session_state["query.text"] = ""


def answer(scan_id: int) -> None:
    """The site answers the open question with what is written in the form."""
    if _write("The answer was sent.", answer_query, scan_id=scan_id, answer=st.session_state["answer.text"]):
        st.session_state["answer.text"] = ""


def grade(scan_id: int) -> None:
    """Give the own grade, masked from the model's and from everybody's."""
    ordinal, reason = st.session_state["masked.grade"], st.session_state["masked.reason"]
    if ordinal is None:
        _refuse("Choose a grade first.")
        return
    _write("Your grade is written.", grade_masked, scan_id=scan_id, ordinal=ordinal, reason=reason.strip())


def acknowledge(request_id: int) -> None:
    """The site has seen the request."""
    _write("Acknowledged.", acknowledge_request, request_id=request_id)


def schedule(request_id: int) -> None:
    """The site has made an appointment on the day chosen in the form."""
    planned_on: date = st.session_state["schedule.day"]
    _write(f"Scheduled for {planned_on:%d %b %Y}.", schedule_request, request_id=request_id, planned_on=planned_on)


def give_up(request_id: int) -> None:
    """A new capture is not possible, for the reason written in the form."""
    reason = st.session_state["not-possible.reason"]
    _write("Closed as not possible.", mark_not_possible, request_id=request_id, reason=reason)


def draw_outcome() -> None:
    """Say how the last click went, once."""
    outcome: tuple[str, str] | None = st.session_state.pop(_OUTCOME, None)
    if outcome is None:
        return
    kind, words = outcome
    if kind == "done":
        st.success(words, icon=":material/check_circle:")
    else:
        st.error(words, icon=":material/error:")


def _write(done: str, verb: Callable[..., Any], **arguments: Any) -> bool:
    """Run a use case in its own transaction as the signed-in person; whether it was written."""
    try:
        with open_session() as session:
            actor = current_actor(session)
            if actor is None:
                return False  # the page that follows says that the session has ended
            verb(session, actor=actor, **arguments)
    except OctauditError as error:
        _refuse(str(error))
        return False
    st.session_state[_OUTCOME] = ("done", done)
    return True


def _refuse(words: str) -> None:
    st.session_state[_OUTCOME] = ("refused", words)
