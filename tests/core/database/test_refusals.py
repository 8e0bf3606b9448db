"""What is refused stands in the audit trail, and the watch over all tests (audit_watch.py) sees a missing event."""

import pytest
from access_world import World, make_world
from sqlalchemy import text

from core.broker import NullBell
from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.store.access import current_actor
from core.usecases.administer_users import disable_user
from core.usecases.requeue_scans import discard_scans, requeue_scans


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


def refusals(owner_database: Database) -> list[tuple[int, str, str]]:
    with session_scope(owner_database) as session:
        rows = session.execute(
            text(
                "select actor_id, after ->> 'tried' as tried, reason from audit_event where action = 'permission_refused'"
            )
        )
        return [(row.actor_id, row.tried, row.reason) for row in rows]


def try_to_discard(database: Database, world: World, name: str) -> None:
    with session_scope(database, token=world.tokens[name]) as session:
        actor = current_actor(session)
        assert actor is not None
        discard_scans(session, actor=actor, scan_ids=[world.scan_a], reason="why")


def test_a_refused_use_case_is_noted_with_its_person_and_name_once_a_minute(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    for name in ("technician", "technician", "qc"):
        with pytest.raises(NotAllowedError, match="Only a manager"):
            try_to_discard(dashboard_database, world, name)
    found = refusals(owner_database)
    assert [line[:2] for line in found] == [
        (world.users["technician"], "requeue_scans._allowed_places"),
        (world.users["qc"], "requeue_scans._allowed_places"),
    ]
    assert "Only a manager" in found[0][2]


def test_what_the_database_refuses_is_noted_and_nothing_else_is_written(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        session_scope(dashboard_database, token=world.tokens["technician"]) as session,
    ):
        session.execute(text("insert into subject (site_id, code) values (:site, 'P1')"), {"site": world.b})
    ((person, _, told),) = refusals(owner_database)
    assert person == world.users["technician"]
    assert 'policy for table "subject"' in told
    with session_scope(owner_database) as session:
        assert session.scalar(text("select count(*) from subject where code = 'P1'")) == 0


def test_a_loop_of_different_refusals_writes_thirty_lines_a_minute(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    for number in range(40):
        with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
            noted = session.scalar(text("select note_refusal(:tried, 'no')"), {"tried": f"thing {number}"})
        assert noted is (number < 30)
    assert len(refusals(owner_database)) == 30


def test_nobody_without_a_session_writes_refusals(owner_database: Database, dashboard_database: Database) -> None:
    with session_scope(dashboard_database, token="forged") as session:
        assert session.scalar(text("select note_refusal('x', 'y')")) is False
    assert refusals(owner_database) == []


def test_the_watch_sees_a_use_case_that_forgets_its_event(
    owner_database: Database, dashboard_database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(owner_database) as session:
        session.execute(text("update scan set state = 'failed', failure = 'x'"))
    monkeypatch.setattr("core.usecases.requeue_scans._record", lambda *_, **__: None)
    with pytest.raises(AssertionError, match=r"scan by core\.usecases\.requeue_scans"):
        queue_again(dashboard_database, world)
    monkeypatch.undo()
    queue_again(dashboard_database, world)


def queue_again(database: Database, world: World) -> None:
    with session_scope(database, token=world.tokens["manager"]) as session:
        actor = current_actor(session)
        assert actor is not None
        assert requeue_scans(session, actor=actor, scan_ids=[world.scan_a], bell=NullBell(), reason="why") == (
            world.scan_a,
        )


def test_the_watch_sees_a_function_of_the_database_whose_event_is_forgotten(
    dashboard_database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.usecases.administer_users.record_event", lambda *_, **__: None)

    def disable() -> None:
        with session_scope(dashboard_database, token=world.tokens["global"]) as session:
            actor = current_actor(session)
            assert actor is not None
            disable_user(session, actor=actor, user_id=world.users["qc"])

    with pytest.raises(AssertionError, match=r"set_account_disabled by core\.usecases\.administer_users"):
        disable()
