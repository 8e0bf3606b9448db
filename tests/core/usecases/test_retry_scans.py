"""A site has its own batch's failed scans scored again, as the dashboard's role; nobody else's, and no quarantined one."""

import pytest
from access_world import World, make_world
from builders import make_batch, make_scan
from sqlalchemy import select

from core.broker import NullBell
from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.store.access import current_actor
from core.store.batch_page import retry_failed
from core.usecases.retry_scans import retry_batch


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


@pytest.fixture
def batch(owner_database: Database, world: World) -> tuple[int, int, int]:
    """A batch of site a with its failed and its quarantined scan."""
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.a)
        row = make_batch(session, site)
        failed = make_scan(session, site, batch=row, state="failed", failure="told to fail", attempts=5)
        lost = make_scan(session, site, batch=row, state="quarantined", failure="crashed", worker_losses=3)
        return row.id, failed.id, lost.id


def retry_as(dashboard: Database, world: World, name: str, batch_id: int) -> int:
    with session_scope(dashboard, token=world.tokens[name]) as session:
        actor = current_actor(session)
        assert actor is not None
        return retry_batch(session, actor=actor, bell=NullBell(), batch_id=batch_id)


@pytest.mark.parametrize("name", ["technician", "qc"])
def test_an_uploader_of_the_site_has_failed_scans_scored_again_and_it_is_on_record(
    owner_database: Database, dashboard_database: Database, world: World, batch: tuple[int, int, int], *, name: str
) -> None:
    batch_id, failed, lost = batch
    assert retry_as(dashboard_database, world, name, batch_id) == 1
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, failed)
        assert (scan.state, scan.attempts, scan.failure) == ("queued", 0, None)
        assert session.get_one(tables.Scan, lost).state == "quarantined"
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.queued_again")).one()
    assert (event.actor_id, event.entity_id) == (world.users[name], failed)
    assert event.before == {"state": "failed", "failure": "told to fail"}
    with pytest.raises(UsageError, match="No scan of batch"):
        retry_as(dashboard_database, world, name, batch_id)


@pytest.mark.parametrize(("name", "error"), [("grader", NotAllowedError), ("manager", NotAllowedError)])
def test_who_may_not_upload_there_does_not_retry_there(
    dashboard_database: Database, world: World, batch: tuple[int, int, int], *, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        retry_as(dashboard_database, world, name, batch[0])


def test_another_sites_batch_does_not_exist_for_a_technician(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.b)
        row = make_batch(session, site)
        scan_id = make_scan(session, site, batch=row, state="failed").id
        batch_id = row.id
    with pytest.raises(NotFoundError):
        retry_as(dashboard_database, world, "technician", batch_id)
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        assert retry_failed(session, batch_id) == (), "the database's function holds the same line"
    with session_scope(owner_database) as session:
        assert session.get_one(tables.Scan, scan_id).state == "failed"
