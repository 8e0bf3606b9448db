"""A newer capture that was there already is linked by the reading centre, and the request moves on at once."""

from datetime import timedelta

import pytest
from builders import MONDAY, make_acquisition
from desk import Desk
from lane import OUTSTANDING, UNGRADABLE

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, UsageError
from core.store.tracker import read_course, read_tracked
from core.usecases.check_rates import verify_rates
from core.usecases.link_replacement import link_replacement
from core.vocabulary import RequestState, Role, ScanState


@pytest.fixture
def bad_scan(desk: Desk) -> int:
    return desk.score(UNGRADABLE)


@pytest.fixture
def request_id(desk: Desk, reviewer: str, bad_scan: int) -> int:
    return desk.request(reviewer, bad_scan)


def taken(desk: Desk, scan_id: int, days: int, order: int) -> int:
    """Another capture of the slot, so many days from the first, scored; its id."""
    with session_scope(desk.owner) as session:
        first = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        moment = MONDAY + timedelta(days=days)
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, slot=slot, acquired_at=moment)
    desk.score(order, acquisition=capture)
    return capture.id


def link(desk: Desk, token: str, request_id: int, acquisition_id: int, reason: str = "Sent the same day.") -> None:
    with desk.as_person(token) as (session, actor):
        link_replacement(session, actor=actor, request_id=request_id, acquisition_id=acquisition_id, reason=reason)


def state_of(desk: Desk, token: str, request_id: int) -> RequestState:
    with desk.as_person(token) as (session, _):
        return read_tracked(session, [request_id])[request_id].state


def test_an_accepted_capture_closes_the_request_at_once(
    desk: Desk, reviewer: str, bad_scan: int, request_id: int
) -> None:
    link(desk, reviewer, request_id, taken(desk, bad_scan, 1, OUTSTANDING))
    assert state_of(desk, reviewer, request_id) is RequestState.CLOSED
    assert desk.scan(bad_scan).state == ScanState.SUPERSEDED
    with desk.as_person(reviewer) as (session, _):
        notes = [step.note for step in read_course(session, [request_id])]
    assert any("Sent the same day." in note for note in notes)
    assert verify_rates(desk.worker) == []


def test_a_bad_capture_leaves_it_regraded(desk: Desk, reviewer: str, bad_scan: int, request_id: int) -> None:
    link(desk, reviewer, request_id, taken(desk, bad_scan, 1, UNGRADABLE))
    assert state_of(desk, reviewer, request_id) is RequestState.REGRADED


def test_an_older_capture_and_words_left_out_are_refused(
    desk: Desk, reviewer: str, bad_scan: int, request_id: int
) -> None:
    older = taken(desk, bad_scan, -1, OUTSTANDING)
    with pytest.raises(UsageError, match="was taken before"):
        link(desk, reviewer, request_id, older)
    with pytest.raises(UsageError, match="Why"):
        link(desk, reviewer, request_id, older, " ")
    with pytest.raises(NotAllowedError):
        link(desk, desk.hire(Role.SITE_TECHNICIAN), request_id, older)
    newer = taken(desk, bad_scan, 1, OUTSTANDING)
    link(desk, reviewer, request_id, newer)
    with pytest.raises(IllegalMoveError, match="it is closed"):
        link(desk, reviewer, request_id, newer)
