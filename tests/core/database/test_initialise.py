"""Roles and database: made once, harmless when repeated or raced, refused where row-level security would not hold."""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import URL, make_url, text

from core.database import migrate
from core.database.addresses import admin_url, database_url
from core.database.initialise import admin_connection, initialise_database
from core.database.roles import ROLE_NAMES, DatabaseRole
from core.database.session import open_database, role_faults, session_scope
from core.errors import NotAllowedError, ServerError, SettingsError
from core.settings import Settings


def secret(url: URL) -> SecretStr:
    return SecretStr(url.render_as_string(hide_password=False))


@pytest.fixture
def empty_database(settings: Settings) -> Iterator[Settings]:
    """Settings that name a database which does not exist yet."""
    name = f"test_{uuid.uuid4().hex}"
    urls = {
        f"database_{role.name.lower()}_url": secret(database_url(settings, role).set(database=name))
        for role in DatabaseRole
    }
    yield settings.model_copy(update=urls)
    with admin_connection(admin_url(settings)) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')


def in_threads(n: int, act: object) -> list[BaseException]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            act()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def start_migrating(settings: Settings) -> "subprocess.Popen[bytes]":
    assert settings.database_owner_url is not None
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from core.database.migrate import upgrade; from core.settings import load_settings; upgrade(load_settings())",
        ],
        env={**os.environ, "OCTAUDIT_DATABASE_OWNER_URL": settings.database_owner_url.get_secret_value()},
    )


def test_many_processes_may_initialise_and_migrate_at_once(empty_database: Settings) -> None:
    assert in_threads(6, lambda: initialise_database(empty_database)) == []
    assert [process.wait() for process in [start_migrating(empty_database) for _ in range(3)]] == [0, 0, 0]
    with open_database(empty_database, DatabaseRole.OWNER) as database:
        current, newest = migrate.revisions(database)
        assert current == newest
        with session_scope(database) as session:
            roles = session.execute(
                text(
                    "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb from pg_roles "
                    "where rolname = any (:names)"
                ),
                {"names": list(ROLE_NAMES)},
            )
            assert {name: is_strong for name, is_strong in roles} == dict.fromkeys(ROLE_NAMES, False)  # noqa: C416 - rows, no pairs


def test_a_migration_waits_for_no_reader_longer_than_its_lock_timeout(settings: Settings) -> None:
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as reader:
        reader.execute(text("select * from scan"))
        with pytest.raises(Exception, match="lock timeout"):
            migrate.downgrade(settings, "0001")


def test_a_dashboard_role_that_row_security_does_not_hold_is_refused(settings: Settings) -> None:
    with admin_connection(admin_url(settings)) as connection:
        for attribute, fault in (("superuser", "is a superuser"), ("bypassrls", "has BYPASSRLS")):
            connection.execute(f"alter role octaudit_dashboard {attribute}")
            try:
                with pytest.raises(
                    NotAllowedError, match=rf"not held by row-level security: octaudit_dashboard {fault}"
                ):
                    open_database(settings, DatabaseRole.DASHBOARD)
            finally:
                connection.execute(f"alter role octaudit_dashboard no{attribute}")
        connection.execute("grant octaudit_owner to octaudit_dashboard")
        try:
            with pytest.raises(NotAllowedError, match="owns tables or may act as owner"):
                open_database(settings, DatabaseRole.DASHBOARD)
        finally:
            connection.execute("revoke octaudit_owner from octaudit_dashboard")
    with open_database(settings, DatabaseRole.DASHBOARD) as database:
        assert role_faults(database) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"database_owner_url": "postgresql+psycopg://somebody:x@/octaudit"}, "names the user somebody"),
        ({"database_owner_url": "postgresql://octaudit_owner:x@/octaudit"}, r"starts with postgresql://"),
        ({"database_owner_url": "postgresql+psycopg://octaudit_owner:x@/other"}, "name different databases"),
        ({"database_sealer_url": None}, "OCTAUDIT_DATABASE_SEALER_URL is not set, but another role's URL is"),
        ({"database_admin_url": None}, "OCTAUDIT_DATABASE_ADMIN_URL is not set"),
    ],
)
def test_contradictory_urls_are_named(settings: Settings, change: dict[str, str | None], message: str) -> None:
    update = {name: None if value is None else SecretStr(value) for name, value in change.items()}
    with pytest.raises(SettingsError, match=message):
        initialise_database(settings.model_copy(update=update))


def test_a_role_without_a_password_is_not_made(settings: Settings) -> None:
    urls = {
        f"database_{role.name.lower()}_url": secret(database_url(settings, role).set(password=""))
        for role in DatabaseRole
    }
    with pytest.raises(SettingsError, match="OCTAUDIT_DATABASE_OWNER_URL has no password"):
        initialise_database(settings.model_copy(update=urls))


def test_a_server_that_does_not_answer_is_named(settings: Settings) -> None:
    nowhere = make_url("postgresql+psycopg://admin:x@/postgres?host=/nowhere")
    with pytest.raises(ServerError, match="PostgreSQL does not answer"):
        initialise_database(settings.model_copy(update={"database_admin_url": secret(nowhere)}))
    dashboard = make_url("postgresql+psycopg://octaudit_dashboard:x@/octaudit?host=/nowhere")
    with pytest.raises(ServerError, match="PostgreSQL does not answer"):
        open_database(settings.model_copy(update={"database_dashboard_url": secret(dashboard)}), DatabaseRole.DASHBOARD)


def test_the_password_of_a_role_follows_its_url(settings: Settings) -> None:
    worker = database_url(settings, DatabaseRole.WORKER)
    changed = settings.model_copy(update={"database_worker_url": secret(worker.set(password="another"))})
    initialise_database(changed)
    try:
        with open_database(changed, DatabaseRole.WORKER) as database, session_scope(database) as session:
            assert session.scalar(text("select current_user")) == "octaudit_worker"
    finally:
        initialise_database(settings)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=str(worker.query["host"]), user=worker.username, password="another", dbname=worker.database
        )


def test_an_administrator_that_is_no_superuser_can_initialise(settings: Settings, empty_database: Settings) -> None:
    name = f"managed_{uuid.uuid4().hex[:8]}"
    with admin_connection(admin_url(settings)) as connection:
        connection.execute(f"create role {name} login password 'x' createrole createdb")
        connection.execute(f"grant {', '.join(ROLE_NAMES)} to {name} with admin option")
        try:
            admin = admin_url(settings).set(username=name, password="x")
            initialise_database(empty_database.model_copy(update={"database_admin_url": secret(admin)}))
            migrate.upgrade(empty_database)
        finally:
            initialise_database(settings)
            connection.execute(f"drop owned by {name}")
            connection.execute(f"drop role {name}")
