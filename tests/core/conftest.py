"""What the tests of the use cases share with those of the database."""

import pytest
from desk import Desk
from lane import make_scene

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store


@pytest.fixture
def desk(owner_database: Database, worker_database: Database, dashboard_database: Database, settings: Settings) -> Desk:
    with session_scope(owner_database) as session:
        scene = make_scene(session, open_blob_store(settings))
    return Desk(owner_database, worker_database, dashboard_database, settings, scene)
