"""An adjudicator settles a scan on which the graders differ, or that the senior check has drawn."""

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.policy.grading_plan import require_move
from core.store.access import Actor
from core.store.audit import record_event
from core.store.grading import settle_by_adjudicator
from core.store.grading_view import read_grading
from core.usecases.call_for_check import call_for_check
from core.usecases.review_scan import GRADED_KIND, known_ordinal, reviewer_id_of
from core.vocabulary import GradingState, Role


def settle_grading(session: Session, *, actor: Actor, grading_id: int, ordinal: int, reason: str = "") -> None:
    """Write the adjudicator's grade as the consensus. A grade that no grader gave needs a reason.

    Raises
    ------
    NotFoundError
        There is no such grading where the person adjudicates.
    NotAllowedError
        It was given to another adjudicator, or the person has graded, uploaded or acquired the scan (the database).
    IllegalMoveError
        It is not, or no longer, to be adjudicated.
    UsageError
        The scale has no such grade, or the reason is missing.
    """
    person = reviewer_id_of(actor)
    grading = read_grading(session, grading_id)
    if grading is None or not actor.has_role(Role.ADJUDICATOR, study_id=grading.study_id, site_id=grading.site_id):
        raise NotFoundError(f"There is no grading {grading_id} for you to settle.", remedy="Choose one from the list.")
    require_move(grading.state, GradingState.SETTLED)
    if grading.state is not GradingState.TO_ADJUDICATE:
        raise IllegalMoveError("Its graders are not done yet.", remedy="Wait for their grades.")
    if grading.adjudicator_id != person:
        raise NotAllowedError("This scan was given to another adjudicator.", remedy="Leave it to them.")
    known_ordinal(ordinal, GRADED_KIND)
    if ordinal not in grading.ordinals and not reason.strip():
        raise UsageError("No grader gave this grade, so it needs a reason.", remedy="Write it in a few words.")
    is_settled = settle_by_adjudicator(
        session, grading_id, ordinal=ordinal, adjudicator_id=person, reason=reason.strip(), at=now()
    )
    if not is_settled:
        raise IllegalMoveError("This scan was settled in the meantime.", remedy="Go on to the next one.")
    record_event(
        session, actor=actor, action="grading.settled", entity="grading", entity_id=grading_id,
        study_id=grading.study_id, before={"state": grading.state},
        after={"scan_id": grading.scan_id, "ordinal": ordinal, "by": "adjudication"}, reason=reason.strip(),
    )  # fmt: skip
    call_for_check(
        session, actor=actor, study_id=grading.study_id, site_id=grading.site_id, scan_id=grading.scan_id,
        ordinal=ordinal,
    )  # fmt: skip
