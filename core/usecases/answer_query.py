"""The site answers what the reading centre asked about a scan; the scan goes back under review with the answer."""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.query_thread import add_message
from core.store.review import add_review, lock_reviewed_scan, set_decision
from core.usecases.reacquire import SITE_ROLES
from core.usecases.review_scan import reviewer_id_of
from core.vocabulary import QueryAct, QuerySide, ReviewDecision, ScanState


def answer_query(session: Session, *, actor: Actor, scan_id: int, answer: str) -> None:
    """Write the answer and put the scan back under review. Whoever took or uploaded the scan may answer.

    Raises
    ------
    UsageError
        The answer is empty.
    NotFoundError
        There is no such scan in the person's reach.
    NotAllowedError
        The person answers for no site, or not for this one.
    IllegalMoveError
        No question about the scan is open.
    """
    if not answer.strip():
        raise UsageError("The answer is empty.", remedy="Write what you found.")
    scan = lock_reviewed_scan(session, scan_id)
    if scan is None:
        raise NotFoundError(f"There is no scan {scan_id}.", remedy="Choose one from the worklist.")
    if not actor.has_role(*SITE_ROLES, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError("Your role does not allow you to answer for this site.", remedy="Ask its technician.")
    if scan.state is not ScanState.QUERIED:
        raise IllegalMoveError(
            "No question about this scan is open.", remedy="Load the page again to see how it stands."
        )
    # The answer first: row-level security lets a site put back only what it has answered.
    add_review(
        session, scan, reviewer_id=reviewer_id_of(actor), decision=ReviewDecision.ANSWER, ordinal=None,
        reason=answer.strip(),
    )  # fmt: skip
    set_decision(
        session, scan_id, state=ScanState.UNDER_REVIEW, final_verdict=scan.final_verdict,
        human_ordinal=scan.human_ordinal,
    )  # fmt: skip
    add_message(
        session, scan_id=scan_id, site_id=scan.site_id, author_id=reviewer_id_of(actor), side=QuerySide.SITE,
        act=QueryAct.ANSWER, text=answer.strip(),
    )  # fmt: skip
    record_event(
        session, actor=actor, action="scan.answer", entity="scan", entity_id=scan_id, study_id=scan.study_id,
        site_id=scan.site_id, before=scan.decision_state, after=scan.decision_state | {"state": ScanState.UNDER_REVIEW},
        reason=answer.strip(),
    )  # fmt: skip
