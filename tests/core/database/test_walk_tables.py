"""Raw SQL as the dashboard's role over every table, as every role at one site: nothing of another site or study is there.

Tables are taken from the metadata, so a new one is walked as soon as it exists.
"""

from dataclasses import dataclass

import pytest
from access_world import World, make_world
from builders import make_member
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from whole_rows import fill_every_table, scope_column, superuser

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.vocabulary import Role

WITHOUT_PLACE = {
    "alembic_version": "the schema's revision",
    "app_user": "people: those of the own sites and studies (test_reading_by_site.py)",
    "audit_check": "what the checks of the whole chain found; names no site",
    "blob": "hashes of bytes; says nothing of whose they are",
    "model_version": "models",
    "rate_term": "names of measures and findings",
    "shared_image": "images that two sites sent, for who sees both (tests/core/store/test_same_image.py)",
    "worker_hour": "the installation's workers; names no site",
    "worker_process": "the installation's workers; names no site",
}
"""Tables with neither site nor study that the dashboard's role may read, and why that shows nothing of a site."""
OF_NO_SITE = {"alert_subscription", "alert_delivery"}
"""A person's own rows, whatever the site."""


@dataclass(frozen=True)
class Walk:
    world: World
    foreign_study_id: int
    tokens: dict[Role, str]


@pytest.fixture
def walk(owner_database: Database, settings: Settings) -> Walk:
    """A row of every table at an own site, at another of the same study, and at one of another study."""
    world = make_world(owner_database)
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.a)
        foreign = session.get_one(tables.Site, world.elsewhere).study_id
        members = {role: make_member(session, role, site=site) for role in Role}
        reviewer_id = members[Role.QC_TECHNICIAN][0].id
    places = [(world.study_id, world.a), (world.study_id, world.b), (foreign, world.elsewhere)]
    fill_every_table(settings, places, person_id=reviewer_id)
    return Walk(world, foreign, {role: token for role, (_, token) in members.items()})


def place_of(table: str) -> tuple[str, bool] | None:
    """The column that says whose a row is, and whether it names a site (else a study); None: neither."""
    if table in {"site", "study"}:
        return "id", table == "site"
    scope = scope_column(tables.Base.metadata.tables[table])
    return None if scope is None else (scope, scope == "site_id")


def readable(database: Database, table: str) -> list[str]:
    """The columns of a table that the connection's role may read."""
    query = text(
        "select a.attname from pg_attribute a where a.attrelid = cast(:table as regclass) and a.attnum > 0 "
        "and not a.attisdropped and has_column_privilege(a.attrelid, a.attname, 'select') order by a.attnum"
    )
    with database.engine.connect() as connection:
        return list(connection.execute(query, {"table": table}).scalars())


def test_no_role_at_one_site_reads_a_row_of_another_in_any_table(
    walk: Walk, dashboard_database: Database, owner_database: Database
) -> None:
    seen: set[str] = set()
    unplaced: set[str] = set()
    names = [table.name for table in tables.Base.metadata.sorted_tables]
    columns = {name: readable(dashboard_database, name) for name in names}
    for role, token in walk.tokens.items():
        with session_scope(dashboard_database, token=token) as session:
            for name in names:
                place = place_of(name)
                if not columns[name] or place is None:
                    unplaced |= {name} if columns[name] else set()
                    continue
                scope, is_of_site = place
                query = f"select distinct {scope} from {name} where {scope} is not null"  # noqa: S608 - table names
                found = set(session.execute(text(query)).scalars())
                allowed = {walk.world.a} if is_of_site else {walk.world.study_id}
                assert found <= allowed, f"{role} reads {name} of {found - allowed}"
                seen |= {name} if found else set()
    assert unplaced <= set(WITHOUT_PLACE), "whose rows are these? Say so above"
    expected = {name for name in names if columns[name] and name not in WITHOUT_PLACE} - OF_NO_SITE
    unseen = expected - seen
    assert not unseen, f"nobody sees the own rows either, so the walk proves nothing: {sorted(unseen)}"


def test_no_role_at_one_site_changes_or_removes_a_row_of_another_in_any_table(
    walk: Walk, dashboard_database: Database
) -> None:
    others = {True: [walk.world.b, walk.world.elsewhere], False: [walk.foreign_study_id]}
    for token in walk.tokens.values():
        for table in tables.Base.metadata.sorted_tables:
            place = place_of(table.name)
            if place is None:
                continue
            scope, is_of_site = place
            column = _changeable(dashboard_database, table.name) or scope
            update = f"update {table.name} set {column} = {column} where {scope} = any(:others)"  # noqa: S608 - table names
            delete = f"delete from {table.name} where {scope} = any(:others)"  # noqa: S608 - table names
            for statement in (update, delete):
                assert _n_touched(dashboard_database, token, statement, others[is_of_site]) == 0, statement


def test_every_row_that_the_walk_needs_is_there(walk: Walk, settings: Settings) -> None:
    with superuser(settings) as connection:
        for table in tables.Base.metadata.sorted_tables:
            scope = scope_column(table)
            if scope is not None:
                query = f"select count(distinct {scope}) from {table.name}"  # noqa: S608 - table names
                row = connection.execute(query).fetchone()  # type: ignore[call-overload]
                assert row is not None
                assert row[0] >= 2, table.name


def _changeable(database: Database, table: str) -> str | None:
    query = text(
        "select a.attname from pg_attribute a where a.attrelid = cast(:table as regclass) and a.attnum > 0 "
        "and not a.attisdropped and has_column_privilege(a.attrelid, a.attname, 'update') limit 1"
    )
    with database.engine.connect() as connection:
        return connection.execute(query, {"table": table}).scalar()


def _n_touched(database: Database, token: str, statement: str, others: list[int]) -> int:
    with database.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("select set_config('octaudit.session', :token, true)"), {"token": token})
        try:
            n = connection.execute(text(statement), {"others": others}).rowcount
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != "42501":  # insufficient_privilege
                raise
            n = 0
        transaction.rollback()
    return n
