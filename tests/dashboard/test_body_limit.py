"""Bodies are held at the door: announced or found too large they are refused, and uploads keep their own limit."""

from collections.abc import Callable, Iterator

import pytest
from clinics import Clinics
from starlette.testclient import TestClient

from dashboard.body_limit import MAX_BODY_BYTES
from dashboard.login.client import client_words


def pieces(n_bytes: int) -> Iterator[bytes]:
    """A body without a Content-Length."""
    for _ in range(n_bytes // 65_536 + 1):
        yield b"x" * 65_536


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_that_is_too_large_is_refused(
    client_of: Callable[..., TestClient], clinics: Clinics, is_announced: bool
) -> None:
    client = client_of(clinics.technician)
    token = client.get("/api/v1/session").json()["csrf_token"]
    body = b"x" * (MAX_BODY_BYTES + 1) if is_announced else pieces(MAX_BODY_BYTES)
    answer = client.post("/api/v1/batches", content=body, headers={"X-Octaudit-CSRF": token})
    assert answer.status_code == 413
    assert answer.json()["remedy"].startswith("Send it in parts")


def test_a_small_body_passes(client_of: Callable[..., TestClient], clinics: Clinics) -> None:
    client = client_of(clinics.technician)
    token = client.get("/api/v1/session").json()["csrf_token"]
    answer = client.post("/api/v1/batches", json={"study": "RET-1", "site": "S01"}, headers={"X-Octaudit-CSRF": token})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/17 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/140.0 Safari/537 Edg/140.0", "Edge on Linux"),
        ("python-httpx/0.28", "a Python program"),
        ("<script>", "an unknown program"),
    ],
)
def test_what_opened_a_session_is_named_in_words(header: str, words: str) -> None:
    assert client_words(header) == words
