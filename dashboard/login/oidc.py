"""GET /login/oidc and back: sign in at an OpenID provider, link its identity to the account, or prove who signs.

What the way back must repeat (state, nonce, verifier) waits in a cookie that scripts cannot read and that carries our
own signature, for ten minutes.
"""

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import NotAllowedError, OctauditError
from core.usecases.log_in_by_identity import link_own_identity, log_in_by_identity, prove_own_identity
from dashboard.gate import cookie_token, safe_next, session_cookie_name
from dashboard.installation import Installation
from dashboard.login.client import client_words
from dashboard.login.provider import Provider
from dashboard.login.welcome import refused, welcome
from dashboard.session import actor_of

WAY_COOKIE = "octaudit_oidc"
WAY_LASTS_S = 600
_LOG = logging.getLogger(__name__)


def oidc_routes(installation: Installation) -> list[BaseRoute]:
    """The two routes where a provider is set; none otherwise."""
    settings = installation.settings
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        return []
    secret = settings.oidc_client_secret.get_secret_value()
    door = _Door(installation, Provider(settings.oidc_issuer.rstrip("/"), settings.oidc_client_id, secret), secret)
    return [Route("/login/oidc", door.leave), Route("/login/oidc/back", door.come_back)]


class _Door:
    """Handlers of the two routes; plain functions, so Starlette runs them in its thread pool."""

    def __init__(self, installation: Installation, provider: Provider, secret: str) -> None:
        self._installation = installation
        self._provider = provider
        self._key = hashlib.sha256(f"octaudit oidc cookie\n{secret}".encode()).digest()

    def leave(self, request: Request) -> Response:
        """Send the browser to the provider."""
        way: dict[str, Any] = {
            "state": secrets.token_urlsafe(24), "nonce": secrets.token_urlsafe(24),
            "verifier": secrets.token_urlsafe(48), "next": safe_next(request.query_params.get("next")),
            "link": "link" in request.query_params, "prove": "prove" in request.query_params,
            "left": int(time.time()), "until": int(time.time()) + WAY_LASTS_S,
        }  # fmt: skip
        try:
            address = self._provider.sign_in_address(
                back=self._back(request), state=way["state"], nonce=way["nonce"], verifier=way["verifier"],
                is_anew=way["prove"],
            )  # fmt: skip
        except OctauditError as error:
            return refused(request, self._installation.settings, str(error), status=502)
        response = RedirectResponse(address, status_code=303)
        secure = self._installation.settings.secure_cookies
        response.set_cookie(
            WAY_COOKIE, self._sealed(way), path="/login/oidc", max_age=WAY_LASTS_S, httponly=True, samesite="lax",
            secure=secure,
        )  # fmt: skip
        return response

    async def come_back(self, request: Request) -> Response:
        """Check the provider's word, then open a session or link the identity."""
        settings = self._installation.settings
        way = self._opened(request.cookies.get(WAY_COOKIE, ""))
        code, state = request.query_params.get("code", ""), request.query_params.get("state", "")
        if way is None or not code or not hmac.compare_digest(str(way["state"]).encode(), state.encode()):
            return refused(
                request, settings, "This sign-in was open for too long or came from another page.", status=403
            )
        try:
            subject = await run_in_threadpool(
                self._provider.subject_for, code=code, back=self._back(request), nonce=str(way["nonce"]),
                verifier=str(way["verifier"]), asked_after_s=int(str(way["left"])) if way["prove"] else None,
            )  # fmt: skip
            response = await run_in_threadpool(self._arrive, request, way, subject)
        except OctauditError as error:
            _LOG.warning("A sign-in by the identity provider was refused: %s", error.message)
            return refused(request, settings, str(error), status=401)
        response.delete_cookie(WAY_COOKIE, path="/login/oidc")
        return response

    def _arrive(self, request: Request, way: Mapping[str, object], subject: str) -> Response:
        database, settings = self._installation.database, self._installation.settings
        if not way["link"] and not way["prove"]:
            client = client_words(request.headers.get("user-agent", ""))
            return welcome(
                settings, log_in_by_identity(database, settings, subject=subject, client=client), str(way["next"])
            )
        token = cookie_token(request.headers, session_cookie_name(settings))
        actor = actor_of(database, token) if token else None
        if token is None or actor is None or actor.user_id is None:
            raise NotAllowedError("Your session has ended.", remedy="Sign in, and try it again.")
        if way["prove"]:
            prove_own_identity(database, settings, token=token, subject=subject)
            return RedirectResponse(str(way["next"]), status_code=303)
        link_own_identity(database, settings, token=token, user_id=actor.user_id, subject=subject)
        return RedirectResponse("/account", status_code=303)

    def _back(self, request: Request) -> str:
        base = self._installation.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return f"{base.rstrip('/')}/login/oidc/back"

    def _sealed(self, way: Mapping[str, object]) -> str:
        content = base64.urlsafe_b64encode(json.dumps(way).encode()).decode()
        return f"{content}.{self._seal(content)}"

    def _opened(self, cookie: str) -> Mapping[str, object] | None:
        content, _, seal = cookie.rpartition(".")
        if not content or not hmac.compare_digest(seal.encode(), self._seal(content).encode()):
            return None
        way: dict[str, object] = json.loads(base64.urlsafe_b64decode(content))
        return way if int(str(way["until"])) > time.time() else None

    def _seal(self, content: str) -> str:
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()
