"""A request has an owner: who took the capture, until the site or the reading centre gives it to somebody else."""

import pytest
from builders import make_acquisition, make_technician
from desk import Desk
from lane import UNGRADABLE, make_scene
from sqlalchemy import select

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.tracker import list_owners, read_course, read_tracked
from core.usecases.assign_request import assign_request
from core.usecases.reacquire import mark_not_possible
from core.vocabulary import Role, StepKind


@pytest.fixture
def photographer(desk: Desk) -> tables.Technician:
    """Who took the bad capture."""
    with session_scope(desk.owner) as session:
        return make_technician(session, desk.scene.site, code="T01")


@pytest.fixture
def colleague(desk: Desk) -> tables.Technician:
    with session_scope(desk.owner) as session:
        return make_technician(session, desk.scene.site, code="T02")


@pytest.fixture
def request_id(desk: Desk, reviewer: str, photographer: tables.Technician) -> int:
    with session_scope(desk.owner) as session:
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, technician_id=photographer.id)
    return desk.request(reviewer, desk.score(UNGRADABLE, acquisition=capture))


def owner_of(desk: Desk, token: str, request_id: int) -> str | None:
    with desk.as_person(token) as (session, _):
        return read_tracked(session, [request_id])[request_id].owner


def give(desk: Desk, token: str, request_id: int, technician_id: int, **changes: object) -> str:
    with desk.as_person(token) as (session, actor):
        return assign_request(
            session,
            actor=actor,
            request_id=request_id,
            technician_id=technician_id,
            **changes,  # type: ignore[arg-type]
        )


def test_whoever_took_the_capture_owns_the_request(desk: Desk, reviewer: str, request_id: int) -> None:
    assert owner_of(desk, reviewer, request_id) == "T01"


def test_a_technician_who_has_left_owns_nothing(desk: Desk, reviewer: str, photographer: tables.Technician) -> None:
    with session_scope(desk.owner) as session:
        session.get_one(tables.Technician, photographer.id).deactivated_at = now()
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, technician_id=photographer.id)
    request_id = desk.request(reviewer, desk.score(UNGRADABLE, acquisition=capture))
    assert owner_of(desk, reviewer, request_id) is None
    with desk.as_person(reviewer) as (session, _):
        assert list_owners(session, desk.scene.site.id) == ()


@pytest.mark.parametrize("role", [Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN, Role.ADJUDICATOR])
def test_the_site_and_the_reading_centre_give_it_to_another(
    desk: Desk, request_id: int, colleague: tables.Technician, role: Role
) -> None:
    token = desk.hire(role)
    assert give(desk, token, request_id, colleague.id, reason="T01 is on leave.") == "T02"
    assert owner_of(desk, token, request_id) == "T02"
    with desk.as_person(token) as (session, _):
        last = read_course(session, [request_id])[-1]
    assert (last.kind, last.state, last.note) == (StepKind.ASSIGN, "requested", "T01 → T02: T01 is on leave.")


def test_the_change_is_in_the_audit_trail(
    desk: Desk, reviewer: str, request_id: int, photographer: tables.Technician, colleague: tables.Technician
) -> None:
    give(desk, reviewer, request_id, colleague.id, reason="On leave.")
    with session_scope(desk.owner) as session:
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "request.assigned")).one()
    assert (event.before, event.after) == ({"owner_id": photographer.id}, {"owner_id": colleague.id})
    assert event.reason == "On leave."


def test_what_cannot_be_is_refused_with_the_reason(
    desk: Desk, reviewer: str, request_id: int, photographer: tables.Technician, colleague: tables.Technician
) -> None:
    with session_scope(desk.owner) as session:
        elsewhere = make_technician(session, make_scene(session, desk.scene.blobs).site)
    with pytest.raises(UsageError, match="active technician of the request's site"):
        give(desk, reviewer, request_id, elsewhere.id)
    with pytest.raises(UsageError, match="owns this request already"):
        give(desk, reviewer, request_id, photographer.id)
    with pytest.raises(IllegalMoveError, match="changed since"):
        give(desk, reviewer, request_id, colleague.id, seen_version=99)
    with desk.as_person(reviewer) as (session, actor):
        mark_not_possible(session, actor=actor, request_id=request_id, reason="The patient has left.")
    with pytest.raises(IllegalMoveError, match="ended as not possible"):
        give(desk, reviewer, request_id, colleague.id)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.GRADER])
def test_who_only_looks_gives_it_to_nobody(
    desk: Desk, request_id: int, colleague: tables.Technician, role: Role
) -> None:
    with pytest.raises((NotAllowedError, NotFoundError)):
        give(desk, desk.hire(role), request_id, colleague.id)


def test_the_database_refuses_an_owner_of_another_site(desk: Desk, request_id: int) -> None:
    with session_scope(desk.owner) as session:
        elsewhere = make_technician(session, make_scene(session, desk.scene.blobs).site)
    with pytest.raises(Exception, match="technician of another site"), session_scope(desk.owner) as session:
        session.get_one(tables.ReacquisitionRequest, request_id).owner_id = elsewhere.id
