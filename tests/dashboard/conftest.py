"""A dashboard over a fresh database with the rows of clinics.py.

- installation: the opened parts, as the server has them (no broker)
- clinics: the rows, and a token per person
- client_of: a browser-like client of the server's own routes behind its gate, signed in by a token or not at all
- app_page, page_of: Streamlit's AppTest on a page, as one of the people
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from builders import MONDAY
from clinics import Clinics, build_clinics
from deep_link import opened
from starlette.applications import Starlette
from starlette.testclient import TestClient
from stopped_clock import stop_clock
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

import dashboard.session
from core.broker import NullBell
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from dashboard.installation import Installation, install
from dashboard.server import own_middleware, own_routes

APP = Path(dashboard.session.__file__).with_name("app.py")


@pytest.fixture
def installation(settings: Settings, dashboard_database: Database) -> Installation:
    opened = Installation(settings, dashboard_database, open_blob_store(settings), NullBell())
    install(opened)
    return opened


@pytest.fixture
def clinics(owner_database: Database, installation: Installation) -> Clinics:
    with session_scope(owner_database) as session:
        return build_clinics(session, installation.blobs)


@pytest.fixture
def client_of(installation: Installation) -> Iterator[Callable[..., TestClient]]:
    app = Starlette(routes=own_routes(installation), middleware=own_middleware(installation))
    with ExitStack() as stack:

        def client(token: str | None = None) -> TestClient:
            cookies = {"octaudit_session": token} if token else {}
            return stack.enter_context(TestClient(app, cookies=cookies, follow_redirects=False))

        yield client


@pytest.fixture(autouse=True)
def pages_run_below_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest resets the flag that ``install`` sets, and would run pages without app.py; here it resets a copy's."""

    class OwnFlag(PagesManager):
        pass

    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", OwnFlag)


@pytest.fixture(scope="session", autouse=True)
def _components_are_looked_for_once() -> Iterator[None]:
    """Every AppTest searches all installed packages for components, half a second each time."""
    once = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture
def app_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """``app_page(token, "pages/scan.py", id=7)``: the page over whatever is installed, as a link from outside opens it."""

    def page(token: str, path: str = "pages/overview.py", **query: object) -> AppTest:
        monkeypatch.setattr(dashboard.session, "session_token", lambda: token)
        test = AppTest.from_file(APP, default_timeout=60)
        for name, value in query.items():
            test.query_params[name] = str(value)
        return test.run() if path == "pages/overview.py" else opened(test, path)

    return page


@pytest.fixture
def page_of(
    clinics: Clinics, monkeypatch: pytest.MonkeyPatch, app_page: Callable[..., AppTest]
) -> Callable[..., AppTest]:
    """``page_of(token, "pages/scan.py", id=7)``: the page, three weeks after the builders' Monday."""
    stop_clock(monkeypatch, MONDAY + timedelta(days=20))
    return app_page
