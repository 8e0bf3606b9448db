"""An open page is cut off when its session ends; while it lives, messages pass in both directions."""

import asyncio

import pytest
from starlette.types import Message

import dashboard.live_socket
from dashboard.live_socket import run_while_live


def play(
    is_live: list[bool], coming: list[Message], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Message], list[Message]]:
    """What an application that echoes gets and what the browser gets; ``is_live`` are the answers, the last one stays."""
    monkeypatch.setattr(dashboard.live_socket, "CHECK_EVERY_S", 0.01)
    got: list[Message] = []
    sent: list[Message] = []

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        await asyncio.sleep(30)
        raise AssertionError("the socket was left open")

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: object, receive_: object, send_: object) -> None:
        while True:
            message = await receive_()  # type: ignore[operator]
            got.append(message)
            await send_({"type": "websocket.send", "text": message.get("text", "")})  # type: ignore[operator]
            if message["type"] == "websocket.disconnect":
                return

    def ask() -> bool:
        return is_live.pop(0) if len(is_live) > 1 else is_live[0]

    asyncio.run(run_while_live(app, {}, receive, send, is_live=ask))  # type: ignore[arg-type]
    return got, sent


def test_a_socket_whose_session_ended_is_closed_and_nothing_is_sent_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    got, sent = play([True, True, False], [{"type": "websocket.receive", "text": "a"}], monkeypatch)
    assert [message["type"] for message in got] == ["websocket.receive", "websocket.disconnect"]
    assert sent == [
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.close", "code": 1008, "reason": "the session has ended"},
    ]


def test_a_browser_that_leaves_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    got, sent = play([True], [{"type": "websocket.disconnect", "code": 1001}], monkeypatch)
    assert got == [{"type": "websocket.disconnect", "code": 1001}]
    assert all(message["type"] == "websocket.send" for message in sent)


def test_a_database_that_does_not_answer_ends_nobodys_work(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([RuntimeError("down"), True, False])

    class Asked(list):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 2

        def pop(self, _index: int) -> bool:  # type: ignore[override]
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    got, _ = play(Asked(), [], monkeypatch)
    assert [message["type"] for message in got] == ["websocket.disconnect"]
