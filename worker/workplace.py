"""What one worker process holds between messages: database, blobs, models, bell. Made in the child, after the fork."""

import logging
from collections.abc import Callable
from datetime import timedelta

from core.broker import open_bell
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.errors import ScoringError
from core.settings import Settings
from core.storage import open_blob_store
from core.store.queue import waiting_lanes
from core.usecases.assess_scans import Line, assess_scans
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
        self._should_stop = should_stop

    def prepare(self) -> None:
        """Load the models of all lanes now, so that the first scan does not wait for them."""
        for lane in self._settings.worker_lanes:
            self._models.get(lane)
        self._heartbeat.beat()

    def score_lane(self, lane: ScanKind) -> None:
        """Score what waits in the lane, for the length of a slice; ring again where something is left.

        A model that fails on a whole batch may have broken its process (a CUDA error sticks), so the process ends and
        Celery starts another.
        """
        model = self._models.get(lane)
        self._heartbeat.beat()
        line = Line(
            database=self._database,
            blobs=self._blobs,
            scorer=model.scorer,
            settings=self._settings,
            card=model.card,
            should_stop=self._should_stop,
            on_progress=self._heartbeat.beat,
        )
        try:
            tally = assess_scans(line, budget=SLICE)
        except ScoringError:
            _LOG.exception("The model failed on a whole batch; this process ends and a fresh one takes over.")
            raise SystemExit(BROKEN_MODEL) from None
        if tally.n_claimed:
            _LOG.info("Lane %s: %s.", lane.value, tally)
        self._ring_for_the_rest(lane)

    def _ring_for_the_rest(self, lane: ScanKind) -> None:
        if self._should_stop():
            return
        with session_scope(self._database) as session:
            is_waiting = lane in waiting_lanes(session)
        if is_waiting:
            self._bell.ring(lane)

    def close(self) -> None:
        """Close the database connections."""
        self._database.close()
