"""What a click on the page Grading writes: callbacks around the use cases, each in a transaction of its own."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import OctauditError
from core.store.accepted_check import OpenCheck, read_model_grade
from core.store.access import Actor, current_actor
from core.usecases.calibrate_reviewer import start_calibration, stop_calibration
from core.usecases.check_accepted import check_accepted
from core.usecases.grade_assigned import grade_assigned
from core.usecases.grade_masked import grade_masked
from core.usecases.settle_grading import settle_grading
from core.vocabulary import CoipsGrade, ScanKind
from core.wording import GRADE_NAMES, grade_name
from dashboard.grading.keys import chosen_grade, forget_choice
from dashboard.outcome import note_done, note_refused
from dashboard.session import open_session


def remark_key(subject: str) -> str:
    """Under which key the remark's widget of a subject is held."""
    return f"grading.remark.{subject}"


def save_own(subject: str, assignment_id: int) -> None:
    """Write the grader's own grade."""

    def write(session: Session, actor: Actor, ordinal: int, remark: str) -> str:
        grade_assigned(session, actor=actor, assignment_id=assignment_id, ordinal=ordinal, reason=remark)
        return f"Saved: {GRADE_NAMES[ordinal]}."

    _save(subject, write)


def grade_first(subject: str, scan_id: int, kind: ScanKind) -> None:
    """In calibration mode: the own grade of a scan, after which the model's is shown."""

    def write(session: Session, actor: Actor, ordinal: int, remark: str) -> str:
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=ordinal, reason=remark)
        return f"Saved: {grade_name(ordinal, kind)}. Now the model's grade is shown."

    _save(subject, write)


def settle(subject: str, grading_id: int) -> None:
    """Write the adjudicator's grade as the consensus."""

    def write(session: Session, actor: Actor, ordinal: int, remark: str) -> str:
        settle_grading(session, actor=actor, grading_id=grading_id, ordinal=ordinal, reason=remark)
        return f"Settled as {GRADE_NAMES[ordinal]}."

    _save(subject, write)


def answer_check(subject: str, check: OpenCheck) -> None:
    """Decide about an accepted scan by the own grade, and say how it compares with the model's."""

    def write(session: Session, actor: Actor, ordinal: int, remark: str) -> str:
        check_accepted(
            session, actor=actor, check_id=check.id, seen_version=check.version, ordinal=ordinal, reason=remark
        )
        model = read_model_grade(session, check.scan_id)
        done = "Confirmed" if ordinal >= CoipsGrade.GRADABLE else "Overturned: the scan is in the worklist"
        own = f"your grade {GRADE_NAMES[ordinal]}"
        return f"{done}; {own}" + ("." if model is None else f", the model's {GRADE_NAMES[model[0]]}.")

    _save(subject, write)


def calibrate(study_id: int) -> None:
    """Put the reviewer chosen in the form into calibration mode."""
    user_id, reason = st.session_state["calibration.reviewer"], st.session_state["calibration.reason"]

    def write(session: Session, actor: Actor) -> str:
        start_calibration(session, actor=actor, study_id=study_id, user_id=user_id, reason=reason)
        return "From now on this reviewer grades before seeing the model's grade."

    if perform(write):
        st.session_state["calibration.reason"] = ""


def end_calibration(study_id: int, calibration_id: int) -> None:
    """Take a reviewer out of it."""

    def write(session: Session, actor: Actor) -> str:
        stop_calibration(session, actor=actor, study_id=study_id, calibration_id=calibration_id)
        return "This reviewer sees the model's grade at once again."

    perform(write)


def _save(subject: str, write: Callable[[Session, Actor, int, str], str]) -> None:
    ordinal = chosen_grade(subject)
    if ordinal is None:
        return
    remark = str(st.session_state.get(remark_key(subject)) or "")
    if perform(lambda session, actor: write(session, actor, ordinal, remark.strip())):
        forget_choice()


def perform(write: Callable[[Session, Actor], str]) -> bool:
    """Do it as the signed-in person; whether it was written."""
    try:
        with open_session() as session:
            actor = current_actor(session)
            if actor is None:
                return False  # the page that follows says that the session has ended
            words = write(session, actor)
    except OctauditError as error:
        note_refused(str(error))
        return False
    note_done(words)
    return True
