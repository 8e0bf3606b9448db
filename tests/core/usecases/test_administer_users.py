"""Accounts and grants: who may give what to whom, what takes effect when, and what the audit trail says of it."""

from datetime import timedelta

import pytest
from access_world import World, make_world
from builders import make_site, make_user
from sqlalchemy import select, text

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.passwords import generate_password, hash_as_stored, hash_password, is_outdated
from core.store.access import PROGRAM, Actor, Grant, current_actor, list_accounts, list_grants
from core.usecases.administer_users import (
    add_user,
    disable_user,
    enable_user,
    find_user_id,
    grant_role,
    reset_password,
    revoke_grant,
)
from core.usecases.end_sessions import revoke_sessions
from core.vocabulary import Role


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


def actor_of(database: Database, token: str) -> Actor:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
    assert actor is not None
    return actor


def test_an_administrator_of_all_studies_adds_a_user_on_the_page(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    admin = actor_of(dashboard_database, world.tokens["global"])
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        login = add_user(session, actor=admin, name="new", display_name="New Person")
        grant_role(session, actor=admin, user_id=login.user_id, role=Role.MANAGER, study_id=world.study_id)
    with session_scope(owner_database) as session:
        events = session.execute(
            select(tables.AuditEvent.action, tables.AuditEvent.actor_id, tables.AuditEvent.after).order_by("id")
        ).all()
    assert [event.action for event in events] == ["add_user", "grant_role"]
    assert {event.actor_id for event in events} == {world.users["global"]}
    assert events[1].after == {
        "role": "manager", "study_id": world.study_id, "site_id": None, "user_id": login.user_id, "expires_at": None,
    }  # fmt: skip
    assert login.password not in str(events)


@pytest.mark.parametrize("name", ["technician", "qc", "manager", "admin"])
def test_nobody_else_keeps_accounts(dashboard_database: Database, world: World, name: str) -> None:
    actor = actor_of(dashboard_database, world.tokens[name])
    victim = world.users["grader"]
    for act in (
        lambda session: add_user(session, actor=actor, name="new"),
        lambda session: reset_password(session, actor=actor, user_id=victim),
        lambda session: disable_user(session, actor=actor, user_id=victim),
        lambda session: enable_user(session, actor=actor, user_id=victim),
        lambda session: revoke_sessions(session, user_id=victim),
    ):
        with (
            pytest.raises(NotAllowedError, match="only an administrator of all studies"),
            session_scope(dashboard_database, token=world.tokens[name]) as session,
        ):
            act(session)


@pytest.mark.parametrize("name", ["technician", "qc", "manager", "admin"])
def test_nobody_grants_beyond_the_own_administration(dashboard_database: Database, world: World, name: str) -> None:
    actor = actor_of(dashboard_database, world.tokens[name])
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        other_study = session.get_one(tables.Site, world.elsewhere).study_id
    for role, study_id in ((Role.ADMIN, None), (Role.MANAGER, other_study)):
        with (
            pytest.raises(NotAllowedError, match="only an administrator of the study"),
            session_scope(dashboard_database, token=world.tokens[name]) as session,
        ):
            grant_role(session, actor=actor, user_id=world.users[name], role=role, study_id=study_id)


def test_an_administrator_of_one_study_gives_and_takes_roles_in_it_at_once(
    dashboard_database: Database, world: World
) -> None:
    admin = actor_of(dashboard_database, world.tokens["admin"])
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        grant_id = grant_role(
            session,
            actor=admin,
            user_id=world.users["technician"],
            role=Role.QC_TECHNICIAN,
            study_id=world.study_id,
            site_id=world.b,
        )
    given = Grant(Role.QC_TECHNICIAN, world.study_id, world.b)
    assert given in actor_of(dashboard_database, world.tokens["technician"]).grants
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        revoke_grant(session, actor=admin, grant_id=grant_id, reason="a mistake")
    assert given not in actor_of(dashboard_database, world.tokens["technician"]).grants
    with (
        pytest.raises(NotFoundError, match="no live grant"),
        session_scope(dashboard_database, token=world.tokens["admin"]) as session,
    ):
        revoke_grant(session, actor=admin, grant_id=grant_id)
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        grant_role(
            session,
            actor=admin,
            user_id=world.users["technician"],
            role=Role.QC_TECHNICIAN,
            study_id=world.study_id,
            site_id=world.b,
        )
    assert given in actor_of(dashboard_database, world.tokens["technician"]).grants


def test_a_grant_that_ends_reaches_nothing_after(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        for ends_in, role in ((timedelta(hours=1), Role.GRADER), (timedelta(seconds=-1), Role.MANAGER)):
            grant_role(
                session,
                actor=PROGRAM,
                user_id=world.users["technician"],
                role=role,
                study_id=world.study_id,
                expires_at=now() + ends_in,
            )
    assert actor_of(dashboard_database, world.tokens["technician"]).roles == {Role.SITE_TECHNICIAN, Role.GRADER}


def test_a_grant_that_makes_no_sense_is_refused_in_words(owner_database: Database, world: World) -> None:
    wrong = [
        ({"role": Role.MANAGER, "study_id": None}, "needs a study"),
        ({"role": Role.MANAGER, "study_id": 999}, "cannot be given"),
        ({"role": Role.MANAGER, "study_id": world.study_id, "site_id": world.elsewhere}, "must belong to the study"),
        ({"role": Role.GRADER, "study_id": world.study_id}, "the user has it already"),
    ]
    for values, sentence in wrong:
        with pytest.raises(UsageError, match=sentence), session_scope(owner_database) as session:
            grant_role(session, actor=PROGRAM, user_id=world.users["grader"], **values)


@pytest.mark.parametrize("name", ["", "two words", "semi;colon", "x" * 65])
def test_a_name_that_is_none_is_refused(owner_database: Database, name: str) -> None:
    with pytest.raises(UsageError, match="is no user name"), session_scope(owner_database) as session:
        add_user(session, actor=PROGRAM, name=name)


def test_unknown_users_are_named(owner_database: Database) -> None:
    for act in (
        lambda session: reset_password(session, actor=PROGRAM, user_id=99),
        lambda session: disable_user(session, actor=PROGRAM, user_id=99),
        lambda session: find_user_id(session, "nobody"),
    ):
        with pytest.raises(NotFoundError, match="There is no user"), session_scope(owner_database) as session:
            act(session)


def test_accounts_and_grants_are_listed_for_administrators_only(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        stranger = make_user(session)
        make_site(session)
    seen = {}
    for name in ("global", "admin", "manager", "technician"):
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            seen[name] = ({account.user_id for account in list_accounts(session)}, len(list_grants(session)))
    everybody = set(world.users.values())
    assert seen == {
        "global": (everybody | {stranger.id}, len(everybody)),
        "admin": (everybody, len(everybody) - 1),
        "manager": (set(), 0),
        "technician": (set(), 0),
    }


def test_ended_sessions_are_counted_and_gone(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        assert revoke_sessions(session, user_id=world.users["qc"]) == 1
        assert revoke_sessions(session, user_id=world.users["qc"]) == 0
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert current_actor(session) is None
        assert session.execute(text("select 1 from scan")).all() == []


def test_a_role_is_asked_for_by_study_and_site() -> None:
    actor = Actor(1, "x", "X", (Grant(Role.MANAGER, 1, None), Grant(Role.GRADER, 2, 7)))
    assert actor.has_role(Role.MANAGER, study_id=1, site_id=5)
    assert not actor.has_role(Role.MANAGER, study_id=2)
    assert actor.has_role(Role.GRADER, Role.MANAGER, study_id=2, site_id=7)
    assert not actor.has_role(Role.GRADER, study_id=2, site_id=8)
    assert Actor(1, "x", "X", (Grant(Role.ADMIN, None, None),)).has_role(Role.ADMIN, study_id=9, site_id=9)
    assert not PROGRAM.has_role(*Role)


def test_generated_passwords_differ_and_can_be_read_out() -> None:
    passwords = {generate_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(len(password) == 23 and not set(password) & set("il1o0 ") for password in passwords)


def test_an_offered_password_is_hashed_as_the_stored_one_was() -> None:
    stored = hash_password("a password")
    parameters = stored.rpartition("$")[0]
    assert hash_as_stored("a password", parameters) == stored
    assert hash_as_stored("another", parameters) != stored
    assert hash_as_stored("a password", None) != hash_as_stored("a password", None)
    assert not is_outdated(parameters)
    assert is_outdated(parameters.replace("t=3", "t=2"))
