"""A worker process for tests: started, watched and always stopped again. Import as `from worker_process import ...`."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from lane import Scene, queue_scan
from sqlalchemy import func, select

from core.database.session import Database, session_scope
from core.database.tables import Acquisition, Assessment, ModelVersion, Scan
from core.settings import Settings
from core.store.rate import recount_slots

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "tests" / "worker" / "obedient_worker.py"
PATIENCE_S = 60.0
"""Longest wait for something that takes a second on an idle machine."""


def wait_until(is_so: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.05)


@dataclass
class WorkerProcess:
    """A Celery worker that runs as a program; ``log`` is what it wrote."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def child(self) -> psutil.Process | None:
        """The process that scores."""
        children = psutil.Process(self.process.pid).children()
        return children[0] if children else None

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return " ready." in self.log

    def kill_child(self) -> None:
        child = self.child()
        assert child is not None
        child.kill()


@dataclass
class Site:
    """A site's queue and what became of its scans."""

    owner: Database
    worker: Database
    settings: Settings
    scene: Scene

    def put(self, *orders: int) -> list[int]:
        with session_scope(self.owner) as session:
            scans = [queue_scan(session, self.scene, order) for order in orders]
            slots = select(Acquisition.expected_scan_id).where(
                Acquisition.id.in_([scan.acquisition_id for scan in scans])
            )
            recount_slots(session, session.scalars(slots))
            return [scan.id for scan in scans]

    def states(self) -> Counter[str]:
        with session_scope(self.owner) as session:
            return Counter(session.scalars(select(Scan.state)))

    def state_of(self, scan_id: int) -> str:
        with session_scope(self.owner) as session:
            return session.get_one(Scan, scan_id).state

    def scored_by(self, scan_id: int) -> list[str]:
        """The models that have scored it, the first one first."""
        with session_scope(self.owner) as session:
            wanted = select(ModelVersion.name).join(Assessment, Assessment.model_version_id == ModelVersion.id)
            return list(session.scalars(wanted.where(Assessment.scan_id == scan_id).order_by(Assessment.id)))

    def n_assessments(self) -> int:
        with session_scope(self.owner) as session:
            return session.scalar(select(func.count()).select_from(Assessment)) or 0


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    assert settings.database_worker_url is not None
    assert settings.database_sealer_url is not None
    assert settings.redis_url is not None
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OCTAUDIT_HOME": str(settings.home),
        "OCTAUDIT_DATABASE_WORKER_URL": settings.database_worker_url.get_secret_value(),
        "OCTAUDIT_DATABASE_SEALER_URL": settings.database_sealer_url.get_secret_value(),
        "OCTAUDIT_REDIS_URL": settings.redis_url.get_secret_value(),
        "OCTAUDIT_WORKER_LEASE": "PT1.5S",
        "OCTAUDIT_WORKER_SWEEP_INTERVAL": "PT0.5S",
        **more,
    }


@contextmanager
def running(command: list[str], environment: dict[str, str], log_file: Path) -> Iterator[WorkerProcess]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd="/", start_new_session=True)
    try:
        yield WorkerProcess(process, log_file)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
