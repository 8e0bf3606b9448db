"""Who calls the API, and whether the call may do what it asks: session or token, scope, origin. Knows no route.

The gate has already turned away whoever has neither a session nor a token. A session cookie alone must not be enough
to change something, because a browser sends it along with forms of foreign pages too; a program's token is sent by
that program alone, so it needs no CSRF token, and is asked for the route's scope instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.orm import Session

from core.database.session import session_scope
from core.errors import NotAllowedError
from core.store.access import Actor
from core.store.api_client import CallingClient
from core.usecases.administer_clients import CallerFound, record_refusal
from core.usecases.log_in import is_csrf_token
from core.vocabulary import ApiScope, Role
from core.wording import ROLE_NAMES
from dashboard.installation import Installation

CSRF_HEADER = "X-Octaudit-CSRF"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE = APIKeyCookie(
    name="octaudit_session",
    scheme_name="session",
    auto_error=False,
    description="A person's session, from the login form; its name begins with `__Host-` where the server is behind "
    f"TLS. Changing requests also carry {CSRF_HEADER} from GET /session. Scopes do not narrow it.",
)
_BEARER = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="A program's token, made on the page Admin; each route names the scope that it asks for.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with the means to open transactions that see what this person or program may see."""

    actor: Actor
    installation: Installation
    client: CallingClient | None
    """None: a person with a session."""
    _token: str

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """One transaction with the caller's rights."""
        with session_scope(self.installation.database, token=self._token) as session:
            yield session

    def require_role(self, roles: frozenset[Role]) -> None:
        """NotAllowedError where the caller has none of the roles that the page of the same content asks for."""
        if not self.actor.roles & roles:
            raise NotAllowedError(
                "Your role does not see this.",
                remedy=f"It is for: {', '.join(sorted(ROLE_NAMES[role] for role in roles))}.",
            )


def find_caller(
    request: Request,
    wanted: SecurityScopes,
    _cookie: Annotated[str | None, Depends(_COOKIE)],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """The person or program behind a request; NotAllowedError where it may not do what it asks."""
    actor: Actor | None = getattr(request.state, "actor", None)
    token: str | None = getattr(request.state, "session_token", None)
    client: CallingClient | None = getattr(request.state, "api_client", None)
    if actor is None or token is None:
        raise NotAllowedError("There is no session.", remedy="Sign in at /login, or send a token.")
    caller = Caller(actor, request.app.state.installation, client, token)
    if client is not None:
        request.app.state.limit.take(client.id)
        _refuse_beyond_scope(request, caller, client, wanted)
    elif request.method not in _SAFE_METHODS:
        _refuse_foreign_origin(request)
        _refuse_wrong_csrf_token(request, token)
    return caller


def caller_with(scope: ApiScope) -> object:
    """The dependency of a route that asks a program's token for ``scope``."""
    return Security(find_caller, scopes=[scope.value])


AnyCaller = Annotated[Caller, Security(find_caller)]
"""A person, or a program whatever its scopes."""
PlaceReader = Annotated[Caller, caller_with(ApiScope.READ_PLACES)]
ScanReader = Annotated[Caller, caller_with(ApiScope.READ_SCANS)]
RateReader = Annotated[Caller, caller_with(ApiScope.READ_RATES)]
WorkReader = Annotated[Caller, caller_with(ApiScope.READ_WORK)]
UploadReader = Annotated[Caller, caller_with(ApiScope.READ_UPLOADS)]
AdministrationReader = Annotated[Caller, caller_with(ApiScope.READ_ADMINISTRATION)]
AuditReader = Annotated[Caller, caller_with(ApiScope.READ_AUDIT)]
UploadWriter = Annotated[Caller, caller_with(ApiScope.WRITE_UPLOADS)]
DecisionWriter = Annotated[Caller, caller_with(ApiScope.WRITE_DECISIONS)]
WorkWriter = Annotated[Caller, caller_with(ApiScope.WRITE_WORK)]
ReportWriter = Annotated[Caller, caller_with(ApiScope.WRITE_REPORTS)]
CertificateWriter = Annotated[Caller, caller_with(ApiScope.WRITE_CERTIFICATES)]
VisitWriter = Annotated[Caller, caller_with(ApiScope.WRITE_VISITS)]
ModelWriter = Annotated[Caller, caller_with(ApiScope.WRITE_MODELS)]
ProtocolWriter = Annotated[Caller, caller_with(ApiScope.WRITE_PROTOCOL)]


def _refuse_beyond_scope(request: Request, caller: Caller, client: CallingClient, wanted: SecurityScopes) -> None:
    missing = [scope for scope in map(ApiScope, wanted.scopes) if scope not in client.scopes]
    if not missing:
        return
    if request.app.state.refusals.is_due((client.id, missing[0])):
        with caller.open_session() as session:
            record_refusal(
                session, caller=CallerFound(caller.actor, client), wanted=missing[0], path=request.url.path[:200]
            )
    raise NotAllowedError(
        f"The token {client.prefix} of {client.name} has not the scope {missing[0]}.",
        remedy="Ask your administrator for a client with that scope.",
    )


def _refuse_foreign_origin(request: Request) -> None:
    """Compare host and port only: behind a TLS proxy the scheme that reaches us is not the browser's."""
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise NotAllowedError("The request came from another page.", remedy="Use the pages of this server.")


def _refuse_wrong_csrf_token(request: Request, token: str) -> None:
    if not is_csrf_token(token, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowedError(
            f"The header {CSRF_HEADER} is missing or belongs to another session.",
            remedy="Load the page again; scripts get the token with GET /api/v1/session.",
        )
