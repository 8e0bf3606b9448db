"""Signing in by an OpenID provider: a real one, in a process of its own, asked over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from builders import make_grant, make_study, make_user
from pydantic import SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.database.session import Database, session_scope
from core.errors import NotAllowedError, SettingsError
from core.settings import Settings
from core.store.identity import MeansToSign, open_session_by_identity, own_means_to_sign, prove_identity
from core.usecases.confirm_signature import confirm_signature
from core.usecases.log_in_by_identity import distrust_provider, link_identity, trust_provider
from core.vocabulary import Role
from dashboard.installation import Installation, install
from dashboard.login.provider import Provider
from dashboard.server import own_middleware, own_routes

SECRET = "the client's secret"
PROGRAM = Path(__file__).parents[2] / "identity_provider.py"


class RunningProvider:
    """The provider's process; ``will_say`` changes what its next ID token says."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def will_say(self, **claims: object) -> None:
        httpx.post(f"{self.issuer}/next", json=claims).raise_for_status()

    def send_back(self, address: str) -> str:
        """What the provider answers a browser that it was sent: the way back, with a code."""
        answer = httpx.get(address)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(PROGRAM), str(port), SECRET]
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    for _ in range(300):
        assert process.poll() is None, "the provider ended"
        try:
            httpx.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield RunningProvider(issuer)
    process.terminate()
    process.wait(10)


@pytest.fixture
def browser(installation: Installation, provider: RunningProvider, owner_database: Database) -> Iterator[TestClient]:
    """A browser of a dashboard that trusts the provider."""
    changes = {"oidc_issuer": provider.issuer, "oidc_client_secret": SecretStr(SECRET)}
    settings = installation.settings.model_copy(update=changes)
    with session_scope(owner_database) as session:
        trust_provider(session, settings)
    opened = Installation(settings, installation.database, installation.blobs, installation.bell)
    install(opened)
    app = Starlette(routes=own_routes(opened), middleware=own_middleware(opened))
    with TestClient(app, follow_redirects=False) as client:
        yield client


@pytest.fixture
def ada(owner_database: Database) -> int:
    with session_scope(owner_database) as session:
        user = make_user(session, name="ada", display_name="Ada")
        make_grant(session, user, Role.MANAGER, study=make_study(session))
        return user.id


def sign_in(browser: TestClient, provider: RunningProvider, path: str = "/login/oidc?next=/worklist") -> httpx.Response:
    """Follow the whole way; the provider says that ``subject-ada`` has signed in unless told otherwise."""
    leaving = browser.get(path)
    assert leaving.status_code == 303, leaving.text
    back = provider.send_back(leaving.headers["location"])
    parts = urlsplit(back)
    return browser.get(f"{parts.path}?{parts.query}")


def link(owner_database: Database, provider: RunningProvider, user_id: int) -> None:
    with session_scope(owner_database) as session:
        link_identity(session, user_id=user_id, issuer=provider.issuer, subject="subject-ada")


def events(owner_database: Database) -> list[tuple[str, str, object]]:
    with session_scope(owner_database) as session:
        rows = session.execute(text("select action, reason, after from audit_event order by id"))
        return [(row.action, row.reason, row.after) for row in rows]


def test_a_linked_person_signs_in_and_goes_where_they_wanted(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database
) -> None:
    assert "Sign in with your organisation" in browser.get("/login").text
    link(owner_database, provider, ada)
    arrived = sign_in(browser, provider)
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/worklist")
    assert browser.get("/api/v1/session").json()["name"] == "ada"
    action, _, after = events(owner_database)[-1]
    assert (action, after) == ("log_in", {"by": "identity", "issuer": provider.issuer, "subject": "subject-ada"})


def test_an_identity_without_an_account_gets_none_and_is_on_record(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database
) -> None:
    arrived = sign_in(browser, provider)
    assert arrived.status_code == 401
    assert "No account of octaudit is linked to this identity" in arrived.text
    assert "octaudit_session" not in arrived.headers.get("set-cookie", "")
    action, reason, after = events(owner_database)[-1]
    assert (action, reason) == ("log_in_failed", "identity without account")
    assert after == {"by": "identity", "issuer": provider.issuer, "subject": "subject-ada"}


def test_a_person_links_the_own_account_while_signed_in(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database
) -> None:
    from builders import login_token

    from core.database.tables import User

    with session_scope(owner_database) as session:
        browser.cookies.set("octaudit_session", login_token(session, session.get_one(User, ada)))
    assert sign_in(browser, provider, "/login/oidc?link=1").headers["location"] == "/account"
    browser.cookies.clear()
    assert sign_in(browser, provider).headers["location"] == "/worklist"
    assert sign_in(browser, provider, "/login/oidc?link=1").status_code == 401, "an identity has one account"


def test_a_disabled_person_is_refused(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database
) -> None:
    link(owner_database, provider, ada)
    with session_scope(owner_database) as session:
        session.execute(text("update app_user set disabled_at = now()"))
    assert sign_in(browser, provider).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"key": "strange"},
        {"alg": "none"}, {"sub": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_word_that_does_not_hold_opens_nothing(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database, claims: dict[str, object]
) -> None:
    link(owner_database, provider, ada)
    provider.will_say(**claims)
    arrived = sign_in(browser, provider)
    assert arrived.status_code == 401
    assert "octaudit_session" not in arrived.headers.get("set-cookie", "")


def test_a_way_back_that_was_not_begun_here_opens_nothing(
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database
) -> None:
    link(owner_database, provider, ada)
    back = provider.send_back(browser.get("/login/oidc").headers["location"])
    query = parse_qs(urlsplit(back).query)
    for params in ({"code": query["code"][0], "state": "another"}, {"state": query["state"][0]}, {}):
        assert browser.get("/login/oidc/back", params=params).status_code == 403, params
    browser.cookies.clear()
    assert browser.get("/login/oidc/back", params={name: found[0] for name, found in query.items()}).status_code == 403
    browser.cookies.set("octaudit_oidc", "e30=.forged", path="/login/oidc")
    assert browser.get("/login/oidc/back", params={name: found[0] for name, found in query.items()}).status_code == 403


def test_a_code_serves_once_and_only_with_its_verifier(provider: RunningProvider) -> None:
    ours = Provider(provider.issuer, "octaudit", SECRET)
    asked = {"back": "http://testserver/login/oidc/back", "nonce": "n", "verifier": "v" * 50}
    back = provider.send_back(ours.sign_in_address(state="s", **asked))
    code = parse_qs(urlsplit(back).query)["code"][0]
    with pytest.raises(Exception, match="did not answer as it should"):
        ours.subject_for(code=code, **(asked | {"verifier": "w" * 50}))


def test_raw_sql_under_the_dashboards_role_opens_no_session_without_the_secret(  # noqa: PLR0917 - fixtures
    browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database, dashboard_database: Database,
    settings: Settings,
) -> None:  # fmt: skip
    link(owner_database, provider, ada)

    def forge(proof: str) -> None:
        with session_scope(dashboard_database) as session:
            open_session_by_identity(
                session, issuer=provider.issuer, subject="subject-ada", proof=proof, token_sha256="a" * 64,
                idle_timeout=settings.session_idle_timeout, lifetime=settings.session_lifetime, client="",
            )  # fmt: skip

    with pytest.raises(NotAllowedError, match="not trusted"):
        forge("guessed")
    with session_scope(owner_database) as session:
        distrust_provider(session, issuer=provider.issuer)
    assert sign_in(browser, provider).status_code == 401, "nor does anybody once the provider is not trusted any more"


def test_a_provider_over_the_network_in_clear_is_refused() -> None:
    with pytest.raises(SettingsError, match="must begin with https"):
        Provider("http://login.example.org", "octaudit", SECRET)
    assert json.dumps(repr(Provider("https://login.example.org", "octaudit", SECRET))).count(SECRET) == 0


def signs(database: Database, token: str) -> None:
    confirm_signature(database, token=token, password="")


@pytest.fixture
def signer(browser: TestClient, provider: RunningProvider, ada: int, owner_database: Database) -> str:
    """Ada's session token, opened by the provider: she has no password of ours."""
    link(owner_database, provider, ada)
    sign_in(browser, provider)
    return str(browser.cookies["octaudit_session"])


def test_an_account_without_a_password_signs_after_the_provider_asked_anew(
    browser: TestClient, provider: RunningProvider, signer: str, dashboard_database: Database, owner_database: Database
) -> None:
    with pytest.raises(NotAllowedError, match="has not vouched for you"):
        signs(dashboard_database, signer)
    leaving = browser.get("/login/oidc?prove=1")
    asked = parse_qs(urlsplit(leaving.headers["location"]).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    arrived = sign_in(browser, provider, "/login/oidc?prove=1&next=/trends%3Fsite%3D3")
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/trends?site=3")
    signs(dashboard_database, signer)
    assert events(owner_database)[-1][0] == "prove_identity"
    with session_scope(owner_database) as session:
        session.execute(text("update session set proven_at = now() - interval '6 minutes'"))
    with pytest.raises(NotAllowedError, match="has not vouched for you"):
        signs(dashboard_database, signer)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"sub": "subject-eve"}, "Somebody else has signed in"),
        ({"auth_time": int(time.time()) - 3600}, "does not say that it has asked you anew"),
        ({"auth_time": None}, "does not say that it has asked you anew"),
    ],
)
def test_a_word_that_is_old_or_of_somebody_else_proves_nothing(  # noqa: PLR0917 - fixtures
    browser: TestClient, provider: RunningProvider, signer: str, dashboard_database: Database, claims: dict, words: str
) -> None:
    provider.will_say(**claims)
    arrived = sign_in(browser, provider, "/login/oidc?prove=1")
    assert arrived.status_code == 401
    assert words in arrived.text
    with pytest.raises(NotAllowedError, match="has not vouched for you"):
        signs(dashboard_database, signer)


def test_the_dashboards_role_cannot_prove_an_identity_by_itself(
    provider: RunningProvider, signer: str, dashboard_database: Database
) -> None:
    with (
        pytest.raises(NotAllowedError, match="not trusted"),
        session_scope(dashboard_database, token=signer) as session,
    ):
        prove_identity(session, issuer=provider.issuer, subject="subject-ada", proof="guessed")
    with session_scope(dashboard_database, token=signer) as session:
        assert own_means_to_sign(session) == MeansToSign(has_password=False, has_identity=True, is_proven=False)
