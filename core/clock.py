"""The one place that asks what time it is, so that tests and the demo study can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_pretended: ContextVar[datetime | None] = ContextVar("octaudit_pretended_now", default=None)


def now() -> datetime:
    """The present moment, UTC and aware."""
    return _pretended.get() or datetime.now(tz=UTC)


@contextmanager
def pretending(moment: datetime) -> Iterator[None]:
    """While the block runs, ``now()`` is ``moment``, in this thread or task alone."""
    token = _pretended.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _pretended.reset(token)
