"""A person's decision about one scan: accept, override with a reason, ask for it to be taken again.

Every verb locks the scan, checks that the reviewer saw its present version, may review at this site and judges somebody
else's work, writes the review with the scan's new state, brings the counts and the request in line, and leaves an audit
event. Raised by all: NotFoundError, NotAllowedError, StaleRecordError, IllegalMoveError.
"""

from typing import Any

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, StaleRecordError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.rate import recount_slots
from core.store.reacquisition import add_request, open_request_for
from core.store.review import (
    ReviewedScan,
    StoredReason,
    add_review,
    first_reason,
    lock_reviewed_scan,
    set_decision,
)
from core.usecases.reacquire import follow_replacements
from core.vocabulary import CoipsGrade, ReasonCode, ReviewDecision, Role, ScanState, Verdict

REVIEWERS = (Role.QC_TECHNICIAN, Role.ADJUDICATOR)
"""Who may decide about a scan."""
_DECIDABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW, ScanState.QUERIED})
_FLAGGED = frozenset({ScanState.UNDER_REVIEW, ScanState.QUERIED})
_ASKABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW})


def accept_scan(
    session: Session,
    *,
    actor: Actor,
    scan_id: int,
    seen_version: int,
    ordinal: int | None = None,
    reason: str = "",
) -> None:
    """Accept a scan as it is. ``ordinal`` is the reviewer's grade; without it the model's stands.

    Where the model abstained, accepting means at least gradable. A scan that the model graded ungradable needs
    ``override_scan``, because that contradicts it and wants a reason (IllegalMoveError).
    """
    scan = _scan_for(session, actor, scan_id, seen_version, REVIEWERS)
    _refuse_unless(scan, _DECIDABLE, "accepted")
    grade = ordinal if ordinal is not None else _grade_of_acceptance(scan)
    if grade is None or grade < CoipsGrade.GRADABLE:
        raise IllegalMoveError(
            "The scan is graded ungradable, so accepting it contradicts its grade.",
            remedy="Override the grade and give the reason.",
        )
    _decide(
        session,
        scan,
        actor=actor,
        decision=ReviewDecision.ACCEPT,
        state=ScanState.ACCEPTED,
        final_verdict=Verdict.ACCEPT,
        human_ordinal=known_ordinal(grade),
        reason=reason,
    )


def override_scan(
    session: Session, *, actor: Actor, scan_id: int, seen_version: int, ordinal: int, reason: str
) -> None:
    """Replace the model's grade by the reviewer's, with the reason.

    A gradable one accepts the scan. An ungradable one flags it: the next step is to request reacquisition.
    """
    if not reason.strip():
        raise UsageError("An override needs a reason.", remedy="Write it in a few words.")
    scan = _scan_for(session, actor, scan_id, seen_version, REVIEWERS)
    _refuse_unless(scan, _DECIDABLE, "overridden")
    is_gradable = known_ordinal(ordinal) >= CoipsGrade.GRADABLE
    _decide(
        session,
        scan,
        actor=actor,
        decision=ReviewDecision.OVERRIDE,
        state=ScanState.ACCEPTED if is_gradable else ScanState.UNDER_REVIEW,
        final_verdict=Verdict.ACCEPT if is_gradable else Verdict.REACQUIRE,
        human_ordinal=ordinal,
        reason=reason.strip(),
    )


def request_reacquisition(
    session: Session,
    *,
    actor: Actor,
    scan_id: int,
    seen_version: int,
    reason_code: ReasonCode | None = None,
    text: str = "",
    remedy: str = "",
) -> int:
    """Ask the site to take the capture again; return the request's id.

    What is not given is quoted from the weightiest reason of the assessment. A second bad slab of the same capture
    joins the request that is already open. The request is due when the visit's window ends.
    """
    scan = _scan_for(session, actor, scan_id, seen_version, REVIEWERS)
    _refuse_unless(scan, _FLAGGED, "requested again")
    quoted = _quoted(session, scan, reason_code, text, remedy)
    request = open_request_for(session, scan.acquisition_id)
    request_id = (
        request.id
        if request is not None
        else add_request(
            session,
            site_id=scan.site_id,
            acquisition_id=scan.acquisition_id,
            scan_id=scan.scan_id,
            quoted=quoted,
            due_on=scan.window_ends_on,
            requested_by_id=actor.user_id,
        )
    )
    _decide(
        session,
        scan,
        actor=actor,
        decision=ReviewDecision.REQUEST_REACQUISITION,
        state=ScanState.REACQUISITION_REQUESTED,
        final_verdict=Verdict.REACQUIRE,
        human_ordinal=scan.human_ordinal,
        reason=quoted.text,
    )
    return request_id


def query_site(session: Session, *, actor: Actor, scan_id: int, seen_version: int, question: str) -> None:
    """Ask the site something about the scan; the scan waits for the answer (core.usecases.answer_query).

    Grade and verdict stay as they are. The reading centre may still decide without the answer.
    """
    if not question.strip():
        raise UsageError("The question is empty.", remedy="Write what the site should look up.")
    scan = _scan_for(session, actor, scan_id, seen_version, REVIEWERS)
    _refuse_unless(scan, _ASKABLE, "asked about")
    _decide(
        session,
        scan,
        actor=actor,
        decision=ReviewDecision.QUERY,
        state=ScanState.QUERIED,
        final_verdict=scan.final_verdict,
        human_ordinal=scan.human_ordinal,
        reason=question.strip(),
    )


def _scan_for(session: Session, actor: Actor, scan_id: int, seen_version: int, roles: tuple[Role, ...]) -> ReviewedScan:
    """The locked scan, once it is sure that this person may review it and saw it as it now is."""
    scan = lock_reviewed_scan(session, scan_id)
    if scan is None:
        raise NotFoundError(f"There is no scan {scan_id}.", remedy="Choose one from the worklist.")
    if not actor.has_role(*roles, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError(
            "Your role does not allow you to review scans of this site.",
            remedy="Ask a quality-control technician of the reading centre.",
        )
    if reviewer_id_of(actor) in scan.own_user_ids:
        raise NotAllowedError(
            "You acquired or uploaded this scan, so you cannot review it.",
            remedy="Leave it to another reviewer.",
        )
    if scan.version != seen_version:
        raise StaleRecordError(
            "The scan has changed since you opened it; nothing was written.", remedy="Look at it again, then decide."
        )
    return scan


def reviewer_id_of(actor: Actor) -> int:
    """The person's account; NotAllowedError for the program itself."""
    if actor.user_id is None:
        raise NotAllowedError("Only a person can review a scan.", remedy="Log in.")
    return actor.user_id


def _refuse_unless(scan: ReviewedScan, states: frozenset[ScanState], what: str) -> None:
    if scan.state not in states:
        raise IllegalMoveError(
            f"The scan cannot be {what}: it is {scan.state.value.replace('_', ' ')}.",
            remedy=f"That is possible while it is {' or '.join(sorted(state.value for state in states))}.".replace(
                "_", " "
            ),
        )


def _grade_of_acceptance(scan: ReviewedScan) -> int | None:
    """The grade that a plain acceptance confirms; None where nothing was graded."""
    if scan.human_ordinal is not None:
        return scan.human_ordinal
    if scan.is_abstained and scan.model_ordinal is not None:
        return max(scan.model_ordinal, CoipsGrade.GRADABLE)
    return scan.model_ordinal


def known_ordinal(ordinal: int) -> int:
    """The ordinal, once it is sure that the scale has it."""
    if ordinal not in list(CoipsGrade):
        known = ", ".join(f"{grade.value} ({grade.name.lower()})" for grade in CoipsGrade)
        raise UsageError(f"There is no grade {ordinal}.", remedy=f"Choose one of {known}.")
    return ordinal


def _quoted(
    session: Session, scan: ReviewedScan, reason_code: ReasonCode | None, text: str, remedy: str
) -> StoredReason:
    stored = first_reason(session, scan.assessment_id)
    code = reason_code or (stored.code if stored else None)
    if code is None:
        raise UsageError("Why should the capture be taken again?", remedy="Choose a reason.")
    is_same = stored is not None and code == stored.code
    return StoredReason(
        code=str(code),
        text=text or (stored.text if stored and is_same else ""),
        remedy=remedy or (stored.remedy if stored and is_same else ""),
    )


def _decide(
    session: Session,
    scan: ReviewedScan,
    *,
    actor: Actor,
    decision: ReviewDecision,
    state: ScanState,
    final_verdict: Verdict | None,
    human_ordinal: int | None,
    reason: str,
) -> None:
    given = human_ordinal if decision in {ReviewDecision.ACCEPT, ReviewDecision.OVERRIDE} else None
    add_review(session, scan, reviewer_id=reviewer_id_of(actor), decision=decision, ordinal=given, reason=reason)
    set_decision(session, scan.scan_id, state=state, final_verdict=final_verdict, human_ordinal=human_ordinal)
    follow_replacements(session, actor=actor, acquisition_ids=[scan.acquisition_id])
    recount_slots(session, [scan.expected_scan_id])
    after = {"state": state, "human_ordinal": human_ordinal, "final_verdict": final_verdict}
    _audit(session, scan, actor, f"scan.{decision.value}", after=after, reason=reason)


def _audit(
    session: Session, scan: ReviewedScan, actor: Actor, action: str, *, after: dict[str, Any], reason: str
) -> None:
    record_event(
        session,
        actor=actor,
        action=action,
        entity="scan",
        entity_id=scan.scan_id,
        study_id=scan.study_id,
        site_id=scan.site_id,
        before=scan.decision_state,
        after=after,
        reason=reason,
    )
