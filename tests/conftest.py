"""What every test may ask for: one embedded PostgreSQL and Redis per run, and a fresh migrated database per test.

Builders of rows are imported with `from builders import make_site` (pyproject.toml puts tests/ on the path; there is
no __init__.py in tests/).

- servers: addresses of the embedded servers (whole run)
- settings: a Settings for this test alone: its own home, database (cloned from the migrated template) and an empty Redis
- owner_database, dashboard_database, worker_database, sealer_database: open with that role's rights
- demo: the demo study as rows in a database of its own, for the whole run: read it, never write to it
- real_data: the folder of real scans; tests marked `real_data` are deselected where there is none
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Every core has a test process already; torch and what the tests start must not take all of them each. This comes
    # before any import of torch, which reads it once.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import audit_watch
import compiled_once
import pytest
import steady
from databases import fresh_settings, server_folder, settings_for
from demo_rows import Demo, write_demo_rows

from core.database import migrate
from core.database.embedded import Addresses, embedded_servers
from core.database.initialise import initialise_database
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.settings import Settings

TEMPLATE = "octaudit_template"
UNSAFE_BUT_FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB",
    "scram_iterations": "1", "max_wal_size": "128MB",
}  # fmt: skip
"""A test database need not survive a power cut, nor keep its passwords from whoever reads its files."""

LONG = {"deployment", "story", "worker"}
"""Folders whose tests start whole programs; the others that do are marked as browser tests."""


def real_data_folder() -> Path | None:
    """The folder of real scans: OCTAUDIT_TEST_DATA, else shared/data beside the checkout; None where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OCTAUDIT_TEST_DATA", beside))
    return folder if folder.is_dir() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this machine has no data for, so that a run's result has no skips to explain; long files first."""
    if real_data_folder() is None:
        without = [item for item in items if item.get_closest_marker("real_data")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    # A file belongs to one test process. Were those of a minute or two the last, one process would wait for the other.
    long = {item.path for item in items if item.get_closest_marker("browser") or LONG & set(item.path.parts)}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session", autouse=True)
def _changes_leave_events() -> Iterator[None]:
    """Whatever a use case changes as the dashboard's role leaves an audit event (audit_watch.py)."""
    audit_watch.watch()
    yield
    audit_watch.unwatch()


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """Every test has engines of its own; what SQLAlchemy compiled for one serves them all (compiled_once.py)."""
    with pytest.MonkeyPatch.context() as patch:
        compiled_once.share_statements(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _clicks_wait_for_the_page() -> Iterator[None]:
    """What a browser test clicks or fills in stands still (steady.py)."""
    with pytest.MonkeyPatch.context() as patch:
        steady.act_on_still_pages(patch)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = real_data_folder()
    assert folder is not None, "mark the test with real_data"
    return folder


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    with server_folder("octaudit-tests-") as home:
        yield home


@pytest.fixture(scope="session")
def servers(server_home: Path) -> Iterator[Addresses]:
    with embedded_servers(server_home, postgres_options=UNSAFE_BUT_FAST) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def database_template(servers: Addresses, server_home: Path) -> str:
    """The name of a database with every migration applied and no rows."""
    settings = settings_for(servers, TEMPLATE, server_home)
    initialise_database(settings)
    migrate.upgrade(settings)
    return TEMPLATE


@pytest.fixture
def settings(servers: Addresses, database_template: str, tmp_path: Path) -> Iterator[Settings]:
    with fresh_settings(servers, database_template, tmp_path) as settings:
        yield settings


@pytest.fixture(scope="session")
def demo(servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with ExitStack() as stack:
        settings = stack.enter_context(fresh_settings(servers, database_template, tmp_path_factory.mktemp("demo")))
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            rows = write_demo_rows(session)
        yield Demo(settings, stack.enter_context(open_database(settings, DatabaseRole.DASHBOARD)), rows)


@pytest.fixture
def owner_database(settings: Settings) -> Iterator[Database]:
    with open_database(settings, DatabaseRole.OWNER) as database:
        yield database


@pytest.fixture
def dashboard_database(settings: Settings) -> Iterator[Database]:
    with open_database(settings, DatabaseRole.DASHBOARD) as database:
        yield database


@pytest.fixture
def worker_database(settings: Settings) -> Iterator[Database]:
    with open_database(settings, DatabaseRole.WORKER) as database:
        yield database


@pytest.fixture
def sealer_database(settings: Settings) -> Iterator[Database]:
    with open_database(settings, DatabaseRole.SEALER) as database:
        yield database
