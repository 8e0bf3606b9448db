"""A small OpenID provider for tests, as a program: ``python identity_provider.py PORT CLIENT_SECRET``.

It signs everybody in as ``subject-ada``. POST /next changes what its next ID token says: any claim (None: left out),
``key`` signs with a key that it does not publish, ``alg`` "none" does not sign.
"""

import base64
import hashlib
import json
import secrets
import sys
import time

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

PORT, SECRET = int(sys.argv[1]), sys.argv[2]
ISSUER = f"http://127.0.0.1:{PORT}"
KEY, STRANGE = RSAKey.generate_key(2048, auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)
asked: dict[str, dict[str, str]] = {}
changes: dict[str, object] = {}
signed_in = {"at": int(time.time()) - 3600}
"""When the person was last asked: an hour ago, unless a request asks for it anew."""


async def configuration(_: Request) -> Response:
    addresses = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
    return JSONResponse({"issuer": ISSUER, **{name: ISSUER + path for name, path in addresses.items()}})


async def keys(_: Request) -> Response:
    return JSONResponse(KeySet([KEY]).as_dict(private=False))


async def authorize(request: Request) -> Response:
    query = dict(request.query_params)
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        return JSONResponse({"error": "invalid_request"}, status_code=400)
    is_anew = (query.get("prompt"), query.get("max_age")) == ("login", "0")
    signed_in["at"] = int(time.time()) if is_anew else signed_in["at"]
    code = secrets.token_urlsafe(16)
    asked[code] = query
    return RedirectResponse(f"{query['redirect_uri']}?code={code}&state={query['state']}", status_code=303)


async def token(request: Request) -> Response:
    form = await request.body()
    fields = dict(pair.split("=", 1) for pair in form.decode().split("&"))
    expected = base64.b64encode(f"octaudit:{SECRET}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {expected}":
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    query = asked.pop(fields["code"], None)
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(fields["code_verifier"].encode()).digest()).rstrip(b"=").decode()
    )
    if query is None or query["code_challenge"] != challenge:
        return JSONResponse({"error": "invalid_grant"}, status_code=400)
    return JSONResponse({"token_type": "Bearer", "access_token": "x", "id_token": id_token(query["nonce"])})


def id_token(nonce: str) -> str:
    claims: dict[str, object] = {
        "iss": ISSUER, "sub": "subject-ada", "aud": "octaudit", "exp": int(time.time()) + 60, "iat": int(time.time()),
        "nonce": nonce, "auth_time": signed_in["at"],
    }  # fmt: skip
    said = dict(changes)
    changes.clear()
    key, algorithm = STRANGE if said.pop("key", None) else KEY, said.pop("alg", "RS256")
    claims = {name: value for name, value in (claims | said).items() if value is not None}
    if algorithm == "none":
        parts = ({"alg": "none"}, claims)
        return (
            ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."
        )
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)


async def say_next(request: Request) -> Response:
    changes.update(await request.json())
    return Response(status_code=204)


routes = [
    Route("/.well-known/openid-configuration", configuration),
    Route("/keys", keys),
    Route("/authorize", authorize),
    Route("/token", token, methods=["POST"]),
    Route("/next", say_next, methods=["POST"]),
]

if __name__ == "__main__":
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=PORT, log_level="error")
