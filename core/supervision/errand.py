"""One command that runs once, writes to our own terminal, and is stopped with us."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from core.supervision.tether import tethered

GRACE_S = 10.0


class Errand:
    """A running command whose output goes where ours goes. Start it from the main thread, like ``Child``."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            tethered(list(command), stop_signal=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to stop, wait a while, insist."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
