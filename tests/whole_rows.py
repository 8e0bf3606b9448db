"""A row in every table of the database for each of the given sites, so that a walk over all tables proves something.

Tables that the builders left empty are filled from what the metadata say of their columns, by the superuser with
triggers and foreign keys switched off and without the checks, in the test's own database: such rows make no sense, but
row-level security asks for their site and study alone. So a new table is walked without anybody naming it here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, DateTime, Float, Interval, LargeBinary, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import make_url

from core.database import tables
from core.settings import Settings

PERSON = "app_user"
SPECIAL: Mapping[str, Mapping[str, object]] = {
    "report": {"kind": "site"},  # of the other kinds some have no site
    "report_schedule": {"kind": "site"},
}
"""Table -> column -> value, where a guess would make a row that a policy takes for another kind."""
RIGHTS = {"site_grant", "api_client"}
"""Rows that would change what the person may see; they are somebody else's."""
LINKED = {("report", "schedule_id")}
"""Columns that may be empty, but whose row nobody would see if they were."""


@contextmanager
def superuser(settings: Settings) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A connection to the test's database with triggers and foreign keys switched off; commits at the end."""
    assert settings.database_admin_url is not None
    assert settings.database_owner_url is not None
    name = make_url(settings.database_owner_url.get_secret_value()).database
    url = make_url(settings.database_admin_url.get_secret_value()).set(database=name)
    with psycopg.connect(**url.get_dialect()().create_connect_args(url)[1]) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection
    connection.close()


def fill_every_table(settings: Settings, places: Sequence[tuple[int, int]], *, person_id: int) -> None:
    """At least one row per table with a site or study, for each (study, site) of ``places``.

    Everything was written by that person, so that a right to the own rows cannot stand in for one to the site.
    """
    with superuser(settings) as connection:
        _drop_checks(connection)
        for table in tables.Base.metadata.sorted_tables:
            column = scope_column(table)
            if column is None:
                continue
            for study_id, site_id in places:
                place = {"site_id": site_id, "study_id": study_id, PERSON: person_id}
                query = sql.SQL("select 1 from {} where {} = %s limit 1").format(
                    sql.Identifier(table.name), sql.Identifier(column)
                )
                if connection.execute(query, [place[column]]).fetchone() is None:
                    _insert(connection, table, place)


def scope_column(table: Table) -> str | None:
    """``site_id`` or else ``study_id``; None for a table that has neither."""
    return next((name for name in ("site_id", "study_id") if name in table.c), None)


def _insert(connection: "psycopg.Connection[tuple[object, ...]]", table: Table, place: Mapping[str, int]) -> None:
    values = {
        column.name: value
        for column in table.columns
        if (value := _value(connection, table, column, place)) is not None
    }
    values |= SPECIAL.get(table.name, {})
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    connection.execute(statement, list(values.values()))


def _drop_checks(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Checks and unique indexes, which a guessed row would meet by chance only; primary keys stay."""
    checks = (
        "select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint "
        "where contype in ('c', 'u') and connamespace = 'public'::regnamespace"
    )
    indexes = (
        "select format('drop index %s', indexrelid::regclass) from pg_index i join pg_class c on c.oid = i.indrelid "
        "where i.indisunique and not i.indisprimary and c.relnamespace = 'public'::regnamespace"
    )
    for query in (checks, indexes):
        for (statement,) in connection.execute(query).fetchall():
            connection.execute(sql.SQL(str(statement)))  # type: ignore[arg-type]


def _value(
    connection: "psycopg.Connection[tuple[object, ...]]", table: Table, column: Column[object], place: Mapping[str, int]
) -> object:
    if column.name in place:
        return place[column.name]
    is_free = column.identity is not None or column.server_default is not None or column.nullable
    if is_free and (table.name, column.name) not in LINKED:
        return None
    for key in column.foreign_keys:
        if key.column.table.name == PERSON and table.name not in RIGHTS:
            return place[PERSON]
        return _neighbour(connection, key.column.table, place)
    word = _allowed_word(table, column)
    if isinstance(column.type, JSONB):
        return Jsonb([] if word == "array" else {})
    # A number in the key tells the rows of two places apart.
    number = place["site_id"] if column.primary_key and isinstance(column.type, BigInteger) else None
    return number or word or _of_type(column)


def _neighbour(connection: "psycopg.Connection[tuple[object, ...]]", parent: Table, place: Mapping[str, int]) -> int:
    """The id of a row of ``parent``, of the same place where it has one."""
    scope = scope_column(parent)
    condition = sql.SQL(" where {} = {}").format(sql.Identifier(scope), place[scope]) if scope else sql.SQL("")
    key = next(iter(parent.primary_key.columns)).name
    query = sql.SQL("select min({}) from {}").format(sql.Identifier(key), sql.Identifier(parent.name)) + condition
    row = connection.execute(query).fetchone()
    return row[0] if row and row[0] is not None else 1  # type: ignore[return-value]


def _allowed_word(table: Table, column: Column[object]) -> str | None:
    """The first word that a check allows for this column, e.g. ``open`` of ``state in ('open', 'done')``."""
    for check in sorted(table.constraints, key=lambda each: str(each.name)):
        if isinstance(check, CheckConstraint):
            found = re.search(rf"\b{column.name}\b[^']*?(?:in\s*\(|=\s*)'([^']+)'", str(check.sqltext))
            if found:
                return found.group(1)
    return None


def _of_type(column: Column[object]) -> object:
    kinds: Sequence[tuple[type, object]] = (
        (BigInteger, 1), (Boolean, False), (Float, 0.5), (DateTime, datetime(2026, 3, 2, tzinfo=UTC)),
        (Date, date(2026, 3, 2)), (Interval, timedelta(days=1)), (LargeBinary, b"x"),
    )  # fmt: skip
    if isinstance(column.type, ARRAY):
        return []
    for kind, value in kinds:
        if isinstance(column.type, kind):
            return value
    length = getattr(column.type, "length", None)
    return "0" * length if length else f"x{column.name}"
