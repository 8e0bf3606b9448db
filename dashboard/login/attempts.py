"""How many failed sign-ins are let through before the door stays shut for a while. Knows no password."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class AttemptLimit:
    """Counts failures per key in a sliding window; one per dashboard process.

    ``most`` failures within ``window_s`` seconds shut a key. Ten a quarter of an hour leave room for a person who
    tries old passwords and leave 960 guesses a day to a stranger.
    """

    most: int = 10
    window_s: float = 900.0
    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds_shut(self, key: str) -> int:
        """Seconds until ``key`` may try again; 0 where it may now."""
        with self._lock:
            failures = self._failures.get(key)
            if failures is None:
                return 0
            horizon = self.clock() - self.window_s
            while failures and failures[0] <= horizon:
                failures.popleft()
            if not failures:
                del self._failures[key]  # else every name ever tried would stay in memory
                return 0
            return 0 if len(failures) < self.most else max(1, int(failures[-self.most] - horizon) + 1)

    def note_failure(self, key: str) -> None:
        """Count one failure against ``key``."""
        with self._lock:
            self._failures[key].append(self.clock())

    def forget(self, key: str) -> None:
        """A success clears the key."""
        with self._lock:
            self._failures.pop(key, None)
