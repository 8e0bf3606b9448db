"""Logging in: right words open a session, everything else is refused in one sentence, and guessing is slowed down."""

from datetime import timedelta

import argon2
import pytest
from builders import make_grant, make_site, make_user
from sqlalchemy import text

from core.database.session import Database, session_scope
from core.errors import NotAllowedError, UsageError
from core.passwords import hash_password
from core.settings import Settings
from core.store.access import PROGRAM, current_actor
from core.usecases.administer_users import add_user, disable_user, enable_user, reset_password
from core.usecases.log_in import (
    LoginResult,
    change_password,
    csrf_token_for,
    is_csrf_token,
    log_in,
    log_out,
)
from core.vocabulary import Role

PASSWORD = "four unrelated quiet words"


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def user_id(owner_database: Database, password_hash: str) -> int:
    with session_scope(owner_database) as session:
        return make_user(session, name="ada", display_name="Ada", password_hash=password_hash).id


def sign_in(database: Database, settings: Settings, password: str = PASSWORD, name: str = "ada") -> LoginResult:
    return log_in(database, settings, name=name, password=password)


def is_live(database: Database, token: str) -> bool:
    with session_scope(database, token=token) as session:
        return current_actor(session) is not None


def execute(database: Database, statement: str, **values: object) -> None:
    with session_scope(database) as session:
        session.execute(text(statement), values)


def test_the_right_password_opens_a_session_with_the_grants_of_its_user(
    owner_database: Database, dashboard_database: Database, settings: Settings, user_id: int
) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        from core.database.tables import User

        make_grant(session, session.get_one(User, user_id), Role.QC_TECHNICIAN, site=site)
    result = sign_in(dashboard_database, settings, name="ADA")
    assert (result.actor.user_id, result.actor.display_name) == (user_id, "Ada")
    assert result.actor.has_role(Role.QC_TECHNICIAN, study_id=site.study_id, site_id=site.id)
    assert not result.actor.has_role(Role.QC_TECHNICIAN, study_id=site.study_id, site_id=site.id + 1)
    assert not result.actor.has_role(Role.MANAGER)
    assert is_live(dashboard_database, result.token)


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("ada", ""), ("ada", "x" * 5000)]
)
@pytest.mark.usefixtures("user_id")
def test_anything_else_is_refused_in_the_same_words(
    dashboard_database: Database, settings: Settings, name: str, password: str
) -> None:
    with pytest.raises(NotAllowedError, match="Name or password is wrong, or the account is locked"):
        sign_in(dashboard_database, settings, password, name)


def test_a_disabled_user_is_refused_and_its_open_sessions_end(
    owner_database: Database, dashboard_database: Database, settings: Settings, user_id: int
) -> None:
    token = sign_in(dashboard_database, settings).token
    with session_scope(owner_database) as session:
        disable_user(session, actor=PROGRAM, user_id=user_id, reason="left")
    assert not is_live(dashboard_database, token)
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings)
    with session_scope(owner_database) as session:
        enable_user(session, actor=PROGRAM, user_id=user_id)
    assert not is_live(dashboard_database, token)
    assert sign_in(dashboard_database, settings).actor.user_id == user_id


@pytest.mark.usefixtures("user_id")
def test_five_wrong_passwords_lock_the_account_even_for_the_right_one_until_the_lock_ends(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    execute(owner_database, "update app_user set failed_logins = 4")
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings, "wrong")
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings)
    execute(owner_database, "update app_user set locked_until = now() - interval '1 second'")
    sign_in(dashboard_database, settings)
    with session_scope(owner_database) as session:
        assert session.scalar(text("select failed_logins from app_user")) == 0


@pytest.mark.usefixtures("user_id")
@pytest.mark.parametrize(("failures", "seconds"), [(3, 0), (4, 15), (5, 30), (9, 480), (40, 900)])
def test_the_lock_doubles_from_fifteen_seconds_to_fifteen_minutes(
    owner_database: Database, dashboard_database: Database, settings: Settings, failures: int, seconds: int
) -> None:
    execute(owner_database, "update app_user set failed_logins = :n", n=failures)
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings, "wrong")
    with session_scope(owner_database) as session:
        left = session.scalar(text("select coalesce(extract(epoch from locked_until - now()), 0) from app_user"))
    assert seconds - 5 <= left <= seconds


@pytest.mark.usefixtures("user_id")
def test_a_log_out_ends_that_session_only(dashboard_database: Database, settings: Settings) -> None:
    first, second = sign_in(dashboard_database, settings), sign_in(dashboard_database, settings)
    log_out(dashboard_database, token=first.token)
    assert not is_live(dashboard_database, first.token)
    assert is_live(dashboard_database, second.token)
    log_out(dashboard_database, token=first.token)


@pytest.mark.usefixtures("user_id")
def test_an_unused_session_ends_and_a_used_one_lives_on_to_its_lifetime(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    token = sign_in(dashboard_database, settings).token
    almost = "update session set last_seen_at = now() - interval '119 min', expires_at = now() + interval '1 min'"
    execute(owner_database, almost)
    assert is_live(dashboard_database, token)
    with session_scope(owner_database) as session:
        assert session.scalar(text("select expires_at - now() from session")) > timedelta(minutes=119)
    execute(owner_database, almost + ", ends_at = now() + interval '5 min'")
    assert is_live(dashboard_database, token)
    with session_scope(owner_database) as session:
        assert session.scalar(text("select expires_at = ends_at from session"))
    execute(owner_database, "update session set expires_at = now() - interval '1 second'")
    assert not is_live(dashboard_database, token)


def test_a_new_user_gets_a_generated_password_that_works_once_handed_over(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        first = add_user(session, actor=PROGRAM, name=" Grace ", display_name="Grace H.")
        other = add_user(session, actor=PROGRAM, name="edith")
    assert first.password != other.password
    assert first.password not in repr(first)
    result = sign_in(dashboard_database, settings, first.password, "grace")
    assert result.actor.must_change_password
    new = "a longer sentence of mine"
    change_password(dashboard_database, token=result.token, actor=result.actor, old=first.password, new=new)
    assert not sign_in(dashboard_database, settings, new, "grace").actor.must_change_password
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings, first.password, "grace")


@pytest.mark.usefixtures("user_id")
def test_a_password_is_changed_only_with_the_old_one_and_ends_the_other_sessions(
    dashboard_database: Database, settings: Settings
) -> None:
    here, elsewhere = sign_in(dashboard_database, settings), sign_in(dashboard_database, settings)
    with pytest.raises(NotAllowedError, match="old password"):
        change_password(
            dashboard_database, token=here.token, actor=here.actor, old="wrong", new="another good password"
        )
    with pytest.raises(UsageError, match="5 characters"):
        change_password(dashboard_database, token=here.token, actor=here.actor, old=PASSWORD, new="short")
    with pytest.raises(UsageError, match=r"easily guessed\. This is a very common"):
        change_password(dashboard_database, token=here.token, actor=here.actor, old=PASSWORD, new="password1234")
    with pytest.raises(UsageError, match="user name"):
        change_password(dashboard_database, token=here.token, actor=here.actor, old=PASSWORD, new="ada ada ada ada")
    change_password(dashboard_database, token=here.token, actor=here.actor, old=PASSWORD, new="another good password")
    assert is_live(dashboard_database, here.token)
    assert not is_live(dashboard_database, elsewhere.token)


def test_a_reset_password_unlocks_and_ends_the_sessions(
    owner_database: Database, dashboard_database: Database, settings: Settings, user_id: int
) -> None:
    token = sign_in(dashboard_database, settings).token
    execute(owner_database, "update app_user set locked_until = now() + interval '1 hour', failed_logins = 9")
    with session_scope(owner_database) as session:
        password = reset_password(session, actor=PROGRAM, user_id=user_id)
    assert not is_live(dashboard_database, token)
    assert sign_in(dashboard_database, settings, password).actor.must_change_password


def test_a_hash_with_old_parameters_is_renewed_at_the_next_login(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with session_scope(owner_database) as session:
        make_user(session, name="old", password_hash=weak)
    sign_in(dashboard_database, settings, name="old")
    with session_scope(owner_database) as session:
        assert "m=65536,t=3,p=4" in session.scalar(text("select password_hash from app_user"))
    sign_in(dashboard_database, settings, name="old")


@pytest.mark.usefixtures("user_id")
def test_the_database_holds_neither_token_nor_password(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    result = sign_in(dashboard_database, settings)
    with session_scope(owner_database) as session:
        kept = str(session.execute(text("select * from session, app_user")).all())
    assert result.token not in kept
    assert PASSWORD not in kept


def trail(database: Database) -> list[tuple[str, int | None, str]]:
    """Action, actor and reason of every event, oldest first."""
    with session_scope(database) as session:
        rows = session.execute(text("select action, actor_id, reason from audit_event order by id"))
        return [(row.action, row.actor_id, row.reason) for row in rows]


def test_every_way_in_and_out_stands_in_the_audit_trail(
    owner_database: Database, dashboard_database: Database, settings: Settings, user_id: int
) -> None:
    result = sign_in(dashboard_database, settings)
    for password, name in (("wrong", "ada"), ("wrong", "nobody"), ("wrong", "somebody")):
        with pytest.raises(NotAllowedError):
            sign_in(dashboard_database, settings, password, name)
    with pytest.raises(NotAllowedError):
        change_password(dashboard_database, token=result.token, actor=result.actor, old="wrong", new=PASSWORD[::-1])
    change_password(dashboard_database, token=result.token, actor=result.actor, old=PASSWORD, new=PASSWORD[::-1])
    log_out(dashboard_database, token=result.token)
    execute(owner_database, "update app_user set disabled_at = now()")
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings, PASSWORD[::-1])
    assert trail(owner_database) == [
        ("log_in", user_id, ""),
        ("log_in_failed", None, ""),
        ("log_in_failed", None, "unknown name"),
        ("change_password_failed", user_id, ""),
        ("change_password", user_id, ""),
        ("log_out", user_id, ""),
        ("log_in_failed", None, "disabled"),
    ], "names that do not exist are one line a minute"


def test_a_lock_out_is_told_and_a_locked_door_is_noted_once_a_minute(
    owner_database: Database, dashboard_database: Database, settings: Settings, user_id: int
) -> None:
    execute(owner_database, "update app_user set failed_logins = 4")
    for _ in range(4):
        with pytest.raises(NotAllowedError):
            sign_in(dashboard_database, settings, "wrong")
    assert trail(owner_database) == [
        ("log_in_failed", None, ""), ("locked_out", None, ""), ("log_in_failed", None, "locked"),
    ]  # fmt: skip
    with session_scope(owner_database) as session:
        assert session.scalars(text("select distinct entity_id from audit_event")).all() == [user_id]


@pytest.mark.usefixtures("user_id")
def test_guessing_the_old_password_in_an_open_session_locks_the_account(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    here = sign_in(dashboard_database, settings)
    execute(owner_database, "update app_user set failed_logins = 4")
    for old in ("wrong", PASSWORD):
        with pytest.raises(NotAllowedError, match="locked"):
            change_password(dashboard_database, token=here.token, actor=here.actor, old=old, new=PASSWORD[::-1])
    with pytest.raises(NotAllowedError):
        sign_in(dashboard_database, settings)


def test_the_csrf_token_belongs_to_one_session_and_does_not_give_it_away() -> None:
    assert is_csrf_token("session a", csrf_token_for("session a"))
    assert not is_csrf_token("session b", csrf_token_for("session a"))
    assert not is_csrf_token("session a", "")
    assert "session a" not in csrf_token_for("session a")
