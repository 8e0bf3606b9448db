"""A request moves only along its states, a replacement closes it by itself, and every refusal says why."""

from datetime import date
from itertools import product

import pytest
from builders import make_acquisition
from desk import Desk
from lane import ABSTAINED, FAILS_FOR_GOOD, GRADABLE, OUTSTANDING, UNGRADABLE
from sqlalchemy import select

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.usecases.check_rates import verify_rates
from core.usecases.reacquire import (
    MOVES,
    acknowledge_request,
    mark_not_possible,
    receive_replacement,
    refuse_illegal_move,
    schedule_request,
)
from core.vocabulary import RequestState, Role, ScanState, Slab


@pytest.fixture
def technician(desk: Desk) -> str:
    return desk.hire(Role.SITE_TECHNICIAN)


@pytest.fixture
def bad_scan(desk: Desk) -> int:
    return desk.score(UNGRADABLE)


@pytest.fixture
def request_id(desk: Desk, reviewer: str, bad_scan: int) -> int:
    return desk.request(reviewer, bad_scan)


def request_of(desk: Desk, request_id: int) -> tables.ReacquisitionRequest:
    with session_scope(desk.owner) as session:
        return session.get_one(tables.ReacquisitionRequest, request_id)


def steps(desk: Desk, request_id: int) -> list[str]:
    with session_scope(desk.owner) as session:
        rows = session.scalars(
            select(tables.ReacquisitionStep.state)
            .where(tables.ReacquisitionStep.request_id == request_id)
            .order_by(tables.ReacquisitionStep.number)
        )
        return list(rows)


def take_again(desk: Desk, scan_id: int) -> tables.Acquisition:
    """Another capture of the same slot, without its scans yet."""
    with session_scope(desk.owner) as session:
        first = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        return make_acquisition(session, desk.scene.site, device=desk.scene.device, slot=slot)


def send(desk: Desk, token: str, request_id: int, capture: tables.Acquisition) -> None:
    with desk.as_person(token) as (session, actor):
        receive_replacement(session, actor=actor, request_id=request_id, acquisition_id=capture.id)


def test_a_good_replacement_closes_the_request_and_supersedes_the_old_scan(
    desk: Desk, technician: str, bad_scan: int, request_id: int
) -> None:
    capture = take_again(desk, bad_scan)
    send(desk, technician, request_id, capture)
    new_scan = desk.score(OUTSTANDING, acquisition=capture)
    assert desk.scan(new_scan).state == ScanState.ACCEPTED
    assert desk.scan(bad_scan).state == ScanState.SUPERSEDED
    assert steps(desk, request_id) == ["requested", "received", "regraded", "closed"]
    assert request_of(desk, request_id).closed_at is not None
    assert verify_rates(desk.worker) == []


def test_the_first_pass_keeps_its_failure_and_the_final_rate_its_success(
    desk: Desk, technician: str, bad_scan: int, request_id: int
) -> None:
    capture = take_again(desk, bad_scan)
    send(desk, technician, request_id, capture)
    desk.score(OUTSTANDING, acquisition=capture)
    with session_scope(desk.owner) as session:
        deltas = session.execute(select(tables.RateDelta.measure, tables.RateDelta.n)).all()
    sums = {measure: sum(n for name, n in deltas if name == measure) for measure, _ in deltas}
    assert sums["received"] == sums["decided"] == 1
    assert sums.get("gradable", 0) == 0
    assert sums["final_received"] == sums["final_gradable"] == 1


def test_a_replacement_that_needs_a_person_closes_the_request_when_it_is_accepted(
    desk: Desk, technician: str, reviewer: str, bad_scan: int, request_id: int
) -> None:
    capture = take_again(desk, bad_scan)
    send(desk, technician, request_id, capture)
    new_scan = desk.score(ABSTAINED + GRADABLE, acquisition=capture)
    assert request_of(desk, request_id).state == RequestState.REGRADED
    desk.accept(reviewer, new_scan)
    assert request_of(desk, request_id).state == RequestState.CLOSED
    assert desk.scan(bad_scan).state == ScanState.SUPERSEDED


def test_a_replacement_is_regraded_only_once_all_its_scans_are(
    desk: Desk, technician: str, bad_scan: int, request_id: int
) -> None:
    capture = take_again(desk, bad_scan)
    send(desk, technician, request_id, capture)
    desk.score(FAILS_FOR_GOOD, acquisition=capture, slab=Slab.DEEP)
    desk.score(OUTSTANDING, acquisition=capture)
    assert request_of(desk, request_id).state == RequestState.RECEIVED


def test_a_bad_replacement_may_be_followed_by_another(
    desk: Desk, technician: str, bad_scan: int, request_id: int
) -> None:
    first = take_again(desk, bad_scan)
    send(desk, technician, request_id, first)
    still_bad = desk.score(UNGRADABLE, acquisition=first)
    second = take_again(desk, bad_scan)
    send(desk, technician, request_id, second)
    desk.score(GRADABLE, acquisition=second)
    assert steps(desk, request_id) == ["requested", "received", "regraded", "received", "regraded", "closed"]
    assert desk.scan(bad_scan).state == desk.scan(still_bad).state == ScanState.SUPERSEDED


def test_several_rounds_of_requests_close_together(
    desk: Desk, technician: str, reviewer: str, bad_scan: int, request_id: int
) -> None:
    first = take_again(desk, bad_scan)
    send(desk, technician, request_id, first)
    still_bad = desk.score(UNGRADABLE, acquisition=first)
    second_request = desk.request(reviewer, still_bad)
    second = take_again(desk, bad_scan)
    send(desk, technician, second_request, second)
    desk.score(GRADABLE, acquisition=second)
    assert request_of(desk, request_id).state == request_of(desk, second_request).state == RequestState.CLOSED
    assert desk.scan(bad_scan).state == desk.scan(still_bad).state == ScanState.SUPERSEDED
    assert verify_rates(desk.worker) == []


def test_a_request_that_is_not_possible_closes_its_scans_with_the_reason(
    desk: Desk, technician: str, bad_scan: int, request_id: int
) -> None:
    with pytest.raises(UsageError, match="Why"), desk.as_person(technician) as (session, actor):
        mark_not_possible(session, actor=actor, request_id=request_id, reason=" ")
    with desk.as_person(technician) as (session, actor):
        mark_not_possible(session, actor=actor, request_id=request_id, reason="The patient has left the study.")
    assert desk.scan(bad_scan).state == ScanState.CLOSED_NOT_POSSIBLE
    assert steps(desk, request_id) == ["requested", "not_possible"]
    with pytest.raises(IllegalMoveError, match="not possible"):
        send(desk, technician, request_id, take_again(desk, bad_scan))


def test_the_end_of_the_last_round_ends_the_rounds_before(
    desk: Desk, technician: str, reviewer: str, bad_scan: int, request_id: int
) -> None:
    first = take_again(desk, bad_scan)
    send(desk, technician, request_id, first)
    still_bad = desk.score(UNGRADABLE, acquisition=first)
    second_request = desk.request(reviewer, still_bad)
    with desk.as_person(technician) as (session, actor):
        mark_not_possible(session, actor=actor, request_id=second_request, reason="The device is gone.")
    assert request_of(desk, request_id).state == RequestState.NOT_POSSIBLE
    assert desk.scan(bad_scan).state == desk.scan(still_bad).state == ScanState.CLOSED_NOT_POSSIBLE


def test_a_site_acknowledges_and_schedules(desk: Desk, technician: str, request_id: int) -> None:
    with desk.as_person(technician) as (session, actor):
        acknowledge_request(session, actor=actor, request_id=request_id)
        schedule_request(session, actor=actor, request_id=request_id, planned_on=date(2026, 4, 1), note="Room 2.")
        schedule_request(session, actor=actor, request_id=request_id, planned_on=date(2026, 4, 8))
    assert steps(desk, request_id) == ["requested", "acknowledged", "scheduled", "scheduled"]
    with session_scope(desk.owner) as session:
        notes = session.scalars(select(tables.ReacquisitionStep.note).order_by(tables.ReacquisitionStep.number)).all()
    assert notes[2:] == ["Planned for 2026-04-01. Room 2.", "Planned for 2026-04-08."]


def test_every_move_that_the_table_does_not_name_is_refused_with_the_reason() -> None:
    for state, wanted in product(RequestState, RequestState):
        if wanted in MOVES[state]:
            refuse_illegal_move(state, wanted)
        else:
            with pytest.raises(IllegalMoveError) as refusal:
                refuse_illegal_move(state, wanted)
            assert refusal.value.remedy


def test_every_state_can_be_reached_and_only_two_are_ends() -> None:
    reachable = {RequestState.REQUESTED}
    while True:
        further = reachable.union(*(MOVES[state] for state in reachable))
        if further == reachable:
            break
        reachable = further
    assert reachable == set(RequestState)
    ended = {RequestState.CLOSED, RequestState.NOT_POSSIBLE, RequestState.WITHDRAWN}
    assert {state for state in RequestState if not MOVES[state]} == ended


@pytest.mark.parametrize("role", [Role.GRADER, Role.MANAGER])
def test_only_the_site_and_quality_control_answer_a_request(desk: Desk, request_id: int, role: Role) -> None:
    with (
        pytest.raises((NotAllowedError, NotFoundError)),  # a grader does not even see it
        desk.as_person(desk.hire(role)) as (session, actor),
    ):
        acknowledge_request(session, actor=actor, request_id=request_id)


def test_a_request_of_another_site_does_not_exist(desk: Desk, request_id: int) -> None:
    with session_scope(desk.owner) as session:
        from lane import make_scene

        elsewhere = make_scene(session, desk.scene.blobs).site
    token = desk.hire(Role.SITE_TECHNICIAN, elsewhere)
    with pytest.raises(NotFoundError), desk.as_person(token) as (session, actor):
        acknowledge_request(session, actor=actor, request_id=request_id)


def test_a_capture_of_another_slot_is_no_replacement(desk: Desk, technician: str, request_id: int) -> None:
    with session_scope(desk.owner) as session:
        other = make_acquisition(session, desk.scene.site, device=desk.scene.device)
    with pytest.raises(UsageError, match="cannot replace"):
        send(desk, technician, request_id, other)


def test_the_bad_capture_itself_is_no_replacement(desk: Desk, technician: str, bad_scan: int, request_id: int) -> None:
    with session_scope(desk.owner) as session:
        same = session.get_one(tables.Acquisition, desk.scan(bad_scan).acquisition_id)
    with pytest.raises(UsageError, match="cannot replace"):
        send(desk, technician, request_id, same)


def test_each_move_leaves_an_audit_event_in_the_person_s_name(desk: Desk, technician: str, request_id: int) -> None:
    with desk.as_person(technician) as (session, actor):
        acknowledge_request(session, actor=actor, request_id=request_id)
        user_id = actor.user_id
    with session_scope(desk.owner) as session:
        event = session.scalars(
            select(tables.AuditEvent).where(tables.AuditEvent.entity == "reacquisition_request")
        ).one()
    assert (event.action, event.actor_id, event.entity_id) == ("request.acknowledged", user_id, request_id)
