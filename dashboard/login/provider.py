"""What is asked of an OpenID provider: its addresses, an ID token for a code, and who the token vouches for.

Authorization code flow with PKCE (RFC 7636); ID tokens by OpenID Connect Core 1.0, section 3.1.3.7.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core.errors import NotAllowedError, OctauditError, SettingsError

ALGORITHMS = ("RS256", "ES256", "PS256")
"""Never "none", and none with a shared secret."""
_PATIENCE_S = 10.0
_KEPT_S = 600.0
"""The provider's addresses and keys are read anew after this; keys are also read anew for an unknown key id."""
_CLOCK_SKEW_S = 60
_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass
class Provider:
    """An OpenID provider and our client there."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    _known: Mapping[str, str] = field(default_factory=dict)
    _known_until: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a provider that is asked in clear over a network."""
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise SettingsError(f"OCTAUDIT_OIDC_ISSUER is {self.issuer}.", remedy="It must begin with https://.")

    def sign_in_address(self, *, back: str, state: str, nonce: str, verifier: str, is_anew: bool = False) -> str:
        """Where the browser is sent; ``back`` is where the provider sends it afterwards.

        ``is_anew``: the person is to be asked although a session is open there (Core 3.1.2.1).
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": back, "scope": "openid",
            "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        if is_anew:
            query |= {"prompt": "login", "max_age": "0"}
        address = self._addresses()["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    def subject_for(self, *, code: str, back: str, nonce: str, verifier: str, asked_after_s: int | None = None) -> str:
        """Who the provider says has signed in. NotAllowedError where its word does not hold.

        ``asked_after_s`` (Unix time): and that it has asked the person since then.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        answer = self._ask(
            "POST", self._addresses()["token_endpoint"], data=form, auth=(self.client_id, self.client_secret)
        )
        claims = self._claims(str(answer.get("id_token", "")), nonce)
        if asked_after_s is not None:
            _refuse_stale(claims, asked_after_s)
        return str(claims["sub"])

    def _claims(self, id_token: str, nonce: str) -> Mapping[str, object]:
        keys = KeySet.import_key_set(self._ask("GET", self._addresses()["jwks_uri"]))  # type: ignore[arg-type]
        rules = jwt.JWTClaimsRegistry(
            leeway=_CLOCK_SKEW_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            token = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
            rules.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise NotAllowedError(
                f"The identity provider's word does not hold ({type(error).__name__}).", remedy="Try to sign in again."
            ) from error
        return token.claims

    def _addresses(self) -> Mapping[str, str]:
        if time.monotonic() >= self._known_until:
            found = self._ask("GET", f"{self.issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self.issuer:
                raise NotAllowedError(
                    "The identity provider gives another issuer.", remedy="Correct OCTAUDIT_OIDC_ISSUER."
                )
            self._known, self._known_until = {key: str(found[key]) for key in found}, time.monotonic() + _KEPT_S
        return self._known

    def _ask(self, method: str, address: str, **more: object) -> Mapping[str, object]:
        try:
            answer = httpx.request(method, address, timeout=_PATIENCE_S, follow_redirects=False, **more)  # type: ignore[arg-type]
            answer.raise_for_status()
            document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise OctauditError(
                "The identity provider did not answer as it should.",
                remedy="Try again, or sign in with your password.",
            ) from error
        return document if isinstance(document, dict) else {}


def _refuse_stale(claims: Mapping[str, object], asked_after_s: int) -> None:
    """``auth_time`` is required where max_age was asked for (Core 2); a provider that ignores it proves nothing."""
    asked_at = claims.get("auth_time")
    if not isinstance(asked_at, int | float) or asked_at < asked_after_s - _CLOCK_SKEW_S:
        raise NotAllowedError(
            "The identity provider does not say that it has asked you anew.",
            remedy="Sign in there again; if it stays so, ask your administrator for a password of octaudit.",
        )
