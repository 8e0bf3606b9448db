"""One process that we own: started tethered to us, its output kept in a rotated log, stopped in order or by force."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from core.supervision.tether import tethered

LOG_BYTES = 5_000_000
LOG_COPIES = 4
"""At most 25 MB of log per program: weeks of a quiet installation, and never a full disk."""

Echo = Callable[[str, str], None]
"""Called with a program's name and each line it prints."""


@dataclass(frozen=True)
class Program:
    """What to run and how to stop it.

    Attributes
    ----------
    environment : mapping
        Added to our own environment.
    grace : timedelta
        How long it may take to stop on ``stop_signal`` before it is killed.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: timedelta = timedelta(seconds=10)


class Child:
    """A running program. Start it from the main thread: the kernel tethers it to the *thread* that started it."""

    def __init__(self, program: Program, log_folder: Path, echo: Echo | None = None) -> None:
        self.program = program
        self.log_path = log_folder / f"{program.name}.log"
        self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            tethered(list(program.command), stop_signal=program.stop_signal),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.environment},
            start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we stop the others in order
        )
        assert self._process.stdout is not None
        self._pump = threading.Thread(target=self._keep_log, args=(self._process.stdout, echo), daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """Process id; it is also the id of the child's process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send the program's stop signal, once, and return."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.program.stop_signal)

    def wait_until_stopped(self) -> bool:
        """Wait out the grace, then kill whatever is left of its process group. False: it had to be killed."""
        try:
            self._process.wait(self.program.grace.total_seconds())
            is_orderly = True
        except subprocess.TimeoutExpired:
            is_orderly = False
        self._kill_group()
        self._process.wait()
        self._pump.join(timeout=5)
        return is_orderly

    def _kill_group(self) -> None:
        """Kill the child and the children it forked (they stay in its group, even after it is gone)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _keep_log(self, output: IO[bytes], echo: Echo | None) -> None:
        """Copy the child's output to its log until the child closes it."""
        handler = RotatingFileHandler(self.log_path, maxBytes=LOG_BYTES, backupCount=LOG_COPIES, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s | %(message)s"))
        with contextlib.closing(handler), output:
            for raw in output:
                line = raw.decode("utf-8", errors="replace").rstrip()
                handler.emit(logging.LogRecord(self.program.name, logging.INFO, "", 0, line, None, None))
                if echo is not None:
                    echo(self.program.name, line)
