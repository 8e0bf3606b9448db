"""A worker or keeper tells of itself in the database: that it is alive, what it has loaded, and what it did.

What cannot be told is logged and told the next time; telling never stops the work.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import OctauditError
from core.store.worker_process import add_process, add_work, beat, end_process, prune_processes

_LOG = logging.getLogger(__name__)
BEAT_EVERY = timedelta(seconds=10)
"""A sign of life more often would only write rows."""
KEEP = timedelta(days=30)
"""Processes that were last alive before that are forgotten, with their hours."""


class ProcessKind(StrEnum):
    """What a process is."""

    WORKER = "worker"
    KEEPER = "keeper"


class ProcessReport:
    """One process's account of itself. ``describe`` gives its facts as JSON; it is asked at every sign of life.

    Safe to use from several threads of the process.
    """

    def __init__(self, database: Database, kind: ProcessKind, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._database = database
        self._kind = kind
        self._describe = describe
        self._name = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns():x}"
        self._process_id: int | None = None
        self._beaten = 0.0
        self._lock = threading.Lock()

    def beat(self, *, is_forced: bool = False) -> None:
        """Give a sign of life, unless the last one was a moment ago."""
        with self._lock:
            moment = time.monotonic()
            if self._process_id is not None and not is_forced and moment - self._beaten < BEAT_EVERY.total_seconds():
                return
            self._beaten = moment
            self._write(lambda session, process_id: beat(session, process_id, self._facts()))

    def add_work(self, *, n_scored: int, n_failed: int, n_lost: int, seconds: float) -> None:
        """Tell what was done; ``seconds`` it took."""
        with self._lock:
            self._write(
                lambda session, process_id: add_work(
                    session, process_id, n_scored=n_scored, n_failed=n_failed, n_lost=n_lost, seconds=seconds
                )
            )

    def end(self) -> None:
        """The process stops in order."""
        with self._lock:
            if self._process_id is not None:
                self._write(end_process)

    def _facts(self) -> dict[str, Any]:
        return {"host": socket.gethostname(), "pid": os.getpid(), **self._describe()}

    def _write(self, act: Callable[[Session, int], None]) -> None:
        try:
            with session_scope(self._database) as session:
                process_id = self._process_id
                if process_id is None:
                    process_id = add_process(session, name=self._name, kind=self._kind.value, facts=self._facts())
                act(session, process_id)
            self._process_id = process_id
        except (SQLAlchemyError, OctauditError):
            _LOG.warning("This process could not tell of itself; it tries again.", exc_info=True)


def forget_old_processes(database: Database) -> int:
    """Forget processes that were last alive long ago; return how many."""
    with session_scope(database) as session:
        return prune_processes(session, before=now() - KEEP)
