"""Looks for work without being told: at start and every half minute a worker rings the bells of its own lanes.

So a bell that got lost, or a worker that missed one while Redis was away, costs half a minute and not a scan.
"""

import threading

from core.broker import open_bell
from core.settings import Settings


class Sweep:
    """A thread of the worker's parent process. It only rings; the child then looks into the database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, **_: object) -> None:
        """Start ringing; called each time the worker gets ready, of which only the first counts."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
            self._thread.start()

    def stop(self, **_: object) -> None:
        """Ring no more."""
        self._ended.set()

    def _run(self) -> None:
        bell = open_bell(self._settings)
        while not self._ended.is_set():
            for lane in self._settings.worker_lanes:
                bell.ring(lane)
            self._ended.wait(self._settings.worker_sweep_interval.total_seconds())
