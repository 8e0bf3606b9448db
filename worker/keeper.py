"""The periodic process: leases, bells, counts, seals, alerts, reports, tidying up.

Every duty is safe to run from several keepers at once and after any pause. One that fails is logged and does not keep
the others from their turn. Run it as `python -m worker.keeper`.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from core.broker import Bell, open_bell
from core.clock import now
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.reports.send_reports import send_reports
from core.settings import Settings, load_settings
from core.storage import BlobStore, open_blob_store
from core.store.queue import waiting_lanes
from core.store.rate import FOLD_LIMIT, fold_deltas
from core.usecases.adopt_scores import carry_out_adoptions
from core.usecases.confirm_address import send_codes
from core.usecases.deliver_alerts import deliver_alerts
from core.usecases.end_sessions import close_expired_sessions
from core.usecases.hand_out_gradings import hand_out_gradings
from core.usecases.prune_alerts import prune_alerts
from core.usecases.prune_storage import KEEP_UNUSED, prune_blobs, prune_drafts
from core.usecases.raise_alerts import raise_alerts
from core.usecases.re_evaluate import carry_out_re_evaluations
from core.usecases.report_process import ProcessKind, ProcessReport, forget_old_processes
from core.usecases.return_leases import return_leases
from core.usecases.schedule_reports import ask_due
from core.usecases.seal_audit import seal_audit
from core.usecases.take_reports import make_each
from core.usecases.verify_audit import check_audit
from worker.heartbeat import Heartbeat
from worker.report_child import make_apart

_LOG = logging.getLogger(__name__)
_TICK_S = 0.5


@dataclass(slots=True)
class Duty:
    """Something to do again and again. ``due_at`` is on the monotonic clock; zero: at once."""

    name: str
    every: timedelta
    act: Callable[[], object]
    due_at: float = field(default=0.0)
    done_at: datetime | None = None
    """When it was last done."""
    has_failed: bool = False
    """Whether its latest turn failed."""

    def do_if_due(self) -> bool:
        """Do it where its time has come; return whether it was done and did not fail."""
        if time.monotonic() < self.due_at:
            return False
        self.due_at = time.monotonic() + self.every.total_seconds()
        try:
            self.act()
        except Exception:  # noqa: BLE001 - logged, and tried again at its next turn
            _LOG.exception("The keeper could not %s; it tries again in %s.", self.name, self.every)
            self.has_failed = True
            return False
        self.done_at, self.has_failed = now(), False
        return True


class Keeper:
    """The duties over one worker's database, one sealer's, the blob store and the bell."""

    def __init__(self, settings: Settings, *, worker: Database, sealer: Database, blobs: BlobStore, bell: Bell) -> None:
        self._settings = settings
        self._worker = worker
        self._sealer = sealer
        self._blobs = blobs
        self._bell = bell
        self._sender = threading.Thread()
        self._maker = threading.Thread()
        self._judge = threading.Thread()
        self._checker = threading.Thread()
        self._heartbeat = Heartbeat.of_keeper(settings)
        self._report = ProcessReport(worker, ProcessKind.KEEPER, self._facts)
        self.duties: Sequence[Duty] = (
            Duty("fold the counts", timedelta(seconds=3), self.fold),
            Duty("return expired leases", timedelta(seconds=10), self.return_leases),
            Duty("ring for waiting lanes", settings.worker_sweep_interval, self.ring),
            Duty("hand out scans to grade", timedelta(seconds=15), self.hand_out_gradings),
            Duty("seal the audit trail", timedelta(seconds=5), self.seal),
            Duty("seal audit events left behind", timedelta(hours=1), self.seal_thoroughly),
            Duty("check the audit trail", settings.audit_check_interval, self.check_audit),
            Duty("close sessions that ran out", timedelta(minutes=1), self.close_sessions),
            Duty("raise alerts", settings.alert_interval, self.raise_alerts),
            Duty("send alerts", timedelta(seconds=15), self.send_alerts),
            Duty("judge scans again", timedelta(seconds=5), self.re_evaluate),
            Duty("make reports", timedelta(seconds=2), self.make_reports),
            Duty("remove what is old and unused", timedelta(hours=1), self.prune),
        )

    def run(self, ended: threading.Event) -> None:
        """Do every duty at its time until ``ended`` is set."""
        while not ended.is_set():
            n_done = sum(duty.do_if_due() for duty in self.duties)
            if n_done:
                self._heartbeat.beat()
            self._report.beat()
            ended.wait(_TICK_S)
        self._report.end()

    def _facts(self) -> dict[str, Any]:
        """What the page Queue says of this process."""
        return {
            "duties": [
                {
                    "name": duty.name,
                    "every_s": duty.every.total_seconds(),
                    "done_at": duty.done_at.isoformat() if duty.done_at else None,
                    "has_failed": duty.has_failed,
                }
                for duty in self.duties
            ]
        }

    def fold(self) -> None:
        """Fold all deltas that there are, a bounded number per transaction."""
        n_folded = FOLD_LIMIT
        while n_folded == FOLD_LIMIT:
            with session_scope(self._worker) as session:
                n_folded = fold_deltas(session)

    def return_leases(self) -> None:
        """Take scans back from lost workers."""
        with session_scope(self._worker) as session:
            return_leases(session, max_losses=self._settings.worker_max_losses, bell=self._bell)

    def ring(self) -> None:
        """Ring for every lane that has a scan ready, for workers that missed a bell."""
        with session_scope(self._worker) as session:
            lanes = waiting_lanes(session)
        for lane in lanes:
            self._bell.ring(lane)

    def hand_out_gradings(self) -> None:
        """Give drawn scans to graders, and what they have graded to its consensus or its adjudicator."""
        done = hand_out_gradings(self._worker)
        if any((done.n_assigned, done.n_settled, done.n_to_adjudicate, done.n_withdrawn)):
            _LOG.info(
                "Handed out %d scans to grade, withdrew %d; settled %d, passed %d on.",
                done.n_assigned, done.n_withdrawn, done.n_settled, done.n_to_adjudicate,
            )  # fmt: skip

    def seal(self) -> None:
        """Chain the audit events that are old enough."""
        seal_audit(self._sealer, self._settings)

    def seal_thoroughly(self) -> None:
        """Look for events that settled after newer ones had been sealed."""
        seal_audit(self._sealer, self._settings, is_thorough=True)

    def check_audit(self) -> None:
        """Recompute the chain beside the other duties: over years it grows to minutes."""
        if not self._checker.is_alive():
            self._checker = threading.Thread(target=self._check, name="check-audit", daemon=True)
            self._checker.start()

    def _check(self) -> None:
        try:
            for fault in check_audit(self._sealer, self._settings).faults:
                _LOG.error("The audit trail: %s", fault)
        except Exception:  # noqa: BLE001 - logged, and tried again at the next turn
            _LOG.exception("The keeper could not check the audit trail; it tries again later.")

    def close_sessions(self) -> None:
        """Write down which sessions ran out."""
        close_expired_sessions(self._worker)

    def raise_alerts(self) -> None:
        """Open alerts for what has arisen and end those that are over."""
        raised = raise_alerts(self._worker, self._settings)
        if raised.n_opened or raised.n_ended:
            _LOG.info("Opened %d alerts and ended %d.", raised.n_opened, raised.n_ended)

    def send_alerts(self) -> None:
        """Send what is due beside the other duties: a silent mail server must not keep leases from being returned."""
        if not self._sender.is_alive():
            self._sender = threading.Thread(target=self._send, name="send-alerts", daemon=True)
            self._sender.start()

    def _send(self) -> None:
        try:
            send_codes(self._worker, self._settings)
            deliver_alerts(self._worker, self._settings)
        except Exception:  # noqa: BLE001 - logged, and tried again at the next turn
            _LOG.exception("The keeper could not send alerts; it tries again soon.")

    def re_evaluate(self) -> None:
        """Carry out ordered re-evaluations and adoptions beside the other duties: a whole programme takes minutes."""
        if not self._judge.is_alive():
            self._judge = threading.Thread(target=self._re_evaluate, name="re-evaluate", daemon=True)
            self._judge.start()

    def _re_evaluate(self) -> None:
        try:
            n_visits = carry_out_re_evaluations(self._worker, self._blobs)
            n_adopted = carry_out_adoptions(self._worker)
        except Exception:  # noqa: BLE001 - logged; it goes on where it stopped at the next turn
            _LOG.exception("The keeper could not judge scans again; it tries again soon.")
            return
        if n_visits or n_adopted:
            _LOG.info("Judged the scans of %d visits again; let other scores of %d scans count.", n_visits, n_adopted)

    def make_reports(self) -> None:
        """Make (in a process of its own) and send reports beside the other duties: a large one takes seconds."""
        if not self._maker.is_alive():
            self._maker = threading.Thread(target=self._make, name="make-reports", daemon=True)
            self._maker.start()

    def _make(self) -> None:
        try:
            ask_due(self._worker)
            make_each(self._worker, lambda report_id: make_apart(self._worker, report_id))
            send_reports(self._worker, self._settings, self._blobs)
        except Exception:  # noqa: BLE001 - logged, and tried again at the next turn
            _LOG.exception("The keeper could not make reports; it tries again soon.")

    def prune(self) -> None:
        """Remove drafts that nobody finished, files that no row names, and alerts that are long over."""
        before = now() - KEEP_UNUSED
        n_drafts = prune_drafts(self._worker, before=before)
        n_blobs = prune_blobs(self._worker, self._blobs, before=before)
        if n_drafts or n_blobs:
            _LOG.info("Removed %d old drafts and %d unused files.", n_drafts, n_blobs)
        forget_old_processes(self._worker)
        n_alerts = prune_alerts(self._worker, self._settings)
        if n_alerts:
            _LOG.info("Removed %d alerts that ended long ago.", n_alerts)


def main() -> None:
    """Run the keeper until TERM or INT."""
    settings = load_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with (
        open_database(settings, DatabaseRole.WORKER) as worker,
        open_database(settings, DatabaseRole.SEALER) as sealer,
    ):
        blobs, bell = open_blob_store(settings), open_bell(settings)
        Keeper(settings, worker=worker, sealer=sealer, blobs=blobs, bell=bell).run(ended)


if __name__ == "__main__":
    main()
