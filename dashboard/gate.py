"""The first check of every HTTP request and websocket, and the headers that protect its answer.

Knows no page and no role: what a signed-in person may see is row-level security's matter.
"""

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings
from core.store.access import Actor
from core.usecases.administer_clients import TOKEN_MARK, CallerFound
from dashboard.content_policy import content_security_policy, start_page
from dashboard.live_socket import run_while_live

PUBLIC_PATHS = frozenset(
    {"/login", "/login/oidc", "/login/oidc/back", "/logout", "/healthz", "/metrics", "/favicon.svg"}
)
"""Reached without a session; /metrics and /logout check for themselves."""
PUBLIC_PREFIXES = ("/static/", "/brand/")
"""Program code and the logo, the same for everybody: no data lies there."""
PAGELESS_PREFIXES = ("/api/", "/scans/", "/_stcore/", "/media/", "/component/")
"""Answered with 401, not with a redirect to the form: a program asks, no person."""

PASSWORD_PATH = "/password"  # noqa: S105 - a path
"""The only page open to a person whose password was made by somebody else."""
API_PREFIX = "/api/"
"""Where a program's token opens something, and nowhere else."""
_TOKEN_REFUSALS = {
    "unknown": ("The token is not known.", "Ask the administrator who gave it to you; tokens are shown once."),
    "revoked": ("The token was revoked.", "Ask your administrator for a new one."),
    "expired": ("The token has expired.", "Ask your administrator for a new one."),
    "without rights": (
        "The token's client has no rights left: they were taken back, or whoever gave them may not give them any more.",
        "Ask your administrator.",
    ),
}
_REFUSALS = {
    "/login": {"code": "not_signed_in", "message": "There is no session.", "remedy": "Sign in at /login."},
    PASSWORD_PATH: {
        "code": "password_must_change",
        "message": "Your password was made for you.",
        "remedy": "Choose your own at /password.",
    },
}

_NOWHERE = {"code": "http_error", "message": "Not Found", "remedy": "Check the address and the method."}

SECURITY_HEADERS = {
    "Content-Security-Policy": content_security_policy(start_page()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def session_cookie_name(settings: Settings) -> str:
    """Name of the session cookie; with TLS the browser itself refuses a ``__Host-`` cookie set by another host."""
    return "__Host-octaudit_session" if settings.secure_cookies else "octaudit_session"


def safe_next(path: str | None) -> str:
    """``path`` where it stays on this host, else ``/``: the answer to open redirects through ``?next=``."""
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or parts.path in {"/login", "/logout", PASSWORD_PATH}:
        return "/"
    return path


def cookie_token(headers: Headers, name: str) -> str | None:
    """The session token of a request's cookies; None where there is none or the header is malformed."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


def bearer_token(headers: Headers) -> str | None:
    """The token of an Authorization header; None where the header is missing or of another scheme."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Gate:
    """ASGI middleware that lets nothing but public paths through without a live session or, to the API, a token.

    ``find_actor`` maps a session's token to its person, or None; ``find_caller`` a program's token to its client, or
    says why there is none; ``is_live`` says whether a session goes on, without counting as its use. All run in a
    thread because they ask the database. What is found is handed on in ``scope["state"]``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        find_actor: Callable[[str], Actor | None],
        find_caller: Callable[[str], CallerFound | str] = lambda _: "unknown",
        is_live: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._app = app
        self._is_live = is_live
        self._find_caller = find_caller
        self._cookie = session_cookie_name(settings)
        self._hsts = settings.secure_cookies
        self._find_actor = find_actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on with security headers."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        sender = self._with_headers(send) if scope["type"] == "http" else send
        path = scope["path"]
        if scope["type"] == "http" and (path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)):
            await self._app(scope, receive, sender)
            return
        if scope["type"] == "http" and path.startswith(API_PREFIX) and not path.isprintable():
            # No route has such an address, and a line break in it would pass the API by: its mount matches one line.
            await JSONResponse(_NOWHERE, status_code=404, headers={"Cache-Control": "no-store"})(scope, receive, sender)
            return
        bearer = bearer_token(Headers(scope=scope)) if path.startswith(API_PREFIX) else None
        if scope["type"] == "http" and bearer is not None:
            await self._admit_client(bearer, scope, receive, sender)
            return
        token = cookie_token(Headers(scope=scope), self._cookie)
        if token is not None and token.startswith(TOKEN_MARK):
            token = None  # a program's token opens the API, with its scopes, and no page
        actor = await run_in_threadpool(self._find_actor, token) if token else None
        if actor is None:
            await self._turn_away(scope, receive, sender)
            return
        if actor.must_change_password and path != PASSWORD_PATH:
            await self._turn_away(scope, receive, sender, form=PASSWORD_PATH)
            return
        scope.setdefault("state", {}).update(actor=actor, session_token=token)
        await self._pass_on(scope, receive, sender)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request as it is; a page's websocket for as long as its session lives."""
        if scope["type"] == "http":
            await self._app(scope, receive, send)
            return
        token: str = scope["state"]["session_token"]
        await run_while_live(self._app, scope, receive, send, is_live=lambda: self._is_live(token))

    async def _admit_client(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a program on to the API. A cookie beside the header counts for nothing."""
        found = await run_in_threadpool(self._find_caller, token)
        if isinstance(found, str):
            message, remedy = _TOKEN_REFUSALS[found]
            answer = {"code": "token_refused", "message": message, "remedy": remedy}
            headers = {
                "WWW-Authenticate": 'Bearer realm="octaudit", error="invalid_token"',
                "Cache-Control": "no-store",
            }
            await JSONResponse(answer, status_code=401, headers=headers)(scope, receive, send)
            return
        scope.setdefault("state", {}).update(actor=found.actor, session_token=token, api_client=found.client)
        await self._app(scope, receive, send)

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send, *, form: str = "/login") -> None:
        if scope["type"] == "websocket":
            # Closing before accepting: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": "not signed in"})
            return
        path = scope["path"]
        if scope["method"] in {"GET", "HEAD"} and not path.startswith(PAGELESS_PREFIXES):
            query = scope.get("query_string", b"").decode("latin-1")
            target = safe_next(path + (f"?{query}" if query else ""))
            suffix = "" if target == "/" else f"?next={quote(target, safe='/')}"
            await RedirectResponse(f"{form}{suffix}", status_code=303)(scope, receive, send)
            return
        await JSONResponse(_REFUSALS[form], status_code=401 if form == "/login" else 403)(scope, receive, send)

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if self._hsts:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        return send_with_headers
