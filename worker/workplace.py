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
from core.scoring.contract import Scorer
from core.settings import Settings
from core.storage import open_blob_store
from core.store.model_choice import ModelChoice
from core.store.queue import waiting_lanes
from core.store.rescoring_queue import is_anything_ready
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.record_assessments import Tally
from core.usecases.report_process import ProcessKind, ProcessReport
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import ScanKind
from worker.heartbeat import Heartbeat
from worker.scorer_cache import LoadedModel, Loader
from worker.served_models import ServedModels

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
        self._models = ServedModels(self._database, self._blobs, load, settings.home / "models")
        self._bell = open_bell(settings)
        self._heartbeat = Heartbeat.of_worker(settings)
        self._report = ProcessReport(self._database, ProcessKind.WORKER, self._facts)
        self._should_stop = should_stop

    def prepare(self) -> None:
        """Load the models of all lanes now, so that the first scan does not wait for them."""
        for lane in self._settings.worker_lanes:
            self._models.own(lane)
        self._beat(is_forced=True)

    def score_lane(self, lane: ScanKind) -> None:
        """Score what waits in the lane, for the length of a slice; ring again where something is left.

        Scans that are only to be scored again come when no other waits. A model that fails on a whole batch may have
        broken its process (a CUDA error sticks), so the process ends and Celery starts another.
        """
        serving = self._models.serving(lane)
        self._beat()
        began_s = time.monotonic()
        deadline_s = began_s + SLICE.total_seconds()
        tally = Tally()
        try:
            for choice, model in serving:
                tally += self._assess(choice, model, deadline_s)
            n_again = self._rescore(lane, deadline_s)
        except ScoringError:
            _LOG.exception("The model failed on a whole batch; this process ends and a fresh one takes over.")
            raise SystemExit(BROKEN_MODEL) from None
        if tally.n_claimed or n_again:
            self._report.add_work(
                n_scored=tally.n_scored + n_again,
                n_failed=tally.n_failed,
                n_lost=tally.n_lost,
                seconds=time.monotonic() - began_s,
            )
            _LOG.info("Lane %s: %s; %d seen to again.", lane.value, tally, n_again)
        self._ring_for_the_rest(lane, has_worked=bool(tally.n_claimed or n_again))

    def _assess(self, choice: ModelChoice, model: LoadedModel, deadline_s: float) -> Tally:
        """Score the scans that one model is for, up to the slice's end."""
        line = Line(
            database=self._database,
            blobs=self._blobs,
            scorer=model.scorer,
            settings=self._settings,
            card=model.card,
            choice=choice,
            should_stop=self._should_stop,
            on_progress=self._beat,
        )
        return assess_scans(line, budget=timedelta(seconds=max(0.0, deadline_s - time.monotonic())))

    def _rescore(self, lane: ScanKind, deadline_s: float) -> int:
        """Score again what is ordered, while nothing else waits; how many scans."""

        def should_pause() -> bool:
            self._beat()
            return self._should_stop() or time.monotonic() > deadline_s or self._is_waiting(lane)

        def scorer_of(version_id: int) -> Scorer | None:
            model = self._models.version(lane, version_id)
            return None if model is None else model.scorer

        return rescore_scans(
            SideLine(self._database, self._blobs, lane, scorer_of, self._settings, should_pause=should_pause)
        )

    def _is_waiting(self, lane: ScanKind) -> bool:
        with session_scope(self._database) as session:
            return lane in waiting_lanes(session)

    def _ring_for_the_rest(self, lane: ScanKind, *, has_worked: bool) -> None:
        """Ring where something is left; what waits for a model that cannot be loaded is left to the sweep."""
        if self._should_stop() or (self._models.faults() and not has_worked):
            return
        with session_scope(self._database) as session:
            is_left = lane in waiting_lanes(session) or is_anything_ready(session, lane)
        if is_left:
            self._bell.ring(lane)

    def _beat(self, *, is_forced: bool = False) -> None:
        self._heartbeat.beat()
        self._report.beat(is_forced=is_forced)

    def _facts(self) -> dict[str, Any]:
        """What the page Queue says of this process."""
        loaded = self._models.loaded()
        uses = [model.device_use() for _, model in loaded]
        return {
            "lanes": list(self._settings.worker_lanes),
            "batch_size": self._settings.worker_batch_size,
            "models": [
                {"lane": lane, "name": model.scorer.identity.name, "version": model.scorer.identity.version}
                for lane, model in loaded
            ],
            "faults": [
                {"version_id": version_id, "fault": fault} for version_id, fault in self._models.faults().items()
            ],
            "device": uses[0].device if uses else None,
            "held_bytes": uses[0].held_bytes if uses else None,
            "total_bytes": uses[0].total_bytes if uses else None,
        }

    def close(self) -> None:
        """Say that the process ends, and close the database connections."""
        self._report.end()
        self._database.close()
