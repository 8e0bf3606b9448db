"""The press of the report tests."""

from collections.abc import Iterator

import pytest
from access_world import make_world
from mail_server import FreePort, Mailbox
from report_press import Press

from core.database.session import Database
from core.settings import Settings
from core.storage import open_blob_store


@pytest.fixture
def press(
    owner_database: Database, dashboard_database: Database, worker_database: Database, settings: Settings
) -> Iterator[Press]:
    box = Mailbox()
    controller = FreePort(box, hostname="127.0.0.1", port=0)
    controller.start()
    mail = {"smtp_host": "127.0.0.1", "smtp_port": controller.port, "smtp_security": "none"}
    mailing = settings.model_copy(update=mail | {"public_url": "https://octaudit.example.org"})
    blobs = open_blob_store(settings)
    world = make_world(owner_database)
    yield Press(owner_database, dashboard_database, worker_database, mailing, blobs, world, box)
    controller.stop()
