"""Decisions about scans: who may, about whose, on which version, and what each leaves behind. As the dashboard's role."""

import pytest
from builders import make_acquisition, make_batch, make_member, make_technician
from desk import Desk
from lane import ABSTAINED, GRADABLE, OUTSTANDING, UNGRADABLE, Scene, make_scene, queue_scan
from sqlalchemy import select, update

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, StaleRecordError, UsageError
from core.policy.reasons import REASON_TEXTS
from core.policy.review_form import prefilled_marks
from core.store.scan_history import read_history
from core.usecases.check_rates import verify_rates
from core.usecases.grade_masked import grade_masked
from core.usecases.review_scan import query_site
from core.vocabulary import ReasonCode, ReviewDecision, Role, ScanKind, ScanState, Slab, Verdict

MP_PASSED = prefilled_marks(ScanKind.OCTA_ENFACE, ())


def test_an_abstained_scan_that_is_accepted_is_gradable_by_a_person(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + UNGRADABLE)
    desk.accept(reviewer, scan_id)
    assert desk.stands(scan_id) == (ScanState.ACCEPTED, Verdict.ACCEPT, GRADABLE)
    assert verify_rates(desk.worker) == []


def test_accepting_an_ungradable_scan_needs_an_override_with_a_reason(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    with pytest.raises(IllegalMoveError, match="Override"):
        desk.accept(reviewer, scan_id)
    with pytest.raises(UsageError, match="needs a reason"):
        desk.override(reviewer, scan_id, GRADABLE, reason="  ")
    desk.override(reviewer, scan_id, GRADABLE)
    assert desk.stands(scan_id) == (ScanState.ACCEPTED, Verdict.ACCEPT, GRADABLE)


def test_an_override_to_ungradable_takes_an_accepted_scan_back_into_the_worklist(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(OUTSTANDING)
    desk.override(reviewer, scan_id, UNGRADABLE)
    assert desk.stands(scan_id) == (ScanState.UNDER_REVIEW, Verdict.REACQUIRE, UNGRADABLE)
    assert verify_rates(desk.worker) == []


def test_a_decision_leaves_a_review_and_an_audit_event(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    desk.override(reviewer, scan_id, OUTSTANDING, reason="Motion lies outside the region.")
    with session_scope(desk.owner) as session:
        review = session.scalars(select(tables.Review)).one()
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.entity == "scan")).one()
    assert (review.decision, review.ordinal, review.assessment_id) == (
        ReviewDecision.OVERRIDE,
        OUTSTANDING,
        desk.scan(scan_id).assessment_id,
    )
    assert (event.action, event.entity_id, event.reason) == ("scan.override", scan_id, review.reason)
    assert event.before == {"state": "under_review", "human_ordinal": None, "final_verdict": "reacquire"}
    assert event.after == {"state": "accepted", "human_ordinal": 2, "final_verdict": "accept"}


def test_a_reviewer_who_saw_an_older_version_is_refused_and_nothing_is_written(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    seen = desk.version(scan_id)
    desk.accept(reviewer, scan_id)
    before = desk.stands(scan_id)
    with pytest.raises(StaleRecordError):
        desk.accept(desk.hire(Role.ADJUDICATOR), scan_id, seen_version=seen, ordinal=OUTSTANDING)
    assert desk.stands(scan_id) == before


@pytest.mark.parametrize("role", [Role.SITE_TECHNICIAN, Role.MANAGER, Role.ADMIN])
def test_only_quality_control_and_adjudicators_decide(desk: Desk, role: Role) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with pytest.raises(NotAllowedError, match="role"):
        desk.accept(desk.hire(role), scan_id)
    assert desk.scan(scan_id).state == ScanState.UNDER_REVIEW


def test_a_grader_decides_nothing_not_even_about_a_scan_that_they_graded(desk: Desk) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    token = desk.hire(Role.GRADER)
    with pytest.raises(NotFoundError):
        desk.accept(token, scan_id)
    with desk.as_person(token) as (session, actor):
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=GRADABLE)
    with pytest.raises(NotAllowedError, match="role"):
        desk.accept(token, scan_id)
    assert desk.scan(scan_id).state == ScanState.UNDER_REVIEW


def test_a_scan_of_another_site_does_not_exist_for_a_reviewer(desk: Desk) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with session_scope(desk.owner) as session:
        elsewhere = make_scene(session, desk.scene.blobs).site
    with pytest.raises(NotFoundError):
        desk.accept(desk.hire(Role.QC_TECHNICIAN, elsewhere), scan_id)


def test_nobody_reviews_a_scan_that_they_uploaded_or_acquired(desk: Desk) -> None:
    with session_scope(desk.owner) as session:
        user, token = make_member(session, Role.QC_TECHNICIAN, site=desk.scene.site)
        uploaded = make_batch(session, desk.scene.site, uploaded_by_id=user.id)
        technician = make_technician(session, desk.scene.site, user_id=user.id)
        acquired = make_acquisition(session, desk.scene.site, device=desk.scene.device, technician_id=technician.id)
    own_batch = Scene(desk.scene.study, desk.scene.site, desk.scene.device, uploaded, desk.scene.blobs)
    with session_scope(desk.owner) as session:
        first = queue_scan(session, own_batch, ABSTAINED + GRADABLE).id
    second = desk.score(ABSTAINED + GRADABLE, acquisition=acquired)
    for scan_id in (first, second):
        with pytest.raises(NotAllowedError, match="acquired or uploaded"):
            desk.accept(token, scan_id)
        with pytest.raises(NotAllowedError, match="acquired or uploaded"), desk.as_person(token) as (session, actor):
            grade_masked(session, actor=actor, scan_id=scan_id, ordinal=GRADABLE)


def test_a_scan_that_is_not_scored_yet_cannot_be_decided(desk: Desk, reviewer: str) -> None:
    with session_scope(desk.owner) as session:
        scan_id = queue_scan(session, desk.scene, GRADABLE).id
    with pytest.raises(IllegalMoveError, match="queued"):
        desk.accept(reviewer, scan_id)


def test_a_grade_that_the_scale_does_not_have_is_refused(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(GRADABLE)
    with pytest.raises(UsageError, match="no grade 7"):
        desk.override(reviewer, scan_id, 7)


def test_a_masked_grade_decides_nothing_and_is_given_once(desk: Desk) -> None:
    scan_id = desk.score(GRADABLE)
    before = desk.stands(scan_id)
    token = desk.hire(Role.GRADER)
    with desk.as_person(token) as (session, actor):
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=UNGRADABLE)
    assert desk.stands(scan_id) == before
    with pytest.raises(IllegalMoveError, match="already"), desk.as_person(token) as (session, actor):
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=GRADABLE)
    with session_scope(desk.owner) as session:
        review = session.scalars(select(tables.Review)).one()
    assert (review.is_masked, review.assessment_id, review.ordinal) == (True, None, UNGRADABLE)


def test_a_request_quotes_the_weightiest_reason_and_is_due_when_the_window_ends(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    request_id = desk.request(reviewer, scan_id)
    assert desk.scan(scan_id).state == ScanState.REACQUISITION_REQUESTED
    with session_scope(desk.owner) as session:
        request = session.get_one(tables.ReacquisitionRequest, request_id)
        capture = session.get_one(tables.Acquisition, request.acquisition_id)
        visit = session.get_one(tables.Visit, capture.visit_id)
    assert request.reason_code == ReasonCode.MP_MOTION
    assert request.remedy
    assert request.due_on == visit.window_ends_on


def test_a_second_bad_slab_joins_the_open_request(desk: Desk, reviewer: str) -> None:
    with session_scope(desk.owner) as session:
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device)
    first = desk.score(UNGRADABLE, acquisition=capture)
    second = desk.score(UNGRADABLE, acquisition=capture, slab=Slab.DEEP)
    assert desk.request(reviewer, first) == desk.request(reviewer, second)


def test_a_request_without_any_reason_is_refused(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(OUTSTANDING)
    desk.override(reviewer, scan_id, UNGRADABLE)
    with pytest.raises(UsageError, match="Why"):
        desk.request(reviewer, scan_id)
    desk.request(reviewer, scan_id, reason_code=ReasonCode.MP_PROJECTION, text="Projection artefacts.")
    assert desk.scan(scan_id).state == ScanState.REACQUISITION_REQUESTED


def test_an_accepted_scan_cannot_be_requested_again_without_an_override(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(OUTSTANDING)
    with pytest.raises(IllegalMoveError, match="accepted"):
        desk.request(reviewer, scan_id)


def test_a_decision_changes_the_counts_at_once(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)

    def counted() -> tuple[bool, bool]:
        with session_scope(desk.owner) as session:
            capture = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
            return capture.is_counted_decided, capture.is_counted_gradable

    assert counted() == (False, False)
    desk.override(reviewer, scan_id, UNGRADABLE)
    assert counted() == (True, False)
    desk.override(reviewer, scan_id, OUTSTANDING)
    assert counted() == (True, True)
    assert verify_rates(desk.worker) == []


def criteria_of(desk: Desk, scan_id: int) -> dict[str, bool]:
    statement = select(tables.ReviewCriterion.code, tables.ReviewCriterion.is_passed).join(
        tables.Review, tables.Review.id == tables.ReviewCriterion.review_id
    )
    with session_scope(desk.owner) as session:
        return dict(session.execute(statement.where(tables.Review.scan_id == scan_id)).all())


@pytest.mark.parametrize("decide", ["accept", "override", "request", "query"])
def test_the_letters_of_the_form_are_stored_with_every_kind_of_decision(desk: Desk, reviewer: str, decide: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    marks = MP_PASSED | {ReasonCode.MP_SIGNAL: False}
    match decide:
        case "accept":
            desk.accept(reviewer, scan_id, marks=marks)
        case "override":
            desk.override(reviewer, scan_id, OUTSTANDING, marks=marks)
        case "request":
            desk.request(reviewer, scan_id, marks=marks)
        case _:
            with desk.as_person(reviewer) as (session, actor):
                seen = desk.version(scan_id)
                query_site(session, actor=actor, scan_id=scan_id, seen_version=seen, question="Which?", marks=marks)
    assert criteria_of(desk, scan_id) == marks
    with session_scope(desk.owner) as session:
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.entity == "scan")).one()
    assert event.after["failed"] == ["S"]
    with desk.as_person(reviewer) as (session, _):
        assert read_history(session, scan_id)[-1].failed == (ReasonCode.MP_SIGNAL,)


def test_marks_of_the_wrong_form_are_refused_and_nothing_is_written(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with pytest.raises(UsageError, match="OSCAR-MP"):
        desk.accept(reviewer, scan_id, marks=prefilled_marks(ScanKind.BSCAN, ()))
    assert desk.scan(scan_id).state == ScanState.UNDER_REVIEW
    assert criteria_of(desk, scan_id) == {}


def test_a_structural_scan_is_reviewed_with_oscar_ib(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with session_scope(desk.owner) as session:  # no lane scores structural scans yet
        session.execute(update(tables.Scan).where(tables.Scan.id == scan_id).values(kind=ScanKind.BSCAN))
    marks = prefilled_marks(ScanKind.BSCAN, ()) | {ReasonCode.IB_BEAM: False}
    with pytest.raises(UsageError, match="OSCAR-IB"):
        desk.accept(reviewer, scan_id, marks=MP_PASSED)
    request_id = desk.request(reviewer, scan_id, marks=marks)
    assert criteria_of(desk, scan_id) == marks
    with session_scope(desk.owner) as session:
        request = session.get_one(tables.ReacquisitionRequest, request_id)
    assert (request.reason_code, request.text) == (ReasonCode.IB_BEAM, REASON_TEXTS[ReasonCode.IB_BEAM].text)


def test_a_request_takes_its_reasons_from_the_letters_that_failed(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    marks = MP_PASSED | {ReasonCode.MP_CENTRATION: False, ReasonCode.MP_SIGNAL: False}
    request_id = desk.request(reviewer, scan_id, marks=marks)
    with session_scope(desk.owner) as session:
        request = session.get_one(tables.ReacquisitionRequest, request_id)
    assert request.reason_code == ReasonCode.MP_CENTRATION, "the model's motion was marked as passed"
    for code in (ReasonCode.MP_CENTRATION, ReasonCode.MP_SIGNAL):
        assert REASON_TEXTS[code].text in request.text
        assert REASON_TEXTS[code].remedy in request.remedy
    assert verify_rates(desk.worker) == []


def test_nobody_reads_the_criteria_of_a_review_that_is_hidden_from_them(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    desk.accept(reviewer, scan_id, marks=MP_PASSED)
    with session_scope(desk.owner) as session:
        elsewhere = make_scene(session, desk.scene.blobs).site
    for token, n in ((desk.hire(Role.GRADER), 0), (desk.hire(Role.ADJUDICATOR, elsewhere), 0), (reviewer, 7)):
        with desk.as_person(token) as (session, _):
            assert len(session.scalars(select(tables.ReviewCriterion)).all()) == n
