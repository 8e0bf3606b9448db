"""What one worker process holds between messages: database, blobs, models, bell. Made in the child, after the fork."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from core.broker import open_bell
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.errors import ScoringError
from core.settings import Settings
from core.storage import open_blob_store
from core.store.queue import waiting_lanes
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.report_process import ProcessKind, ProcessReport
from core.vocabulary import ScanKind
from worker.heartbeat import Heartbeat
from worker.scorer_cache import Loader, ScorerCache

_LOG = logging.getLogger(__name__)
SLICE = timedelta(seconds=20)
"""How long one message keeps a worker at work; then it rings for itself, and other lanes get their turn."""
BROKEN_MODEL = 70
"""Exit code of a process whose model failed on a whole batch (EX_SOFTWARE)."""


class Workplace:
    """One worker process's place at the line."""

    def __init__(self, settings: Settings, load: Loader, *, should_stop: Callable[[], bool]) -> None:
        self._settings = settings
        self._database = open_database(settings, DatabaseRole.WORKER)
        self._blobs = open_blob_store(settings)
        self._models = ScorerCache(load)
        self._bell = open_bell(settings)
        self._heartbeat = Heartbeat.of_worker(settings)
        self._report = ProcessReport(self._database, ProcessKind.WORKER, self._facts)
        self._should_stop = should_stop

    def prepare(self) -> None:
        """Load the models of all lanes now, so that the first scan does not wait for them."""
        for lane in self._settings.worker_lanes:
            self._models.get(lane)
        self._beat(is_forced=True)

    def score_lane(self, lane: ScanKind) -> None:
        """Score what waits in the lane, for the length of a slice; ring again where something is left.

        A model that fails on a whole batch may have broken its process (a CUDA error sticks), so the process ends and
        Celery starts another.
        """
        model = self._models.get(lane)
        self._beat()
        began_s = time.monotonic()
        line = Line(
            database=self._database,
            blobs=self._blobs,
            scorer=model.scorer,
            settings=self._settings,
            card=model.card,
            should_stop=self._should_stop,
            on_progress=self._beat,
        )
        try:
            tally = assess_scans(line, budget=SLICE)
        except ScoringError:
            _LOG.exception("The model failed on a whole batch; this process ends and a fresh one takes over.")
            raise SystemExit(BROKEN_MODEL) from None
        if tally.n_claimed:
            self._report.add_work(
                n_scored=tally.n_scored,
                n_failed=tally.n_failed,
                n_lost=tally.n_lost,
                seconds=time.monotonic() - began_s,
            )
            _LOG.info("Lane %s: %s.", lane.value, tally)
        self._ring_for_the_rest(lane)

    def _ring_for_the_rest(self, lane: ScanKind) -> None:
        if self._should_stop():
            return
        with session_scope(self._database) as session:
            is_waiting = lane in waiting_lanes(session)
        if is_waiting:
            self._bell.ring(lane)

    def _beat(self, *, is_forced: bool = False) -> None:
        self._heartbeat.beat()
        self._report.beat(is_forced=is_forced)

    def _facts(self) -> dict[str, Any]:
        """What the page Queue says of this process."""
        loaded = self._models.loaded()
        uses = [model.device_use() for model in loaded.values()]
        return {
            "lanes": list(self._settings.worker_lanes),
            "batch_size": self._settings.worker_batch_size,
            "models": [
                {"lane": lane, "name": model.scorer.identity.name, "version": model.scorer.identity.version}
                for lane, model in loaded.items()
            ],
            "device": uses[0].device if uses else None,
            "held_bytes": uses[0].held_bytes if uses else None,
            "total_bytes": uses[0].total_bytes if uses else None,
        }

    def close(self) -> None:
        """Say that the process ends, and close the database connections."""
        self._report.end()
        self._database.close()
