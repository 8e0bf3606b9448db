"""The API as the server mounts it, over the clinics and over the demo study.

- api_of: ``api_of(installation)``: the API behind its gate
- person, program: a client of it signed in by a session token, or with a program's token
- demo_api: the same over the demo study, the morning after it, as its manager; read only
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from demo_rows import TODAY, Demo
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from stopped_clock import stop_clock

from core.broker import NullBell
from core.storage import open_blob_store
from core.usecases.administer_clients import find_caller
from core.usecases.log_in import csrf_token_for
from dashboard.api.app import build_api
from dashboard.gate import Gate, session_cookie_name
from dashboard.installation import Installation
from dashboard.session import actor_of

ApiOf = Callable[[Installation], Starlette]


def mount(installation: Installation) -> Starlette:
    """As dashboard.server does."""
    gate = Middleware(
        Gate,
        settings=installation.settings,
        find_actor=lambda token: actor_of(installation.database, token),
        find_caller=lambda token: find_caller(installation.database, token),
    )
    return Starlette(routes=[Mount("/api/v1", app=build_api(installation))], middleware=[gate])


def person_of(app: Starlette, installation: Installation, token: str) -> TestClient:
    """A browser-like client with a session."""
    cookies = {session_cookie_name(installation.settings): token}
    headers = {"X-Octaudit-CSRF": csrf_token_for(token)}
    return TestClient(
        app, base_url="http://octaudit.test/api/v1", cookies=cookies, headers=headers, follow_redirects=False
    )


def program_of(app: Starlette, token: str) -> TestClient:
    """A program with its token."""
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(app, base_url="http://octaudit.test/api/v1", headers=headers, follow_redirects=False)


@pytest.fixture
def api(installation: Installation) -> Starlette:
    return mount(installation)


@pytest.fixture
def person(api: Starlette, installation: Installation) -> Iterator[Callable[[str], TestClient]]:
    with ExitStack() as stack:
        yield lambda token: stack.enter_context(person_of(api, installation, token))


@pytest.fixture
def program(api: Starlette) -> Iterator[Callable[[str], TestClient]]:
    with ExitStack() as stack:
        yield lambda token: stack.enter_context(program_of(api, token))


@pytest.fixture
def demo_api(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    stop_clock(monkeypatch, TODAY)
    installation = Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell())
    with person_of(mount(installation), installation, demo.rows.manager) as client:
        yield client
