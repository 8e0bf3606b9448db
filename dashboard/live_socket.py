"""A page's websocket that ends soon after its session does: the gate alone sees it only when it opens."""

import asyncio
import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHECK_EVERY_S = 10.0
"""An open page of a disabled person is cut off within this time; each step it takes is refused at once anyway."""
_LOG = logging.getLogger(__name__)
_POLICY_VIOLATION = 1008


async def run_while_live(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, is_live: Callable[[], bool]
) -> None:  # fmt: skip
    """Run a websocket until either side closes it or ``is_live`` says that its session has ended."""
    ended = asyncio.Event()
    is_closed = False

    async def next_message() -> Message:
        nonlocal is_closed
        coming, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())
        await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if coming.done():
            return coming.result()
        coming.cancel()
        if not is_closed:
            is_closed = True
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "the session has ended"})
        return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

    async def send_while_open(message: Message) -> None:
        if not is_closed:
            await send(message)

    watch = asyncio.ensure_future(_watch(is_live, ended))
    try:
        await app(scope, next_message, send_while_open)
    finally:
        watch.cancel()


async def _watch(is_live: Callable[[], bool], ended: asyncio.Event) -> None:
    while not ended.is_set():
        await asyncio.sleep(CHECK_EVERY_S)
        try:
            if not await run_in_threadpool(is_live):
                ended.set()
        except Exception:  # noqa: BLE001 - a database that does not answer for a moment ends nobody's work
            _LOG.warning("It could not be asked whether a page's session is live; asked again soon.")
