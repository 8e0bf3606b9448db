"""Taking the own last decision back: what it restores, and every way in which somebody has moved on."""

from datetime import timedelta

import pytest
from builders import make_acquisition
from desk import Desk
from lane import ABSTAINED, GRADABLE, OUTSTANDING, UNGRADABLE
from sqlalchemy import select
from stopped_clock import stop_clock

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotFoundError, OctauditError
from core.policy.review_form import prefilled_marks
from core.store.graded_scan import Reference, read_graded_scans
from core.store.review_draft import read_draft
from core.store.scan_filter import ScanFilter
from core.usecases.answer_query import answer_query
from core.usecases.check_rates import verify_rates
from core.usecases.reacquire import acknowledge_request, receive_replacement
from core.usecases.review_scan import query_site
from core.usecases.undo_review import UNDO_WINDOW, Undoable, find_undoable, undo_review
from core.vocabulary import ReasonCode, RequestState, ReviewDecision, Role, ScanKind, ScanState, Slab, Verdict

MARKS = prefilled_marks(ScanKind.OCTA_ENFACE, ()) | {ReasonCode.MP_MOTION: False}


def undoable(desk: Desk, token: str) -> Undoable | None:
    with desk.as_person(token) as (session, actor):
        return find_undoable(session, actor=actor)


def undo(desk: Desk, token: str, reason: str = "") -> int:
    found = undoable(desk, token)
    with desk.as_person(token) as (session, actor):
        return undo_review(session, actor=actor, review_id=found.review_id if found else 0, reason=reason)


def request_state(desk: Desk, request_id: int) -> str:
    with session_scope(desk.owner) as session:
        return session.get_one(tables.ReacquisitionRequest, request_id).state


@pytest.mark.parametrize("decide", ["accept", "override", "override to ungradable", "request", "query"])
def test_every_decision_can_be_undone_and_leaves_the_scan_as_it_stood(desk: Desk, reviewer: str, decide: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    before = desk.stands(scan_id)
    match decide:
        case "accept":
            desk.accept(reviewer, scan_id)
        case "override":
            desk.override(reviewer, scan_id, OUTSTANDING)
        case "override to ungradable":
            desk.override(reviewer, scan_id, UNGRADABLE)
        case "request":
            desk.request(reviewer, scan_id, reason_code=ReasonCode.MP_MOTION)
        case _:
            with desk.as_person(reviewer) as (session, actor):
                seen = desk.version(scan_id)
                query_site(session, actor=actor, scan_id=scan_id, seen_version=seen, question="Which eye?")
    assert desk.stands(scan_id) != before
    assert undo(desk, reviewer, "Wrong key.") == scan_id
    assert desk.stands(scan_id) == before
    assert verify_rates(desk.worker) == []
    with session_scope(desk.owner) as session:
        reviews = session.scalars(select(tables.Review).order_by(tables.Review.id)).all()
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.undo")).one()
    assert [review.decision for review in reviews][1:] == [ReviewDecision.UNDO]
    assert (reviews[1].undoes_id, reviews[1].reason) == (reviews[0].id, "Wrong key.")
    assert (event.reason, event.after["undoes"], event.after["state"]) == ("Wrong key.", reviews[0].id, before[0])


def test_an_undone_request_is_withdrawn_with_the_reason_and_a_new_one_may_follow(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    request_id = desk.request(reviewer, scan_id)
    undo(desk, reviewer, "Meant the other eye.")
    with session_scope(desk.owner) as session:
        step = session.scalars(
            select(tables.ReacquisitionStep).order_by(tables.ReacquisitionStep.number.desc()).limit(1)
        ).one()
        request = session.get_one(tables.ReacquisitionRequest, request_id)
    assert (step.state, step.note) == (RequestState.WITHDRAWN, "Meant the other eye.")
    assert request.closed_at is not None
    assert desk.request(reviewer, scan_id) != request_id
    assert verify_rates(desk.worker) == []


def test_the_cause_that_a_withdrawn_request_named_is_counted_no_more(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    desk.request(reviewer, scan_id, reason_code=ReasonCode.MP_PROJECTION)
    undo(desk, reviewer)
    with session_scope(desk.owner) as session:
        capture = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
    assert not any(ReasonCode.MP_PROJECTION in finding for finding in capture.counted_findings)
    assert any(ReasonCode.MP_MOTION in finding for finding in capture.counted_findings)
    assert verify_rates(desk.worker) == []


def test_the_request_stays_for_another_bad_slab_that_joined_it(desk: Desk, reviewer: str) -> None:
    first = desk.score(UNGRADABLE)
    with session_scope(desk.owner) as session:
        capture = session.get_one(tables.Acquisition, desk.scan(first).acquisition_id)
    second = desk.score(UNGRADABLE, acquisition=capture, slab=Slab.DEEP)
    request_id = desk.request(reviewer, first)
    assert desk.request(reviewer, second) == request_id
    undo(desk, reviewer)
    assert desk.scan(second).state == ScanState.UNDER_REVIEW
    assert desk.scan(first).state == ScanState.REACQUISITION_REQUESTED
    assert request_state(desk, request_id) == RequestState.REQUESTED


def test_a_request_that_the_site_has_acknowledged_is_not_undone(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    request_id = desk.request(reviewer, scan_id)
    with desk.as_person(desk.hire(Role.SITE_TECHNICIAN)) as (session, actor):
        acknowledge_request(session, actor=actor, request_id=request_id)
    with pytest.raises(IllegalMoveError, match="already answered"):
        undo(desk, reviewer)
    assert desk.scan(scan_id).state == ScanState.REACQUISITION_REQUESTED


def test_an_answered_question_is_not_undone(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with desk.as_person(reviewer) as (session, actor):
        seen = desk.version(scan_id)
        query_site(session, actor=actor, scan_id=scan_id, seen_version=seen, question="Which eye?")
    with desk.as_person(desk.hire(Role.SITE_TECHNICIAN)) as (session, actor):
        answer_query(session, actor=actor, scan_id=scan_id, answer="The left one.")
    with pytest.raises(IllegalMoveError, match="moved on"):
        undo(desk, reviewer)


def test_a_decision_that_somebody_decided_after_is_not_undone(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    desk.accept(reviewer, scan_id)
    desk.override(desk.hire(Role.ADJUDICATOR), scan_id, UNGRADABLE)
    with pytest.raises(IllegalMoveError, match="moved on"):
        undo(desk, reviewer)
    assert desk.stands(scan_id) == (ScanState.UNDER_REVIEW, Verdict.REACQUIRE, UNGRADABLE)


def test_an_acceptance_that_closed_a_request_is_not_undone(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    request_id = desk.request(reviewer, scan_id)
    with session_scope(desk.owner) as session:
        first = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, slot=slot)
    with desk.as_person(desk.hire(Role.SITE_TECHNICIAN)) as (session, actor):
        receive_replacement(session, actor=actor, request_id=request_id, acquisition_id=capture.id)
    replacement = desk.score(ABSTAINED + GRADABLE, acquisition=capture)
    desk.accept(reviewer, replacement)
    assert request_state(desk, request_id) == RequestState.CLOSED
    with pytest.raises(IllegalMoveError, match="closed the site's request"):
        undo(desk, reviewer)


def test_only_the_latest_decision_of_ones_own_is_undone_and_only_once(desk: Desk, reviewer: str) -> None:
    scan_ids = [desk.score(ABSTAINED + GRADABLE) for _ in range(2)]
    desk.accept(reviewer, scan_ids[0])
    first = undoable(desk, reviewer)
    assert first is not None
    assert undoable(desk, desk.hire(Role.ADJUDICATOR)) is None
    desk.accept(reviewer, scan_ids[1])
    with pytest.raises(IllegalMoveError, match="latest"), desk.as_person(reviewer) as (session, actor):
        undo_review(session, actor=actor, review_id=first.review_id)
    with pytest.raises(NotFoundError), desk.as_person(desk.hire(Role.QC_TECHNICIAN)) as (session, actor):
        undo_review(session, actor=actor, review_id=first.review_id)
    last = undoable(desk, reviewer)
    assert last is not None
    undo(desk, reviewer)
    assert undoable(desk, reviewer) is None
    with pytest.raises(OctauditError), desk.as_person(reviewer) as (session, actor):
        undo_review(session, actor=actor, review_id=last.review_id)
    assert desk.scan(scan_ids[0]).state == ScanState.ACCEPTED


def test_a_decision_can_be_undone_for_the_stated_time_and_no_longer(
    desk: Desk, reviewer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    desk.accept(reviewer, scan_id)
    found = undoable(desk, reviewer)
    assert found is not None
    stop_clock(monkeypatch, now() + UNDO_WINDOW + timedelta(seconds=1))
    assert undoable(desk, reviewer) is None
    with pytest.raises(IllegalMoveError, match="15 minutes"), desk.as_person(reviewer) as (session, actor):
        undo_review(session, actor=actor, review_id=found.review_id)


def test_the_form_comes_back_as_a_draft_and_the_undone_grade_is_no_ones_opinion(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    desk.override(reviewer, scan_id, OUTSTANDING, reason="Sharp in the centre.", marks=MARKS)
    with desk.as_person(reviewer) as (session, actor):
        assert read_draft(session, reviewer_id=actor.user_id or 0, scan_id=scan_id) is None
        assert len(read_graded_scans(session, ScanFilter(), Reference.DECISIONS).scans) == 1
    undo(desk, reviewer)
    with desk.as_person(reviewer) as (session, actor):
        draft = read_draft(session, reviewer_id=actor.user_id or 0, scan_id=scan_id)
        assert read_graded_scans(session, ScanFilter(), Reference.DECISIONS).scans == ()
    assert draft is not None
    assert draft.document["marks"] == {code.value: is_passed for code, is_passed in MARKS.items()}
    assert (draft.document["step"], draft.document["ordinal"]) == ("override", OUTSTANDING)
    assert draft.document["reason"] == "Sharp in the centre."
    assert draft.seen_version == desk.version(scan_id)
