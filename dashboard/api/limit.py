"""How many requests a program may send: a bucket per client, and how often refusals are noted. Knows no route."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import ceil

from core.errors import OctauditError


class TooManyRequestsError(OctauditError):
    """The client sends more than its share. ``retry_after_s`` is when the next request is let through, in seconds."""

    def __init__(self, per_minute: int, retry_after_s: int) -> None:
        super().__init__(
            f"More than {per_minute} requests a minute.", remedy=f"Wait {retry_after_s} s, then go on more slowly."
        )
        self.retry_after_s = retry_after_s


@dataclass
class RequestLimit:
    """A bucket per client that holds a minute's requests and fills evenly; one per dashboard process.

    A program that was quiet may send a minute's worth at once, and ``per_minute`` in the long run.
    """

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    """Client: what is left, and when that was so."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, client: Hashable) -> None:
        """Let one request through, or raise TooManyRequestsError."""
        rate = self.per_minute / 60
        with self._lock:
            now = self.clock()
            left, at = self._buckets.get(client, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - at) * rate)
            if left < 1:
                self._buckets[client] = (left, now)
                raise TooManyRequestsError(self.per_minute, max(1, ceil((1 - left) / rate)))
            self._buckets[client] = (left - 1, now)


@dataclass
class OnceAnHour:
    """Whether something may be written down again: a script that goes on asking must not fill the audit trail."""

    clock: Callable[[], float] = time.monotonic
    _noted: dict[Hashable, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_due(self, what: Hashable) -> bool:
        """True the first time within an hour."""
        with self._lock:
            now = self.clock()
            if now - self._noted.get(what, float("-inf")) < 3600:  # noqa: PLR2004 - an hour in seconds
                return False
            self._noted[what] = now
            return True
