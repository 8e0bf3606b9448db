"""The gate: without a session nobody gets past the door, over HTTP and over websockets."""

import pytest
from clinics import Clinics
from sqlalchemy import text
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from core.database.session import Database, session_scope
from core.settings import Settings
from dashboard.gate import SECURITY_HEADERS, safe_next, session_cookie_name


def test_a_page_sends_a_stranger_to_the_door_and_back_afterwards(client_of):
    client = client_of()
    assert client.get("/").headers["location"] == "/login"
    for path in ("/overview", "/worklist?site=3", "/scan?id=1"):
        response = client.get(path)
        assert response.status_code == 303
        assert client.get(response.headers["location"]).text.count(f'value="{path}"') == 1


def test_programs_are_told_401_instead(client_of):
    client = client_of()
    for path in ("/scans/1/image.png", "/api/v1/session", "/_stcore/host-config", "/media/x.png"):
        response = client.get(path)
        assert response.status_code == 401, path
        assert response.json()["remedy"] == "Sign in at /login."


def test_no_change_gets_through_without_a_session(client_of):
    client = client_of()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/api/v1/batches").status_code == 401, method


def test_a_forged_cookie_is_no_session(client_of):
    client = client_of()
    for cookie in ("", "octaudit_session=", "octaudit_session=forged", "octaudit_session=\x7f\\;=,;"):
        assert client.get("/scan", headers={"cookie": cookie}).status_code == 303, cookie


def test_a_websocket_without_a_session_is_refused(client_of):
    with pytest.raises(WebSocketDisconnect) as refused, client_of().websocket_connect("/_stcore/stream"):
        pass
    assert refused.value.code == 1008


def test_a_session_passes_and_a_revoked_one_does_not(client_of, clinics: Clinics, owner_database: Database):
    client = client_of(clinics.manager)
    assert client.get("/worklist").status_code == 200
    with session_scope(owner_database) as session:
        session.execute(text("update session set revoked_at = now()"))
    assert client.get("/worklist").status_code == 303


def test_the_first_page_is_found_by_its_name_too(client_of, clinics: Clinics):
    answer = client_of(clinics.manager).get("/overview?site=3")
    assert answer.headers["location"] == "/?site=3"


def test_every_page_loads_what_watches_its_connection_before_streamlit_opens_a_socket(client_of, clinics: Clinics):
    for path in ("/", "/worklist"):
        page = client_of(clinics.manager).get(path).text
        assert 0 < page.index('<script src="/brand/open_page.js">') < page.index('<script type="module"')
    answer = client_of().get("/brand/open_page.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


def test_a_password_made_by_somebody_else_opens_only_the_form_for_ones_own(
    client_of, clinics: Clinics, owner_database: Database
):
    with session_scope(owner_database) as session:
        session.execute(text("update app_user set must_change_password = true"))
    client = client_of(clinics.manager)
    assert client.get("/worklist?eye=OD").headers["location"] == "/password?next=/worklist%3Feye%3DOD"
    assert client.get(f"/scans/{clinics.flagged_id}/image.png").status_code == 403
    assert client.get("/password").status_code == 200
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream"):
        pass


def test_every_answer_carries_the_security_headers(client_of):
    client = client_of()
    for path in ("/login", "/overview", "/scans/1/image.png", "/healthz"):
        headers = client.get(path).headers
        for name, value in SECURITY_HEADERS.items():
            assert headers[name] == value, path


@pytest.mark.parametrize(
    "path",
    [
        None, "", "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "login",
        "/\t/evil.example", "/login?next=/", "/logout", "/password", "\n/x",
    ],
)  # fmt: skip
def test_next_never_leaves_this_host(path: str | None):
    assert safe_next(path) == "/"


def test_next_keeps_a_page_with_its_filters():
    assert safe_next("/worklist?site=3&eye=OD") == "/worklist?site=3&eye=OD"


def test_behind_tls_the_cookie_is_bound_to_the_host():
    settings = Settings()
    assert session_cookie_name(settings) == "octaudit_session"
    assert session_cookie_name(settings.model_copy(update={"secure_cookies": True})).startswith("__Host-")


class TestMonitoring:
    def test_health_needs_no_session_and_tells_nothing(self, client_of):
        assert client_of().get("/healthz").json() == {"status": "ok"}

    def test_health_fails_where_the_database_is_gone(self, client_of, monkeypatch: pytest.MonkeyPatch):
        def refuse(_: object) -> None:
            raise ConnectionError

        client: TestClient = client_of()
        monkeypatch.setattr("dashboard.monitoring.current_actor", refuse)
        assert client.get("/healthz").status_code == 503

    def test_metrics_are_not_public(self, client_of, clinics: Clinics):
        assert client_of().get("/metrics").status_code == 403
        assert client_of(clinics.manager).get("/metrics").status_code == 403

    def test_metrics_are_read_with_the_token(self, installation, client_of):
        from pydantic import SecretStr
        from starlette.applications import Starlette

        from dashboard.installation import Installation
        from dashboard.monitoring import monitoring_routes

        settings = installation.settings.model_copy(update={"metrics_token": SecretStr("scrape")})
        routes = monitoring_routes(Installation(settings, installation.database, installation.blobs, installation.bell))
        client = TestClient(Starlette(routes=routes))
        assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 403
        answer = client.get("/metrics", headers={"authorization": "Bearer scrape"})
        assert "octaudit_http_requests_total" in answer.text
