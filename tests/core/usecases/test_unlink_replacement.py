"""The reading centre takes a wrong replacement off its request; the request waits again and the counts follow."""

import pytest
from builders import make_acquisition
from desk import Desk
from lane import OUTSTANDING, UNGRADABLE
from sqlalchemy import select, update

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, UsageError
from core.store.tracker import read_course, read_tracked
from core.usecases.check_rates import verify_rates
from core.usecases.reacquire import acknowledge_request, receive_replacement
from core.usecases.unlink_replacement import unlink_replacement
from core.vocabulary import RequestState, Role, ScanState, StepKind


@pytest.fixture
def bad_scan(desk: Desk) -> int:
    return desk.score(UNGRADABLE)


@pytest.fixture
def request_id(desk: Desk, reviewer: str, bad_scan: int) -> int:
    return desk.request(reviewer, bad_scan)


@pytest.fixture
def technician(desk: Desk) -> str:
    return desk.hire(Role.SITE_TECHNICIAN)


def answer(desk: Desk, token: str, request_id: int, scan_id: int) -> tables.Acquisition:
    with session_scope(desk.owner) as session:
        first = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, slot=slot)
    with desk.as_person(token) as (session, actor):
        receive_replacement(session, actor=actor, request_id=request_id, acquisition_id=capture.id, is_found=True)
    return capture


def unlink(desk: Desk, token: str, request_id: int, reason: str = "It is the other eye.") -> RequestState:
    with desk.as_person(token) as (session, actor):
        return unlink_replacement(session, actor=actor, request_id=request_id, reason=reason)


def test_the_request_waits_again_as_it_did_before(
    desk: Desk, reviewer: str, technician: str, bad_scan: int, request_id: int
) -> None:
    with desk.as_person(technician) as (session, actor):
        acknowledge_request(session, actor=actor, request_id=request_id)
    capture = answer(desk, technician, request_id, bad_scan)
    desk.score(UNGRADABLE, acquisition=capture)
    with desk.as_person(reviewer) as (session, _):
        linked = read_tracked(session, [request_id])[request_id]
        assert (linked.state, linked.is_link_found) == (RequestState.REGRADED, True)
    assert unlink(desk, reviewer, request_id) is RequestState.ACKNOWLEDGED
    with desk.as_person(technician) as (session, _):
        waits = read_tracked(session, [request_id])[request_id]
        steps = read_course(session, [request_id])
    assert (waits.state, waits.received_at, waits.replacement_scan_id) == (RequestState.ACKNOWLEDGED, None, None)
    assert [step.kind for step in steps][-1] is StepKind.UNLINK
    assert "It is the other eye." in steps[-1].note
    assert desk.scan(bad_scan).state == ScanState.REACQUISITION_REQUESTED


def test_the_capture_counts_as_a_first_one_from_then_on(
    desk: Desk, reviewer: str, technician: str, bad_scan: int, request_id: int
) -> None:
    capture = answer(desk, technician, request_id, bad_scan)
    desk.score(UNGRADABLE, acquisition=capture)
    unlink(desk, reviewer, request_id)
    with session_scope(desk.owner) as session:
        assert session.get_one(tables.Acquisition, capture.id).replaces_id is None
        deltas = session.execute(select(tables.RateDelta.measure, tables.RateDelta.n)).all()
    assert sum(n for measure, n in deltas if measure == "received") == 2
    assert sum(n for measure, n in deltas if measure == "repeated") == 0
    assert verify_rates(desk.worker) == []


def test_what_cannot_be_undone_is_refused_with_the_reason(
    desk: Desk, reviewer: str, technician: str, bad_scan: int, request_id: int
) -> None:
    with pytest.raises(IllegalMoveError, match="no replacement has come"):
        unlink(desk, reviewer, request_id)
    capture = answer(desk, technician, request_id, bad_scan)
    with pytest.raises(UsageError, match="Why"):
        unlink(desk, reviewer, request_id, " ")
    with pytest.raises(NotAllowedError):
        unlink(desk, technician, request_id)
    desk.score(OUTSTANDING, acquisition=capture)
    with pytest.raises(IllegalMoveError, match="it has ended"):
        unlink(desk, reviewer, request_id)


def test_the_database_lets_no_site_undo_a_link(desk: Desk, technician: str, bad_scan: int, request_id: int) -> None:
    answer(desk, technician, request_id, bad_scan)
    with (
        pytest.raises(NotAllowedError, match="only the reading centre"),
        desk.as_person(technician) as (session, _),
    ):
        session.execute(update(tables.ReacquisitionRequest).values(replacement_id=None))
