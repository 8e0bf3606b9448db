"""Who calls the API, and whether the call came from our own page: session, CSRF token, origin. Knows no route.

The gate has already turned away whoever has no session. A session cookie alone must not be enough to change
something, because a browser sends it along with forms of foreign pages too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from core.database.session import session_scope
from core.errors import NotAllowedError
from core.store.access import Actor
from core.usecases.log_in import is_csrf_token
from dashboard.installation import Installation

CSRF_HEADER = "X-Octaudit-CSRF"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with the means to open transactions that see what this person may see."""

    actor: Actor
    installation: Installation
    _token: str

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """One transaction with the caller's rights."""
        with session_scope(self.installation.database, token=self._token) as session:
            yield session


def find_caller(request: Request) -> Caller:
    """The person behind a request; NotAllowedError where a change does not come from our own page."""
    actor: Actor | None = getattr(request.state, "actor", None)
    token: str | None = getattr(request.state, "session_token", None)
    if actor is None or token is None:
        raise NotAllowedError("There is no session.", remedy="Sign in at /login.")
    if request.method not in _SAFE_METHODS:
        _refuse_foreign_origin(request)
        _refuse_wrong_csrf_token(request, token)
    return Caller(actor, request.app.state.installation, token)


CallerOf = Annotated[Caller, Depends(find_caller)]


def _refuse_foreign_origin(request: Request) -> None:
    """Compare host and port only: behind a TLS proxy the scheme that reaches us is not the browser's."""
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotAllowedError("The request came from another page.", remedy="Use the upload page of this server.")


def _refuse_wrong_csrf_token(request: Request, token: str) -> None:
    if not is_csrf_token(token, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowedError(
            f"The header {CSRF_HEADER} is missing or belongs to another session.",
            remedy="Load the page again; scripts get the token with GET /api/v1/session.",
        )
