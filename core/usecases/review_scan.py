"""A person's decision about one scan: accept, override with a reason, ask for it to be taken again.

Every verb locks the scan, checks that the reviewer saw its present version, may review at this site and judges somebody
else's work, writes the review with the letters of its form and the scan's new state, brings counts and requests in
line, removes the reviewer's draft and leaves an audit event. ``marks`` are all letters of the form for this kind of
scan, or None where none was filled in. Raised by all: NotFoundError, NotAllowedError, StaleRecordError,
IllegalMoveError, and UsageError for marks of another form.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, StaleRecordError, UsageError
from core.policy.protocol import Protocol
from core.policy.review_form import Marks, failed_criteria, known_marks, letter, request_reason
from core.store.access import Actor
from core.store.audit import record_event
from core.store.calibration_mode import hidden_scans
from core.store.protocol import read_protocols
from core.store.query_thread import add_question
from core.store.rate import recount_slots
from core.store.reacquisition import add_request, open_request_for
from core.store.reason import read_reasons
from core.store.review import (
    ReviewedScan,
    StoredReason,
    add_review,
    first_reason,
    lock_reviewed_scan,
    set_decision,
)
from core.store.review_draft import remove_draft
from core.usecases.reacquire import follow_replacements
from core.vocabulary import CoipsGrade, ReasonCode, ReviewDecision, Role, ScanKind, ScanState, Verdict
from core.wording import grade_names

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
    marks: Marks | None = None,
    bulk_review_id: int | None = None,
) -> None:
    """Accept a scan as it is. ``ordinal`` is the reviewer's grade; without it the model's stands.

    Where the model abstained, accepting means at least gradable. A scan that the model graded ungradable needs
    ``override_scan``, because that contradicts it and wants a reason (IllegalMoveError).
    """
    scan = _scan_for(session, actor, scan_id, seen_version)
    _refuse_unless(scan, _DECIDABLE, "accepted")
    if ordinal is None and hidden_scans(session, [scan_id]):
        raise IllegalMoveError(
            "You are in calibration mode, so you cannot confirm a grade that you have not seen.",
            remedy="Give your own grade first.",
        )
    grade = ordinal if ordinal is not None else _grade_of_acceptance(scan)
    if grade is None or grade < CoipsGrade.GRADABLE:
        raise IllegalMoveError(
            "The scan is graded ungradable, so accepting it contradicts its grade.",
            remedy="Override the grade and give the reason.",
        )
    made = Decision(ReviewDecision.ACCEPT, ScanState.ACCEPTED, Verdict.ACCEPT, known_ordinal(grade, scan.kind), reason)
    _decide(session, scan, made, actor=actor, marks=marks, bulk_review_id=bulk_review_id)


def override_scan(
    session: Session,
    *,
    actor: Actor,
    scan_id: int,
    seen_version: int,
    ordinal: int,
    reason: str,
    marks: Marks | None = None,
) -> None:
    """Replace the model's grade by the reviewer's, with the reason.

    A gradable one accepts the scan. An ungradable one flags it: the next step is to request reacquisition.
    """
    if not reason.strip():
        raise UsageError("An override needs a reason.", remedy="Write it in a few words.")
    scan = _scan_for(session, actor, scan_id, seen_version)
    _refuse_unless(scan, _DECIDABLE, "overridden")
    is_gradable = known_ordinal(ordinal, scan.kind) >= CoipsGrade.GRADABLE
    state, verdict = (
        (ScanState.ACCEPTED, Verdict.ACCEPT) if is_gradable else (ScanState.UNDER_REVIEW, Verdict.REACQUIRE)
    )
    made = Decision(ReviewDecision.OVERRIDE, state, verdict, ordinal, reason.strip())
    _decide(session, scan, made, actor=actor, marks=marks)


def request_reacquisition(
    session: Session,
    *,
    actor: Actor,
    scan_id: int,
    seen_version: int,
    reason_code: ReasonCode | None = None,
    text: str = "",
    remedy: str = "",
    marks: Marks | None = None,
) -> int:
    """Ask the site to take the capture again; return the request's id.

    What is not given is quoted from the letters that failed, in the study's own words; without a failed letter from
    the weightiest reason of the assessment. A second bad slab of the same capture joins the request that is already
    open. The request is due when the visit's window ends.
    """
    scan = _scan_for(session, actor, scan_id, seen_version)
    _refuse_unless(scan, _FLAGGED, "requested again")
    quoted = _quoted(_offered_reason(session, scan, marks), reason_code, text, remedy)
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
    made = Decision(
        ReviewDecision.REQUEST_REACQUISITION,
        ScanState.REACQUISITION_REQUESTED,
        Verdict.REACQUIRE,
        scan.human_ordinal,
        quoted.text,
    )
    _decide(session, scan, made, actor=actor, marks=marks)
    return request_id


def query_site(
    session: Session, *, actor: Actor, scan_id: int, seen_version: int, question: str, marks: Marks | None = None
) -> None:
    """Ask the site something about the scan; the scan waits for the answer (core.usecases.answer_query).

    Grade and verdict stay as they are. The reading centre may still decide without the answer.
    """
    if not question.strip():
        raise UsageError("The question is empty.", remedy="Write what the site should look up.")
    scan = _scan_for(session, actor, scan_id, seen_version)
    _refuse_unless(scan, _ASKABLE, "asked about")
    made = Decision(ReviewDecision.QUERY, ScanState.QUERIED, scan.final_verdict, scan.human_ordinal, question.strip())
    _decide(session, scan, made, actor=actor, marks=marks)
    add_question(session, scan_id=scan_id, site_id=scan.site_id, author_id=reviewer_id_of(actor), text=question.strip())


def own_reviewable(session: Session, actor: Actor, scan_id: int) -> ReviewedScan:
    """The locked scan, once it is sure that this person may review it (NotFoundError, NotAllowedError)."""
    scan = lock_reviewed_scan(session, scan_id)
    if scan is None:
        raise NotFoundError(f"There is no scan {scan_id}.", remedy="Choose one from the worklist.")
    if not actor.has_role(*REVIEWERS, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError(
            "Your role does not allow you to review scans of this site.",
            remedy="Ask a quality-control technician of the reading centre.",
        )
    if reviewer_id_of(actor) in scan.own_user_ids:
        raise NotAllowedError(
            "You acquired or uploaded this scan, so you cannot review it.",
            remedy="Leave it to another reviewer.",
        )
    return scan


def _scan_for(session: Session, actor: Actor, scan_id: int, seen_version: int) -> ReviewedScan:
    """The same, once it is also sure that the person saw it as it now is."""
    scan = own_reviewable(session, actor, scan_id)
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


GRADED_KIND = ScanKind.OCTA_ENFACE
"""The kind that is drawn for masked grading (core.usecases.draw_scans)."""


def known_ordinal(ordinal: int, kind: ScanKind) -> int:
    """The ordinal, once it is sure that the scale of such scans has it."""
    names = grade_names(kind)
    if ordinal not in names:
        raise UsageError(f"There is no grade {ordinal}.", remedy=f"Choose one of {', '.join(names.values())}.")
    return ordinal


def _offered_reason(session: Session, scan: ReviewedScan, marks: Marks | None) -> StoredReason | None:
    """What a request quotes where the reviewer says no more: the failed letters, else the model's first reason."""
    given = read_reasons(session, [scan.assessment_id]).get(scan.assessment_id, ()) if scan.assessment_id else ()
    failed = failed_criteria(marks or {}, ranked=[reason.code for reason in given])
    if not failed:
        return first_reason(session, scan.assessment_id)
    in_force = read_protocols(session, [scan.study_id]).at(scan.study_id, now())
    protocol = in_force.protocol if in_force is not None else Protocol.default()
    by_model = {reason.code: reason for reason in given}
    reason = request_reason(failed, lambda code: by_model.get(code) or protocol.reason(code))
    assert reason is not None, "a letter has failed"
    return StoredReason(str(reason.code), reason.text, reason.remedy)


def _quoted(offered: StoredReason | None, reason_code: ReasonCode | None, text: str, remedy: str) -> StoredReason:
    code = reason_code or (offered.code if offered else None)
    if code is None:
        raise UsageError("Why should the capture be taken again?", remedy="Mark what failed, or choose a reason.")
    is_same = offered is not None and code == offered.code
    return StoredReason(
        code=str(code),
        text=text or (offered.text if offered and is_same else ""),
        remedy=remedy or (offered.remedy if offered and is_same else ""),
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer decided and how the scan stands because of it."""

    decision: ReviewDecision
    state: ScanState
    final_verdict: Verdict | None
    human_ordinal: int | None
    reason: str

    @property
    def given_ordinal(self) -> int | None:
        """The grade that the reviewer gave with it."""
        return self.human_ordinal if self.decision in {ReviewDecision.ACCEPT, ReviewDecision.OVERRIDE} else None


def _decide(
    session: Session,
    scan: ReviewedScan,
    made: Decision,
    *,
    actor: Actor,
    marks: Marks | None,
    bulk_review_id: int | None = None,
) -> None:
    known = known_marks(scan.kind, marks) if marks is not None else None
    reviewer_id = reviewer_id_of(actor)
    add_review(
        session,
        scan,
        reviewer_id=reviewer_id,
        decision=made.decision,
        ordinal=made.given_ordinal,
        reason=made.reason,
        marks=known,
        bulk_review_id=bulk_review_id,
    )
    more: dict[str, Any] = {} if bulk_review_id is None else {"bulk_review": bulk_review_id}
    if known is not None:
        more["failed"] = [letter(code) for code in failed_criteria(known)]
    apply_decision(session, scan, made, actor=actor, more=more)
    remove_draft(session, reviewer_id=reviewer_id, scan_id=scan.scan_id)


def apply_decision(
    session: Session, scan: ReviewedScan, made: Decision, *, actor: Actor, more: dict[str, Any] | None = None
) -> None:
    """Put a locked scan into the state that a decision gives it, with counts, requests and the audit event.

    ``more`` stands in the event beside the scan's new state.
    """
    set_decision(
        session,
        scan.scan_id,
        state=made.state,
        final_verdict=made.final_verdict,
        human_ordinal=made.human_ordinal,
    )
    follow_replacements(session, actor=actor, acquisition_ids=[scan.acquisition_id])
    recount_slots(session, [scan.expected_scan_id])
    after = {"state": made.state, "human_ordinal": made.human_ordinal, "final_verdict": made.final_verdict}
    record_event(
        session,
        actor=actor,
        action=f"scan.{made.decision.value}",
        entity="scan",
        entity_id=scan.scan_id,
        study_id=scan.study_id,
        site_id=scan.site_id,
        before=scan.decision_state,
        after=after | (more or {}),
        reason=made.reason,
    )
