"""The size of a request's body, held at the server's door: forms and JSON are small, uploads have their own limit."""

import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 4_000_000
"""The table of a batch of 2,000 files with every column filled is about 1 MB of JSON."""
STREAMED = re.compile(r"/api/v1/(batches/[^/]+/(files|manifest)|mask-rounds/[^/]+/files)")
"""Routes that stream to disk and stop at OCTAUDIT_UPLOAD_MAX_FILE_MB themselves (dashboard/api/spool.py)."""
_ANSWER = {
    "code": "too_large",
    "message": f"The request is larger than {MAX_BODY_BYTES / 1e6:.0f} MB.",
    "remedy": "Send it in parts; files go to /api/v1/batches/ID/files.",
}


class BodyLimit:
    """ASGI middleware that answers 413 as soon as a body is announced or found to be too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is small enough."""
        if scope["type"] != "http" or STREAMED.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            await JSONResponse(_ANSWER, status_code=413)(scope, receive, send)
            return
        await _Counted(scope, receive, send).run(self._app)


class _Counted:
    """One request whose body is counted as it comes; too much of it ends the request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._n_bytes = 0
        self._is_answered = False
        self._is_over = False

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._next, self._answer)
        except Exception:
            if not self._is_over:  # an application that is told of a lost connection may say so
                raise

    async def _next(self) -> Message:
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes <= MAX_BODY_BYTES:
            return message
        if not self._is_over and not self._is_answered:
            await JSONResponse(_ANSWER, status_code=413)(self._scope, self._receive, self._send)
        self._is_over = True
        return {"type": "http.disconnect"}

    async def _answer(self, message: Message) -> None:
        if not self._is_over:
            self._is_answered = True
            await self._send(message)
