"""A manager gives failed scans another chance or closes them, as the dashboard's role; nobody else can."""

import pytest
from desk import Desk
from lane import FAILS_FOR_GOOD, GRADABLE
from sqlalchemy import select

from core.broker import NullBell
from core.database import tables
from core.database.session import session_scope
from core.errors import NotAllowedError, UsageError
from core.usecases.requeue_scans import discard_scans, requeue_scans
from core.vocabulary import Role, ScanState


@pytest.fixture
def failed(desk: Desk) -> int:
    return desk.score(FAILS_FOR_GOOD)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_a_manager_queues_a_failed_scan_again(desk: Desk, failed: int, role: Role) -> None:
    good = desk.score(GRADABLE)
    with desk.as_person(desk.hire(role)) as (session, actor):
        assert requeue_scans(session, actor=actor, scan_ids=[failed, good], bell=NullBell(), reason="Try again.") == (
            failed,
        )
    scan = desk.scan(failed)
    assert (scan.state, scan.attempts, scan.failure) == (ScanState.QUEUED, 0, None)
    assert desk.scan(good).state == ScanState.ACCEPTED
    with session_scope(desk.owner) as session:
        event = session.scalars(select(tables.AuditEvent)).one()
    assert (event.action, event.before) == ("scan.queued_again", {"state": "failed", "failure": "told to fail"})


def test_a_discarded_scan_is_closed_with_the_reason(desk: Desk, failed: int) -> None:
    token = desk.hire(Role.MANAGER)
    with pytest.raises(UsageError, match="Why"), desk.as_person(token) as (session, actor):
        discard_scans(session, actor=actor, scan_ids=[failed], reason="")
    with desk.as_person(token) as (session, actor):
        assert discard_scans(session, actor=actor, scan_ids=[failed], reason="A test image.") == (failed,)
    assert (desk.scan(failed).state, desk.scan(failed).failure) == (ScanState.CLOSED_NOT_POSSIBLE, "A test image.")


def test_a_technician_cannot_queue_scans_again(desk: Desk, failed: int) -> None:
    token = desk.hire(Role.SITE_TECHNICIAN)
    with pytest.raises(NotAllowedError), desk.as_person(token) as (session, actor):
        requeue_scans(session, actor=actor, scan_ids=[failed], bell=NullBell(), reason="Try again.")
