"""A person grades a scan without having seen the model's or anybody's grade: it decides nothing, and comes once."""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.masked_grade import add_masked_grade, has_graded, read_scan_to_grade
from core.usecases.review_scan import known_ordinal, reviewer_id_of
from core.vocabulary import Role

GRADERS = (Role.GRADER, Role.QC_TECHNICIAN, Role.ADJUDICATOR)
"""Who may grade a scan masked. Only for who has no other role there does the database enforce the mask."""


def grade_masked(session: Session, *, actor: Actor, scan_id: int, ordinal: int, reason: str = "") -> None:
    """Write the person's grade; from then on they see the scan as every other role does.

    Raises
    ------
    NotFoundError
        There is no such scan where the person may grade.
    NotAllowedError
        Nobody is logged in, or the person acquired or uploaded the scan.
    IllegalMoveError
        The person has graded this scan before.
    """
    scan = read_scan_to_grade(session, scan_id)
    if scan is None:
        raise NotFoundError(f"There is no scan {scan_id} for you to grade.", remedy="Choose one from your list.")
    if not actor.has_role(*GRADERS, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError("Your role does not allow you to grade scans of this site.", remedy="Ask a grader.")
    reviewer_id = reviewer_id_of(actor)
    if reviewer_id in scan.own_user_ids:
        raise NotAllowedError(
            "You acquired or uploaded this scan, so you cannot review it.", remedy="Leave it to another reviewer."
        )
    grade = known_ordinal(ordinal, scan.kind)
    if has_graded(session, scan_id=scan_id, reviewer_id=reviewer_id):
        raise IllegalMoveError("You have already graded this scan.", remedy="Go on to the next one.")
    add_masked_grade(session, scan, reviewer_id=reviewer_id, ordinal=grade, reason=reason)
    record_event(
        session,
        actor=actor,
        action="scan.graded_masked",
        entity="scan",
        entity_id=scan_id,
        study_id=scan.study_id,
        site_id=scan.site_id,
        after={"ordinal": grade},
        reason=reason,
    )
