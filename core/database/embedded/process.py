"""One server as a child process that cannot outlive its owner. Knows nothing of PostgreSQL or Redis."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.database.embedded import launch
from core.database.embedded.account import Account
from core.errors import ServerError

START_TIMEOUT_S = 60.0
"""A cold start after a crash replays the write-ahead log; on two busy cores that took up to 8 s."""
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02
_LOG_TAIL_BYTES = 2000


class ServerProcess:
    """A running child. Ends with ``stop``, or by ``death_signal`` from the kernel when the owner ends in any way."""

    def __init__(
        self, name: str, command: Sequence[str], *, account: Account, log_file: Path, death_signal: signal.Signals
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            # The kernel sends the death signal when the *thread* that forked ends.
            raise ServerError(f"{name} must be started from the main thread.", remedy="Start it before any thread.")
        self.name = name
        self._signal = death_signal
        self._log_file = log_file
        identity = (account.uid, account.gid) if account.is_other else (-1, -1)
        words = [os.getpid(), int(death_signal), *identity]
        with log_file.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own launcher and a program found by binaries.py
                [sys.executable, "-I", "-S", launch.__file__, *map(str, words), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,  # Ctrl-C in the terminal goes to the owner, which stops us in order
            )

    @property
    def pid(self) -> int:
        """The server's process id (the launcher becomes the server, so it stays the same)."""
        return self._child.pid

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Return once ``is_ready()`` is True; raise ServerError when the server ends first or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            if self._child.poll() is not None:
                raise ServerError(
                    f"{self.name} ended at once (exit {self._child.returncode}): {self.log_tail()}",
                    remedy=f"Its log is {self._log_file}.",
                )
            if time.monotonic() > deadline:
                self.stop()
                raise ServerError(
                    f"{self.name} did not answer within {START_TIMEOUT_S:.0f} s.",
                    remedy=f"Its log is {self._log_file}.",
                )
            time.sleep(_POLL_S)

    def is_running(self) -> bool:
        """Whether the child is alive."""
        return self._child.poll() is None

    def stop(self) -> None:
        """Ask the server to end (PostgreSQL: SIGINT, roll back and shut down) and wait; then insist."""
        for step in (self._signal, signal.SIGQUIT, signal.SIGKILL):
            if self._child.poll() is not None:
                return
            self._child.send_signal(step)
            try:
                self._child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue

    def log_tail(self) -> str:
        """The last lines that the server wrote, on one line."""
        if not self._log_file.exists():
            return "(no log)"
        tail = self._log_file.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return " | ".join(tail.strip().splitlines()[-5:])
