"""No password, token or secret reaches a log, at the wordiest level, whatever goes right or wrong."""

import logging
import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from core.database.session import Database, session_scope
from core.store.access import PROGRAM
from core.usecases.administer_users import add_user

WRONG, NEW = "a wrong but long password", "quiet unrelated harbour words"


def test_signing_in_and_out_and_changing_a_password_leave_no_secret_in_the_log(
    client_of: Callable[..., TestClient], owner_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with session_scope(owner_database) as session:
        first = add_user(session, actor=PROGRAM, name="ada")
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio", "multipart"):  # the test's own browser, not the server
        caplog.set_level(logging.WARNING, logger=name)
    client = client_of()
    secrets = {first.password, WRONG, NEW}
    for password in (WRONG, first.password):
        csrf = field(client.get("/login").text, "csrf")
        client.post("/login", data={"csrf": csrf, "next": "/", "name": "ada", "password": password})
        secrets.add(csrf)
    secrets.add(client.cookies["octaudit_session"])
    form = client.get("/password").text
    for old, new in ((WRONG, NEW), (first.password, "short"), (first.password, NEW)):
        client.post("/password", data={"csrf": field(form, "csrf"), "next": "/", "old": old, "new": new, "again": new})
    secrets.add(client.get("/api/v1/session").json()["csrf_token"])
    client.get("/api/v1/session", headers={"authorization": f"Bearer {WRONG}"})
    client.get("/logout", headers={"sec-fetch-site": "same-origin"})
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert [secret for secret in secrets if secret in told] == []


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found
    return found.group(1)
