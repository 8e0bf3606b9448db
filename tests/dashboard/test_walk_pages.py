"""Every page and every route as every role at one site: not a word, name or number of another site reaches the person.

Pages are taken from dashboard.navigation and routes from the server itself, so new ones are walked at once. Everything
that the other sites hold carries a mark; what is drawn or answered is searched for it, byte by byte.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from builders import MONDAY, make_device, make_grant, make_member, make_site, make_study, make_technician, make_user
from fastapi import FastAPI
from named_rows import make_named_rows
from scored_scans import make_scored_capture
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from core.database import tables
from core.database.session import Database, session_scope
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.vocabulary import ArtifactType, Role
from dashboard.installation import Installation
from dashboard.navigation import PAGES
from dashboard.server import own_routes

MARK = "Zanzibar"
"""In every name of the other sites, and in nothing else."""


@dataclass(frozen=True)
class Neighbours:
    """An own site, another of the same study and one of another study; the last two carry the mark."""

    tokens: dict[Role, str]
    scan_id: int
    other: dict[str, int]
    """Parameter of a route or page -> the id of such a thing at the other site."""


@pytest.fixture
def neighbours(owner_database: Database, installation: Installation) -> Neighbours:
    with session_scope(owner_database) as session:
        study, foreign = make_study(session), make_study(session, code=f"{MARK}-ST", name=f"Study of {MARK}")
        own = make_site(session, study)
        scan = _fill(session, installation, own, "own")
        others = [
            _fill(
                session,
                installation,
                make_site(session, parent, code=f"{MARK}-{n}", name=f"{MARK} clinic"),
                f"{MARK}-{n}",
            )
            for n, parent in enumerate((study, foreign))
        ]
        other = others[0]
        ids = {
            "scan_id": other.id, "site_id": other.site_id, "batch_id": other.batch_id, "study_id": foreign.id,
            "file_id": session.scalars(
                select(tables.BatchFile.id).where(tables.BatchFile.site_id == other.site_id)
            ).first() or 10**6,
            "capture_id": other.acquisition_id,
        }  # fmt: skip
        tokens = {role: make_member(session, role, site=own)[1] for role in Role}
        return Neighbours(tokens, scan.id, ids)


def _fill(session: Session, installation: Installation, site: tables.Site, mark: str) -> tables.Scan:
    """A flagged scan with everything that hangs on it, each with the mark in its name."""
    device = make_device(session, site, code=f"{mark}-A", model=f"Model {mark}", serial=f"SN {mark}")
    person = make_user(session, name=f"{mark}.tech".lower(), display_name=f"Person {mark}")
    technician = make_technician(session, site, code=f"{mark}-T", name=f"Name {mark}", user_id=person.id)
    make_grant(session, person, Role.SITE_TECHNICIAN, site=site)
    scan = make_scored_capture(
        session, installation.blobs, site, device=device, ordinal=0, artifact=ArtifactType.MOTION, days=7,
        acquired={"technician_id": technician.id},
    )  # fmt: skip
    session.execute(
        text("update subject set code = :code where site_id = :site"), {"code": f"{mark}-P", "site": site.id}
    )
    record_event(
        session, actor=PROGRAM, action="test", entity="scan", entity_id=scan.id, study_id=site.study_id, site_id=site.id,
        reason=f"because of {mark}",
    )  # fmt: skip
    return scan


def drawn(page: AppTest) -> bytes:
    """Everything that the page sent to the browser."""

    def walk(block: Block) -> Iterator[bytes]:
        for child in block.children.values():
            if isinstance(child, Block):
                yield from walk(child)
            if getattr(child, "proto", None) is not None:
                yield child.proto.SerializeToString()

    return b"\n".join(part for root in (page.main, page.sidebar) for part in walk(root))


@pytest.mark.parametrize("role", list(Role))
def test_no_page_shows_a_role_at_one_site_anything_of_another(
    neighbours: Neighbours, app_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    stop_clock(monkeypatch, MONDAY + timedelta(days=20))
    page = app_page(neighbours.tokens[role])
    other = neighbours.other
    asked = {
        "id": other["scan_id"], "site": other["site_id"], "study": other["study_id"], "batch": other["batch_id"],
        "scan": other["scan_id"], "unit": other["site_id"], "capture": other["capture_id"],
    }  # fmt: skip
    for each in PAGES:
        if role not in each.roles:
            continue
        page.switch_page(each.path)
        for query in ({}, {"id": neighbours.scan_id}, asked):
            page.query_params.clear()
            for name, value in query.items():
                page.query_params[name] = str(value)
            page.run()
            assert not page.exception, (each.title, query, page.exception[0].value)
            assert MARK.encode() not in drawn(page), f"{each.title} shows a {role} something of another site"


OF_A_STUDY = {"round_id", "re_evaluation_id", "rescoring_id", "bulk_id", "model_id"}
"""Things of a whole study, which whoever keeps one of its sites may see; what they hold of other sites is not shown."""


def ids_of_all_kinds(owner: Database, neighbours: Neighbours) -> dict[str, int]:
    """A thing of every kind at the other site of the same study, so that no route ends at an id that nothing has."""
    with session_scope(owner) as session:
        scan = session.get_one(tables.Scan, neighbours.other["scan_id"])
        found = make_named_rows(session, scan, make_user(session).id)
    return found | neighbours.other | {"file_id": found["file_id"]}


def routes(found: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, those of mounted applications included."""
    for route in found:
        if isinstance(route, Mount):
            inner = route.app.routes if isinstance(route.app, FastAPI) else route.routes
            yield from routes(list(inner), f"{prefix}{route.path}")
        elif isinstance(route, Route) or hasattr(route, "methods"):
            for method in sorted(getattr(route, "methods", None) or {"GET"}):
                yield method, f"{prefix}{getattr(route, 'path', '')}"


def test_no_route_answers_a_role_at_one_site_with_anything_of_another(
    neighbours: Neighbours,
    installation: Installation,
    client_of: Callable[..., TestClient],
    owner_database: Database,
) -> None:
    found = sorted(set(routes(own_routes(installation))))
    walkable = [each for each in found if each[0] not in {"HEAD", "OPTIONS"} and each[1] not in {"/logout", "/metrics"}]
    other = ids_of_all_kinds(owner_database, neighbours)
    named = {name for _, pattern in walkable for name in re.findall(r"{(\w+_id)", pattern)}
    assert named <= other.keys(), "a new kind of id: make such a row in tests/named_rows.py"
    walked = 0
    for role, token in neighbours.tokens.items():
        client = client_of(token)
        csrf = client.get("/api/v1/session").json()["csrf_token"]
        for method, pattern in walkable:
            path = _with_ids(pattern, other)
            body = {} if method == "GET" else {"json": {}}
            answer = client.request(method, path, headers={"X-Octaudit-CSRF": csrf}, **body)
            assert MARK not in answer.text, f"{method} {pattern} tells a {role} of another site"
            own_ids = set(re.findall(r"{(\w+_id)", pattern))
            is_of_a_study = bool(own_ids) and own_ids <= OF_A_STUDY
            if path != pattern and not is_of_a_study and not pattern.startswith("/api/v1/studies"):
                assert answer.status_code >= 400, f"{method} {pattern} answers a {role} about another site's thing"
            if method == "GET":
                narrowed = client.get(path, params={"site": neighbours.other["site_id"]})
                assert MARK not in narrowed.text, f"{pattern}?site= tells a {role} of another site"
            walked += 1
    assert walked > 6 * 40, "the routes were found"


def _with_ids(pattern: str, ids: dict[str, int]) -> str:
    """The path with the other site's ids; what is no id of a known thing gets a number that nothing has."""
    path = pattern
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        path = f"{before}{ids.get(name.partition(':')[0], 10**6)}{after}"
    return path


def test_the_mark_would_be_found(
    neighbours: Neighbours, app_page: Callable[..., AppTest], owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        token = make_member(session, Role.ADMIN)[1]
    page = app_page(token)
    assert MARK.encode() in drawn(page)
