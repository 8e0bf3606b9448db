"""Who is let into the API: sessions, programs with scopes, nobody else; and what ends a program at once."""

import re
from collections.abc import Callable

import pytest
from api_clients import make_client
from builders import login_token, make_grant, make_user
from clinics import Clinics
from fastapi.routing import APIRoute
from sqlalchemy import select, text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.log_in import csrf_token_for
from core.vocabulary import ApiScope, Role
from dashboard.api.app import ROUTERS, build_api
from dashboard.api.limit import OnceAnHour, RequestLimit, TooManyRequestsError
from dashboard.gate import session_cookie_name
from dashboard.installation import Installation

Client = Callable[[str], TestClient]
ROUTES = [
    (route.path, method)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
SCOPELESS = {"/session"}
"""What any program may ask."""


@pytest.fixture
def admin(owner_database: Database, clinics: Clinics) -> str:
    """The token of the study's administrator, who makes the programs."""
    with session_scope(owner_database) as session:
        user = make_user(session)
        make_grant(session, user, Role.ADMIN, study=session.get_one(tables.Study, clinics.study_id))
        return login_token(session, user)


@pytest.fixture
def token_of(installation: Installation, clinics: Clinics, admin: str) -> Callable[..., str]:
    """``token_of(scopes=[...], site_id=...)``: a program's token."""
    return lambda **changes: make_client(installation.database, admin, **{"study_id": clinics.study_id} | changes).token


def address(path: str) -> str:
    """A path with something in each place."""
    return re.sub(r"{(\w+)}", lambda name: {"type": "motion", "reason": "oscar-mp:M"}.get(name[1], "1"), path)


def test_no_route_answers_without_session_or_token(api: Starlette) -> None:
    with TestClient(api, base_url="http://octaudit.test/api/v1") as client:
        for path, method in [*ROUTES, ("/openapi.json", "GET")]:
            assert client.request(method, address(path)).status_code == 401, path


@pytest.mark.parametrize(
    "header", ["Bearer forged", "Bearer octa.00000000.forged", "Bearer", "Bearer ", "bearer x", "Basic dTpw"]
)
def test_a_forged_token_opens_nothing(api: Starlette, header: str) -> None:
    with TestClient(api, base_url="http://octaudit.test/api/v1", headers={"Authorization": header}) as client:
        for path, method in ROUTES[::7]:
            answer = client.request(method, address(path))
            assert answer.status_code == 401, path
            assert set(answer.json()) == {"code", "message", "remedy"}


def test_every_route_asks_for_a_scope(installation: Installation) -> None:
    """The schema says which; a route that asked for none would be open to every program."""
    document = build_api(installation).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            (scopes,) = {tuple(scheme["token"]) for scheme in operation["security"] if "token" in scheme}
            assert bool(scopes) == (path not in SCOPELESS), (path, method)
            assert set(scopes) <= set(ApiScope)
            kind = "read:" if method == "get" else "write:"
            assert all(scope.startswith(kind) for scope in scopes), (path, method)


def test_a_program_does_nothing_outside_its_scopes(
    program: Client, token_of: Callable[..., str], installation: Installation, owner_database: Database
) -> None:
    client = program(token_of(scopes=[ApiScope.READ_PLACES]))
    document = build_api(installation).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scopes = next(scheme["token"] for scheme in operation["security"] if "token" in scheme)
            if scopes in ([], [ApiScope.READ_PLACES]):
                continue
            answer = client.request(method, address(path))
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), (path, method)
            assert scopes[0] in answer.json()["message"]
    assert client.get("/studies").status_code == 200
    with session_scope(owner_database) as session:
        refused = session.scalars(
            select(tables.AuditEvent.after).where(tables.AuditEvent.action == "api_client.refused")
        ).all()
    assert sorted(each["scope"] for each in refused) == sorted(set(ApiScope) - {ApiScope.READ_PLACES}), "each once"


def test_a_program_sees_nothing_of_another_site(
    program: Client, token_of: Callable[..., str], clinics: Clinics
) -> None:
    client = program(token_of(site_id=clinics.site_id, roles=[Role.QC_TECHNICIAN, Role.SITE_TECHNICIAN]))
    sites = client.get(f"/studies/{clinics.study_id}/sites").json()["items"]
    assert [site["id"] for site in sites] == [clinics.site_id]
    seen = client.get("/scans").json()["items"]
    assert {scan["site_id"] for scan in seen} == {clinics.site_id}
    assert len(seen) == 3
    assert client.get("/scans", params={"site": clinics.other_site_id}).json()["items"] == []
    assert client.get(f"/scans/{clinics.other_id}").status_code == 404
    assert client.get(f"/scans/{clinics.other_id}/image.png").status_code == 404
    answer = client.post(f"/scans/{clinics.other_id}/accept", json={"seen_version": 0})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_program_decides_without_a_csrf_token_and_stands_in_the_history(
    program: Client, token_of: Callable[..., str], clinics: Clinics, owner_database: Database
) -> None:
    client = program(token_of(scopes=[ApiScope.READ_SCANS, ApiScope.WRITE_DECISIONS]))
    seen = client.get(f"/scans/{clinics.flagged_id}").json()
    stale = client.post(
        f"/scans/{clinics.flagged_id}/query", json={"seen_version": seen["version"] + 1, "question": "Which eye?"}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_record")
    done = client.post(
        f"/scans/{clinics.flagged_id}/query", json={"seen_version": seen["version"], "question": "Which eye?"}
    )
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "queried"
    assert done.json()["version"] > seen["version"]
    history = client.get(f"/scans/{clinics.flagged_id}").json()["history"]
    assert "Image archive (API)" in {entry["who"] for entry in history}
    with session_scope(owner_database) as session:
        actor = session.scalars(
            select(tables.AuditEvent.actor_id).where(tables.AuditEvent.entity_id == clinics.flagged_id)
        ).all()
        assert session.scalars(select(tables.ApiClient.user_id)).one() in actor


def test_a_cookie_alone_changes_nothing_beside_a_token_it_counts_for_nothing(
    api: Starlette, installation: Installation, clinics: Clinics, token_of: Callable[..., str]
) -> None:
    name = session_cookie_name(installation.settings)
    base, path = "http://octaudit.test/api/v1", f"/scans/{clinics.flagged_id}/accept"
    with TestClient(api, base_url=base, cookies={name: clinics.reviewer}) as client:
        assert "X-Octaudit-CSRF" in client.post(path, json={"seen_version": 0}).json()["message"]
        client.headers["Authorization"] = f"Bearer {token_of(scopes=[ApiScope.READ_SCANS])}"
        client.headers["X-Octaudit-CSRF"] = csrf_token_for(clinics.reviewer)
        assert "write:decisions" in client.post(path, json={"seen_version": 0}).json()["message"]
        client.headers["Authorization"] = "Bearer octa.00000000.forged"
        assert client.get("/session").status_code == 401, "a session does not stand in for a wrong token"


def test_a_programs_token_is_no_session_for_pages(
    api: Starlette, installation: Installation, token_of: Callable[..., str]
) -> None:
    token = token_of()
    cookies = {session_cookie_name(installation.settings): token}
    with TestClient(api, base_url="http://octaudit.test", cookies=cookies, follow_redirects=False) as client:
        assert client.get("/api/v1/session").status_code == 401
        assert client.get("/scan?id=1").status_code == 303, "to the form"
        assert client.get("/scan?id=1", headers={"Authorization": f"Bearer {token}"}).status_code == 303


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("update session set revoked_at = now() where user_id = {client}", "revoked"),
        ("update session set expires_at = now() - interval '1 s' where user_id = {client}", "expired"),
        ("update app_user set disabled_at = now() where id = {owner}", "no rights left"),
        ("update site_grant set revoked_at = now() where user_id = {owner}", "no rights left"),
    ],
)
def test_a_program_ends_between_two_requests(
    program: Client, token_of: Callable[..., str], owner_database: Database, change: str, word: str
) -> None:
    client = program(token_of())
    assert client.get("/scans").status_code == 200
    with session_scope(owner_database) as session:
        found = session.scalars(select(tables.ApiClient)).one()
        session.execute(text(change.format(client=found.user_id, owner=found.owner_id)))
    answer = client.get("/scans")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
    assert word in answer.json()["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_who_sends_too_much_is_told_when_to_go_on(
    api: Starlette, program: Client, token_of: Callable[..., str], person: Client, clinics: Clinics
) -> None:
    api.routes[0].app.state.limit.per_minute = 2
    first, second = program(token_of()), program(token_of(name="Another"))
    assert [first.get("/session").status_code for _ in range(3)] == [200, 200, 429]
    refused = first.get("/scans")
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert second.get("/session").status_code == 200, "each program has its own share"
    people = person(clinics.manager)
    assert [people.get("/session").status_code for _ in range(4)] == [200] * 4, "people are not counted"


class TestLimit:
    def test_a_bucket_fills_evenly(self) -> None:
        moment = [0.0]
        limit = RequestLimit(60, clock=lambda: moment[0])
        for _ in range(60):
            limit.take("a")
        with pytest.raises(TooManyRequestsError) as refused:
            limit.take("a")
        assert refused.value.retry_after_s == 1
        moment[0] = 1.01
        limit.take("a")
        with pytest.raises(TooManyRequestsError):
            limit.take("a")
        moment[0] = 3600.0
        for _ in range(60):
            limit.take("a")
        with pytest.raises(TooManyRequestsError):
            limit.take("a")

    def test_a_refusal_is_noted_once_an_hour(self) -> None:
        moment = [0.0]
        noted = OnceAnHour(clock=lambda: moment[0])
        assert [noted.is_due("a"), noted.is_due("a"), noted.is_due("b")] == [True, False, True]
        moment[0] = 3600.0
        assert noted.is_due("a")
