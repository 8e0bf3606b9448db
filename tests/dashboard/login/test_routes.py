"""The sign-in form: right and wrong passwords, forged forms, open redirects, too many attempts, signing out."""

import re
from collections.abc import Callable

import pytest
from builders import make_study
from clinics import Clinics
from starlette.testclient import TestClient

from core.database.session import Database, session_scope
from core.store.access import PROGRAM
from core.usecases.administer_users import add_user, grant_role
from core.vocabulary import Role
from dashboard.login.attempts import AttemptLimit


@pytest.fixture
def password(owner_database: Database) -> str:
    """The first password of the manager ``ada``."""
    with session_scope(owner_database) as session:
        first = add_user(session, actor=PROGRAM, name="ada", display_name="Ada <b>Byron</b>")
        grant_role(session, actor=PROGRAM, user_id=first.user_id, role=Role.MANAGER, study_id=make_study(session).id)
    return first.password


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found
    return found.group(1)


def sign_in(client: TestClient, password: str, *, target: str = "/", **changes: str):
    form = client.get("/login", params={"next": target})
    fields = {"csrf": hidden(form.text, "csrf"), "next": target, "name": "ada", "password": password} | changes
    return client.post("/login", data=fields)


def test_the_right_password_opens_a_session_that_scripts_cannot_read(client_of: Callable, password: str):
    response = sign_in(client_of(), password, target="/worklist?site=1")
    assert (response.status_code, response.headers["location"]) == (303, "/worklist?site=1")
    cookie = next(c for c in response.headers.get_list("set-cookie") if c.startswith("octaudit_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_the_name_is_not_case_sensitive(client_of: Callable, password: str):
    assert sign_in(client_of(), password, name=" ADA ").status_code == 303


def test_a_wrong_password_and_a_wrong_name_read_the_same(client_of: Callable, password: str):
    wrong = sign_in(client_of(), "not it")
    unknown = sign_in(client_of(), password, name="nobody")
    assert wrong.status_code == unknown.status_code == 401
    said = re.compile(r'role="alert">([^<]*)<')
    assert said.search(wrong.text).group(1) == said.search(unknown.text).group(1)
    assert "octaudit_session" not in wrong.headers.get("set-cookie", "")


def test_what_was_typed_is_escaped(client_of: Callable, password: str):
    answer = sign_in(client_of(), "x", name='"><script>alert(1)</script>')
    assert "<script>alert" not in answer.text


def test_nobody_is_sent_to_another_host(client_of: Callable, password: str):
    for target in ("https://evil.example", "//evil.example/x", "/\\evil.example"):
        assert sign_in(client_of(), password, target=target).headers["location"] == "/", target


def test_a_form_of_another_page_is_refused(client_of: Callable, password: str):
    for csrf in ("", "guessed"):
        response = sign_in(client_of(), password, csrf=csrf)
        assert response.status_code == 403
        assert "octaudit_session" not in response.headers.get("set-cookie", "")


def test_a_form_without_its_cookie_is_refused(client_of: Callable, password: str):
    client = client_of()
    csrf = hidden(client.get("/login").text, "csrf")
    client.cookies.clear()
    assert client.post("/login", data={"csrf": csrf, "name": "ada", "password": password}).status_code == 403


def test_an_oversized_form_is_refused(client_of: Callable, password: str):
    assert sign_in(client_of(), "x" * 20_000).status_code == 403


def test_after_many_failures_the_door_stays_shut_for_a_while(client_of: Callable, password: str):
    client = client_of()
    for _ in range(10):
        assert sign_in(client, "wrong", name="someone").status_code == 401
    shut = sign_in(client, "wrong", name="someone")
    assert shut.status_code == 429
    assert 0 < int(shut.headers["retry-after"]) <= 901
    assert sign_in(client, password).status_code == 303, "another person may still come in"


def test_signing_out_ends_the_session(client_of: Callable, clinics: Clinics):
    client = client_of(clinics.manager)
    left = client.get("/logout", headers={"sec-fetch-site": "same-origin"})
    assert left.headers["location"] == "/login"
    client.cookies.set("octaudit_session", clinics.manager)
    assert client.get("/worklist").status_code == 303


def test_a_link_on_another_page_signs_nobody_out(client_of: Callable, clinics: Clinics):
    client = client_of(clinics.manager)
    asked = client.get("/logout", headers={"sec-fetch-site": "cross-site"})
    assert asked.status_code == 200
    assert client.get("/worklist").status_code == 200
    assert client.post("/logout", data={"csrf": "guessed"}).status_code == 403
    assert client.post("/logout", data={"csrf": hidden(asked.text, "csrf")}).status_code == 303
    assert client.get("/worklist").status_code == 303


def test_the_first_sign_in_leads_to_a_password_of_ones_own(client_of: Callable, password: str):
    client = client_of()
    sign_in(client, password)
    form = client.get(client.get("/worklist").headers["location"])
    assert "Choose your password" in form.text
    fields = {"csrf": hidden(form.text, "csrf"), "next": hidden(form.text, "next"), "old": password}

    def save(new: str, again: str, **changes: str):
        return client.post("/password", data=fields | {"new": new, "again": again} | changes)

    own = "five unrelated words here"
    assert save(own, "another thing").status_code == 400
    assert save("short", "short").status_code == 400
    assert save(password, password).status_code == 400
    assert save(own, own, old="wrong").status_code == 400
    assert save(own, own, csrf="guessed").status_code == 403
    saved = save(own, own)
    assert (saved.status_code, saved.headers["location"]) == (303, "/worklist")
    assert client.get("/worklist").status_code == 200


def test_old_failures_are_forgotten():
    moment = [0.0]
    limit = AttemptLimit(most=2, window_s=60, clock=lambda: moment[0])
    for second in (0, 30):
        moment[0] = second
        limit.note_failure("ada")
    assert limit.seconds_shut("ada") == 31
    moment[0] = 61
    assert limit.seconds_shut("ada") == 0
    moment[0] = 200
    assert limit.seconds_shut("ada") == 0
    limit.note_failure("ada")
    limit.forget("ada")
    assert limit.seconds_shut("ada") == 0
