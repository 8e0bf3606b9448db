"""Scores what waits in one lane: claim, load, score as a batch, judge, write; the next batch loads meanwhile.

The scan table is the queue (core.store.queue). A scan that already cost an attempt is scored alone, with nothing else
claimed, so that it can harm nobody but itself.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from core.broker import NullBell
from core.database.session import Database, session_scope
from core.errors import ScoringError
from core.scoring.contract import ScanFailure, ScanInput, Scorer, batch_limit
from core.settings import Settings
from core.storage import BlobStore
from core.store.case import ScanCase, read_cases
from core.store.model_choice import ModelChoice
from core.store.queue import Claim, claim_scans, record_failure, release_claim
from core.usecases.fit_to_protocol import fit_to_protocol
from core.usecases.record_assessments import ScoredBatch, Tally, record_assessments
from core.usecases.renew_leases import LeaseRenewal
from core.usecases.return_leases import return_leases
from core.usecases.scan_pixels import load_scan, store_pictures
from core.values import ScanScores

_LOG = logging.getLogger(__name__)
_IO_THREADS = 4
"""Files read or fsynced side by side; the disk waits, not the processor."""
NO_LIMIT = timedelta.max


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """Claimed scans with their pixels, and those whose pixels could not be had."""

    claim: Claim
    cases: Mapping[int, ScanCase]
    inputs: list[ScanInput]
    failures: list[ScanFailure]


@dataclass(frozen=True, slots=True)
class Line:
    """Everything one worker needs to score a lane. ``card`` is the model card that is stored with the scores.

    ``choice`` says which scans the model is for; None: every scan of the lane.
    ``should_stop`` is asked between batches; ``on_progress`` is called after each written one.
    """

    database: Database
    blobs: BlobStore
    scorer: Scorer
    settings: Settings
    card: Mapping[str, Any] = field(default_factory=dict)
    choice: ModelChoice | None = None
    should_stop: Callable[[], bool] = _never
    on_progress: Callable[[], None] = _nothing


def assess_scans(line: Line, *, budget: timedelta = NO_LIMIT) -> Tally:
    """Score until nothing is ready, ``should_stop`` says so or the budget is used up; return what became of the scans.

    Raises
    ------
    ScoringError
        The scorer failed on a whole batch. Its scans were noted as failed once; the caller should load the model anew.
    """
    deadline = time.monotonic() + budget.total_seconds()
    tally = Tally()
    with session_scope(line.database) as session:
        return_leases(session, max_losses=line.settings.worker_max_losses, bell=NullBell())
    with (
        LeaseRenewal(line.database, line.settings) as leases,
        ThreadPoolExecutor(_IO_THREADS, "scan-io") as io,
        ThreadPoolExecutor(2, "scan-batch") as beside,
    ):
        steps = _Steps(line, leases, io)
        while time.monotonic() < deadline and not line.should_stop():
            batch = steps.take(is_fresh_only=False)
            if not batch.claim:
                break
            if batch.claim.is_suspect:
                tally += steps.write(batch, steps.score(batch))
            else:
                tally += _overlap(steps, batch, beside, deadline)
    return tally


def _overlap(steps: "_Steps", batch: LoadedBatch, beside: ThreadPoolExecutor, deadline: float) -> Tally:
    """Score fresh batches one after the other; beside the forward pass the next one loads and the last is written."""
    tally = Tally()
    writing: Future[Tally] | None = None
    ahead: Future[LoadedBatch] | None = None
    try:
        while batch.claim:
            ahead = beside.submit(steps.take, is_fresh_only=True)
            results = steps.score(batch)
            if writing is not None:
                tally += writing.result()
            writing = beside.submit(steps.write, batch, results)
            batch = ahead.result()
            ahead = None
            if steps.line.should_stop() or time.monotonic() > deadline:
                break
        steps.release(batch)
    except BaseException:
        if ahead is not None:
            steps.release(ahead.result())
        raise
    finally:
        if writing is not None:
            tally += writing.result()
    return tally


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of the line, each with its own transaction."""

    line: Line
    leases: LeaseRenewal
    io: ThreadPoolExecutor

    def take(self, *, is_fresh_only: bool) -> LoadedBatch:
        """Claim up to a batch, commit, and load the images."""
        settings = self.line.settings
        with session_scope(self.line.database) as session:
            claim = claim_scans(
                session,
                lane=self.line.scorer.kind,
                limit=batch_limit(self.line.scorer.kind, settings.worker_batch_size),
                lease=settings.worker_lease,
                is_fresh_only=is_fresh_only,
                choice=self.line.choice,
            )
            cases = read_cases(session, claim.scan_ids) if claim else {}
        if claim:
            self.leases.hold(claim)
        loaded = list(self.io.map(self._load, (cases[scan_id] for scan_id in claim.scan_ids)))
        return LoadedBatch(
            claim,
            cases,
            inputs=[scan for scan in loaded if isinstance(scan, ScanInput)],
            failures=[scan for scan in loaded if isinstance(scan, ScanFailure)],
        )

    def _load(self, case: ScanCase) -> ScanInput | ScanFailure:
        if case.in_force is None:
            message = "The study has no protocol version. Publish one, then queue the scan again."
            return ScanFailure(str(case.scan_id), message, is_transient=False)
        return load_scan(self.line.blobs, case)

    def score(self, batch: LoadedBatch) -> list[ScanScores | ScanFailure]:
        """Score the batch; where the scorer fails on all of it, note one failed attempt for each scan and raise."""
        if not batch.inputs:
            return list(batch.failures)
        try:
            return [*self.line.scorer.score(batch.inputs), *batch.failures]
        except Exception as error:
            self._fail_all(batch, f"The model failed: {type(error).__name__}: {error}")
            raise ScoringError(
                f"The model failed on a batch of {len(batch.inputs)}: {type(error).__name__}: {error}",
                remedy="The scans are tried again, one at a time.",
            ) from error

    def write(self, batch: LoadedBatch, results: list[ScanScores | ScanFailure]) -> Tally:
        """Store the pictures, then judge and write everything in one transaction.

        Where that fails, nothing of the batch is written but one failed attempt for each scan; they come again alone.
        """
        try:
            tally = self._write(batch, results)
        except Exception as error:
            self._fail_all(batch, f"The scores could not be written: {type(error).__name__}: {error}")
            raise
        self.leases.drop(batch.claim)
        self.line.on_progress()
        return tally

    def _write(self, batch: LoadedBatch, results: list[ScanScores | ScanFailure]) -> Tally:
        scores = [result for result in results if isinstance(result, ScanScores)]
        fitted = (self._fitted(batch, result) for result in scores)
        stored = self.io.map(lambda result: store_pictures(self.line.blobs, result), fitted)
        scored = {int(scan.scores.key): scan for scan in stored}
        failures = [result for result in results if isinstance(result, ScanFailure)]
        with session_scope(self.line.database) as session:
            return record_assessments(
                session,
                ScoredBatch(batch.claim, batch.cases, scored, failures),
                identity=self.line.scorer.identity,
                calibration=self.line.scorer.calibration,
                card=self.line.card,
                max_failures=self.line.settings.worker_max_failures,
            )

    def _fail_all(self, batch: LoadedBatch, message: str) -> None:
        """Note one failed attempt for each scan of a batch."""
        with session_scope(self.line.database) as session:
            for scan_id in batch.claim.scan_ids:
                record_failure(
                    session,
                    batch.claim,
                    scan_id,
                    message=message,
                    is_transient=True,
                    max_failures=self.line.settings.worker_max_failures,
                )
        self.leases.drop(batch.claim)

    def _fitted(self, batch: LoadedBatch, scores: ScanScores) -> ScanScores:
        case = batch.cases[int(scores.key)]
        assert case.in_force is not None, "a scan without a protocol was not loaded"
        return fit_to_protocol(scores, case.in_force.protocol, case.scale, self.line.scorer.calibration)

    def release(self, batch: LoadedBatch) -> None:
        """Give a batch back that was claimed ahead and will not be scored."""
        if not batch.claim:
            return
        with session_scope(self.line.database) as session:
            release_claim(session, batch.claim)
        self.leases.drop(batch.claim)
