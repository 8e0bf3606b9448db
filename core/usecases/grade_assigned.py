"""A grader grades a scan from the own list: the first look is a masked grade, a repeat is kept beside it."""

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotFoundError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.masked_grade import read_scan_to_grade
from core.store.own_grading import finish_own_repeat, lock_own_work
from core.usecases.grade_masked import grade_masked
from core.usecases.review_scan import GRADED_KIND, known_ordinal


def grade_assigned(session: Session, *, actor: Actor, assignment_id: int, ordinal: int, reason: str = "") -> None:
    """Write the grade of one scan of the person's list.

    A repeat writes no second masked grade: whoever reads grades would count one person twice.

    Raises
    ------
    NotFoundError
        The person has no such open scan: it was graded, or taken away because a role ended.
    NotAllowedError, IllegalMoveError
        As core.usecases.grade_masked.grade_masked.
    """
    work = lock_own_work(session, assignment_id)
    if work is None:
        raise NotFoundError("This scan is no longer on your list.", remedy="Go on to the next one.")
    if not work.is_repeat:
        grade_masked(session, actor=actor, scan_id=work.scan_id, ordinal=ordinal, reason=reason)
        return
    scan = read_scan_to_grade(session, work.scan_id)
    if scan is None:
        raise NotFoundError("You may no longer grade scans of this site.", remedy="Go on to the next one.")
    if not finish_own_repeat(session, assignment_id, ordinal=known_ordinal(ordinal, GRADED_KIND), at=now()):
        raise IllegalMoveError("You have already graded this scan.", remedy="Go on to the next one.")
    # The same words as of a first look: the event must not tell who reads it that this one was a repeat.
    record_event(
        session, actor=actor, action="scan.graded_masked", entity="scan", entity_id=work.scan_id,
        study_id=scan.study_id, site_id=scan.site_id, after={"ordinal": ordinal}, reason=reason,
    )  # fmt: skip
