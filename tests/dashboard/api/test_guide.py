"""docs/api.md keeps its word: its examples run, every page has its routes there, and every scope is explained."""

import json
import re
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from api_clients import make_client
from builders import login_token, make_grant, make_user
from clinics import Clinics
from starlette.applications import Starlette

from core.database import tables
from core.database.session import Database, session_scope
from core.vocabulary import ApiScope, Role
from dashboard.api.app import build_api
from dashboard.installation import Installation
from dashboard.navigation import PAGES

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```bash\n(.*?)\n```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
EXAMPLE_HOST = "https://octaudit.example.org"


def table_below(heading: str) -> dict[str, str]:
    """First column: second column, of the table below a heading or column title."""
    rows = GUIDE[GUIDE.index(heading) :].split("\n\n")[1 if heading.startswith("#") else 0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|", 1)] for row in rows if row.startswith("|")]
    return dict(cells[2:])


def test_every_page_names_its_routes_or_why_it_has_none(installation: Installation) -> None:
    routes = build_api(installation).openapi()["paths"]
    served, silent = table_below("## Page by page"), table_below("## Pages without a route")
    assert {page.title for page in PAGES} == served.keys() | silent.keys(), "docs/api.md: a page came or went"
    assert not served.keys() & silent.keys()
    assert all(reason.endswith(".") for reason in silent.values())
    for page, words in served.items():
        named = re.findall(r"`([^`]+)`", words)
        assert named, page
        assert set(named) <= set(routes), page


def test_every_scope_is_explained() -> None:
    explained = table_below("| scope | lets it |")
    assert [name.strip("`") for name in explained] == list(ApiScope)


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The app under uvicorn, on a port of its own."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.02)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def token(installation: Installation, clinics: Clinics, owner_database: Database) -> str:
    """Of a program with every scope; a study's administrator answers for it."""
    with session_scope(owner_database) as session:
        user = make_user(session)
        make_grant(session, user, Role.ADMIN, study=session.get_one(tables.Study, clinics.study_id))
        admin = login_token(session, user)
    return make_client(
        installation.database, admin, study_id=clinics.study_id,
        roles=[Role.QC_TECHNICIAN, Role.SITE_TECHNICIAN, Role.MANAGER],
    ).token  # fmt: skip


def test_the_examples_of_the_guide_run(api: Starlette, token: str, clinics: Clinics, owner_database: Database) -> None:
    assert len(EXAMPLES) == 7
    with session_scope(owner_database) as session:
        version = session.get_one(tables.Scan, clinics.flagged_id).version
    with served(api) as address:
        for example in EXAMPLES:
            written = example.replace(EXAMPLE_HOST, address).replace("$OCTAUDIT_TOKEN", token)
            written = written.replace("/scans/1/", f"/scans/{clinics.flagged_id}/")
            written = written.replace("/studies/1/", f"/studies/{clinics.study_id}/")
            written = written.replace('"seen_version": 0', f'"seen_version": {version}')
            arguments = shlex.split(written)
            assert arguments[0] == "curl"
            command = [*arguments, "--fail-with-body", "--noproxy", "*"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (example, done.stdout, done.stderr)
            assert json.loads(done.stdout), example
