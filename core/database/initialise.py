"""Give a cluster octaudit's roles and database. Makes no tables.

Roles belong to the whole cluster, so `octaudit database init` makes them, never a migration: four processes altering
one role failed with "tuple concurrently updated" in 35 of 120 tries. An advisory lock lets one at a time do it.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from core.database.addresses import admin_url, database_url
from core.database.roles import ROLE_NAMES, DatabaseRole
from core.errors import ServerError, SettingsError
from core.settings import Settings

ROLES_LOCK = 0x0C7A_0D17_0001
"""Key of the advisory lock under which roles and databases are made (any number, the same everywhere)."""


def initialise_database(settings: Settings) -> None:
    """Make the four roles with the passwords of their URLs, and the database; harmless when repeated or raced."""
    urls = {role: database_url(settings, role) for role in DatabaseRole}
    names = {url.database for url in urls.values()}
    if len(names) != 1 or None in names:
        raise SettingsError(
            "The URLs of the database roles name different databases.", remedy="Give all four the same database."
        )
    admin = admin_url(settings)
    with admin_connection(admin) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ROLES_LOCK])
        for role, url in urls.items():
            _make_role(connection, role, url.password or "")
        create_database(connection, str(names.pop()))


def create_database(connection: "psycopg.Connection[Any]", name: str, *, template: str | None = None) -> None:
    """Make a database owned by the owner role that only the four roles may enter; nothing to do where it exists."""
    if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is None:
        statement = sql.SQL("create database {} owner {}").format(
            sql.Identifier(name), sql.Identifier(DatabaseRole.OWNER)
        )
        if template is not None:
            # file_copy: 60 ms against 250 for the default through the write-ahead log, measured on a busy machine.
            statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
        connection.execute(statement)
    database = sql.Identifier(name)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    roles = sql.SQL(", ").join(map(sql.Identifier, ROLE_NAMES))
    connection.execute(sql.SQL("grant connect on database {} to {}").format(database, roles))


@contextmanager
def admin_connection(url: URL) -> Iterator["psycopg.Connection[Any]"]:
    """An autocommitting connection as the administrator."""
    arguments: MutableMapping[str, Any] = url.get_dialect()().create_connect_args(url)[1]
    try:
        connection = psycopg.connect(**arguments, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise ServerError(
            f"PostgreSQL does not answer: {str(error).strip()}",
            remedy="Start it (`octaudit up` starts the embedded one) or correct the URL.",
        ) from error
    with connection:
        yield connection
    connection.close()


def _make_role(connection: "psycopg.Connection[Any]", role: DatabaseRole, password: str) -> None:
    if not password:
        raise SettingsError(
            f"OCTAUDIT_DATABASE_{role.name}_URL has no password.", remedy="Put one in: the role is made with it."
        )
    # Sent as a SCRAM verifier, so that no statement, and no log of statements, ever holds the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    is_there = connection.execute("select 1 from pg_roles where rolname = %s", [role.value]).fetchone() is not None
    connection.execute(
        sql.SQL("{} role {} with login password {}").format(
            sql.SQL("alter" if is_there else "create"), sql.Identifier(role), sql.Literal(verifier)
        )
    )
    if role is DatabaseRole.DASHBOARD:
        # Pages ask for few rows out of many. With the defaults, made for turning disks, the planner walks whole tables
        # instead (200,000 scans: 450 ms against 180 ms for the worklist), and compiling costs more than it saves. It
        # cannot know how many sites a person sees, takes them for few, and intersects a bitmap of all their rows with
        # every probe (900 devices: 5 s against 0.1 s): so no bitmaps. A year's captures are sorted in memory.
        for setting, value in (
            ("random_page_cost", "1.1"), ("jit", "off"), ("enable_bitmapscan", "off"), ("work_mem", "32MB"),
        ):  # fmt: skip
            statement = sql.SQL("alter role {} set {} = {}")
            connection.execute(statement.format(sql.Identifier(role), sql.Identifier(setting), sql.Literal(value)))
    if role is DatabaseRole.OWNER and not is_there:
        # An administrator that is no superuser may only give a database to a role it belongs to.
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
