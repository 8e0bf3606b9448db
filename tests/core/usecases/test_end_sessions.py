"""Sessions: listed for their person and the administrator, ended one by one or all at once, and closed when they ran out."""

import pytest
from access_world import World, make_world
from builders import login_token
from sqlalchemy import text

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError
from core.store.access import current_actor
from core.store.login_session import is_live, read_live_sessions
from core.usecases.end_sessions import close_expired_sessions, end_session, revoke_sessions


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


def another_login(owner_database: Database, world: World, name: str) -> str:
    with session_scope(owner_database) as session:
        return login_token(session, session.get_one(tables.User, world.users[name]))


def events(owner_database: Database) -> list[tuple[str, int | None, str]]:
    with session_scope(owner_database) as session:
        rows = session.execute(text("select action, actor_id, reason from audit_event order by id"))
        return [(row.action, row.actor_id, row.reason) for row in rows]


def test_a_person_sees_the_own_sessions_and_ends_another_of_them(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    elsewhere = another_login(owner_database, world, "qc")
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        lines = read_live_sessions(session, world.users["qc"])
        assert sorted(line.is_own for line in lines) == [False, True]
        end_session(session, session_id=next(line.id for line in lines if not line.is_own))
    with session_scope(dashboard_database, token=elsewhere) as session:
        assert not is_live(session)
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert is_live(session)
    assert events(owner_database) == [("end_session", world.users["qc"], "")]


def test_signing_out_everywhere_ends_this_session_too_and_says_so_in_the_trail(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    elsewhere = another_login(owner_database, world, "qc")
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert revoke_sessions(session, user_id=world.users["qc"]) == 2
    for token in (elsewhere, world.tokens["qc"]):
        with session_scope(dashboard_database, token=token) as session:
            assert current_actor(session) is None
    assert events(owner_database) == [("revoke_sessions", world.users["qc"], "")]


def test_the_sessions_of_others_are_for_an_administrator_of_all_studies(
    dashboard_database: Database, world: World
) -> None:
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        (line,) = read_live_sessions(session, world.users["qc"])
        assert not line.is_own
    for name in ("technician", "manager", "admin"):
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            assert read_live_sessions(session, world.users["qc"]) == ()
            with pytest.raises(NotFoundError, match="has ended already"):
                end_session(session, session_id=line.id)
        with (
            pytest.raises(NotAllowedError, match="only an administrator"),
            session_scope(dashboard_database, token=world.tokens[name]) as session,
        ):
            revoke_sessions(session, user_id=world.users["qc"])
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        end_session(session, session_id=line.id)
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert not is_live(session)


def test_a_session_that_ran_out_is_closed_once_with_the_reason(
    owner_database: Database, worker_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        session.execute(
            text("update session set expires_at = now() - interval '1 minute' where user_id = :id"),
            {"id": world.users["qc"]},
        )
        session.execute(
            text(
                "update session set expires_at = now() - interval '1 s', ends_at = now() - interval '1 s' where user_id = :id"
            ),
            {"id": world.users["manager"]},
        )
    assert close_expired_sessions(worker_database) == 2
    assert close_expired_sessions(worker_database) == 0
    assert events(owner_database) == [("session_expired", None, "idle"), ("session_expired", None, "lifetime")]
