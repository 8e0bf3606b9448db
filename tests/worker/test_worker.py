"""The worker as a program against real servers: killed, rung twice, not rung at all, poisoned, asked to stop."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builders import make_user
from lane import (
    BREAKS_THE_MODEL,
    GRADABLE,
    KILLS_ITS_WORKER,
    OUTSTANDING,
    UNGRADABLE,
    ObedientScorer,
    identity_of,
)
from model_world import write_model
from redis import Redis
from sqlalchemy import func, select, update
from worker_process import ROOT, Site, WorkerProcess, environment_of, wait_until

from core.broker import CeleryBell, open_bell
from core.database.session import session_scope
from core.database.tables import Rescoring, Scan
from core.store.model_activation import add_activation
from core.store.re_evaluation import Reach
from core.store.rescoring import add_rescoring
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.check_rates import verify_rates
from core.usecases.register_model import register_model
from core.vocabulary import ScanKind, ScanState

StartWorker = Callable[..., WorkerProcess]
LANE = ScanKind.OCTA_ENFACE
NEVER = "P1D"


def end_pauses(site: Site) -> None:
    with session_scope(site.owner) as session:
        session.execute(update(Scan).where(Scan.not_before_at > func.now()).values(not_before_at=func.now()))


def test_a_worker_looks_for_work_when_it_starts_and_when_its_bell_rings(site: Site, start_worker: StartWorker) -> None:
    site.put(GRADABLE)
    start_worker(OCTAUDIT_WORKER_SWEEP_INTERVAL=NEVER)
    wait_until(lambda: site.n_assessments() == 1, "the scan that waited is scored")
    site.put(*[GRADABLE] * 5, UNGRADABLE)
    open_bell(site.settings).ring(LANE)
    wait_until(lambda: site.n_assessments() == 7, "six more scans are scored")
    assert site.states() == {ScanState.ACCEPTED: 6, ScanState.UNDER_REVIEW: 1}
    assert verify_rates(site.worker) == []


def test_scans_whose_bell_was_lost_are_found_by_the_sweep_even_after_the_broker_dropped_everybody(
    site: Site, start_worker: StartWorker
) -> None:
    start_worker()
    site.put(GRADABLE)
    wait_until(lambda: site.n_assessments() == 1, "the sweep found the scan")
    assert site.settings.redis_url is not None
    address = site.settings.redis_url.get_secret_value().removeprefix("redis+socket://")
    with Redis(unix_socket_path=address) as broker:
        broker.client_kill_filter(_type="normal", skipme=True)
        broker.flushall()
    site.put(GRADABLE)
    wait_until(lambda: site.n_assessments() == 2, "the sweep found the next one")


def test_a_worker_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    site: Site, start_worker: StartWorker
) -> None:
    scan_ids = site.put(*[GRADABLE] * 10)
    worker = start_worker(TEST_DELAY_S="0.5", OCTAUDIT_WORKER_BATCH_SIZE="4")
    wait_until(lambda: site.states()[ScanState.SCORING] > 0, "a batch is being scored")
    worker.kill_child()
    wait_until(lambda: site.states() == {ScanState.ACCEPTED: len(scan_ids)}, "every scan is scored after all")
    assert site.n_assessments() == len(scan_ids)
    with session_scope(site.owner) as session:
        assert session.scalar(select(func.max(Scan.attempts))) == 2
    assert verify_rates(site.worker) == []


def test_bells_that_ring_again_and_again_change_nothing(site: Site, start_worker: StartWorker) -> None:
    start_worker(TEST_DELAY_S="0.2", OCTAUDIT_WORKER_BATCH_SIZE="2")
    start_worker(TEST_DELAY_S="0.2", OCTAUDIT_WORKER_BATCH_SIZE="2")
    site.put(*[GRADABLE] * 8)
    bell = open_bell(site.settings)
    for _ in range(12):
        bell.ring(LANE)
    wait_until(lambda: site.states() == {ScanState.ACCEPTED: 8}, "every scan is scored")
    assert site.n_assessments() == 8
    assert verify_rates(site.worker) == []


def test_a_scan_that_kills_its_worker_is_quarantined_alone_at_the_third_death(
    site: Site, start_worker: StartWorker
) -> None:
    first, *others = site.put(GRADABLE, GRADABLE, OUTSTANDING, GRADABLE)
    (poison,) = site.put(KILLS_ITS_WORKER)
    start_worker()
    wait_until(lambda: site.state_of(poison) == ScanState.QUARANTINED, "the poisonous scan is quarantined")
    wait_until(lambda: site.n_assessments() == 4, "all others are scored")
    assert site.states() == {ScanState.ACCEPTED: 4, ScanState.QUARANTINED: 1}
    with session_scope(site.owner) as session:
        assert session.get_one(Scan, poison).attempts == 3
        assert max(session.get_one(Scan, scan_id).attempts for scan_id in (first, *others)) == 2


def test_a_model_that_breaks_gets_a_fresh_process(site: Site, start_worker: StartWorker) -> None:
    worker = start_worker()
    child = worker.child()
    assert child is not None
    (broken,) = site.put(BREAKS_THE_MODEL)
    wait_until(lambda: not child.is_running(), "the process ended")
    site.put(GRADABLE)
    wait_until(lambda: site.n_assessments() == 1, "a fresh one scores the next scan")
    assert site.state_of(broken) == ScanState.QUEUED


def test_a_worker_asked_to_stop_finishes_its_batch_and_leaves_the_rest_untouched(
    site: Site, start_worker: StartWorker
) -> None:
    site.put(*[GRADABLE] * 12)
    worker = start_worker(TEST_DELAY_S="0.5", OCTAUDIT_WORKER_BATCH_SIZE="2", OCTAUDIT_WORKER_LEASE="PT2M")
    wait_until(lambda: site.n_assessments() >= 2, "a batch is written")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(30) == 0
    states = site.states()
    assert states[ScanState.SCORING] == 0
    assert states[ScanState.QUEUED] > 0
    assert states[ScanState.ACCEPTED] == site.n_assessments()
    with session_scope(site.owner) as session:
        waiting = session.query(Scan.attempts).filter(Scan.state == ScanState.QUEUED)
        assert {row.attempts for row in waiting} == {0}


def test_four_lines_at_once_score_everything_once_and_count_exactly(site: Site) -> None:
    site.put(*[GRADABLE, UNGRADABLE, OUTSTANDING] * 16)
    settings = site.settings.model_copy(update={"worker_batch_size": 4})

    def work(_: int) -> int:
        return assess_scans(Line(site.worker, site.scene.blobs, ObedientScorer(0.01), settings)).n_scored

    with ThreadPoolExecutor(4) as lines:
        assert sum(lines.map(work, range(4))) == 48
    assert site.n_assessments() == 48
    assert verify_rates(site.worker) == []


@pytest.mark.timeout(60)  # waiting would show as this
def test_a_bell_without_a_broker_neither_raises_nor_keeps_anybody_waiting(tmp_path: Path) -> None:
    CeleryBell(f"redis+socket://{tmp_path}/nobody.sock").ring(LANE)


IMPORT_THE_PARENT_WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    # Not sys.modules["torch"] = None: SciPy looks there and would take None for the module.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "timm", "segmentation_models_pytorch"}:
            raise ImportError("the worker's parent asked for " + name)

sys.meta_path.insert(0, Refuse())
import worker.app, worker.keeper, worker.health
worker.app.app
"""


def test_nothing_that_the_worker_s_parent_imports_needs_torch(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_THE_PARENT_WITHOUT_TORCH],
        env=environment_of(site.settings),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def test_a_worker_whose_parent_is_killed_leaves_no_process_behind(site: Site, start_worker: StartWorker) -> None:
    worker = start_worker()
    child = worker.child()
    assert child is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    wait_until(lambda: not child.is_running(), "the child has ended too")


def test_a_running_worker_follows_an_activation_and_scores_again_beside_its_work(
    site: Site, start_worker: StartWorker, tmp_path: Path
) -> None:
    weights, card = write_model(tmp_path)
    version_id, _ = register_model(
        site.worker, site.scene.blobs, identity=identity_of(card), card=card, weights=weights
    )
    start_worker()
    (before,) = site.put(GRADABLE)
    wait_until(lambda: site.scored_by(before) == ["obedient"], "the worker's own model scores")
    with session_scope(site.owner) as session:
        person = make_user(session)
        add_activation(
            session, study_id=site.scene.study.id, kind=LANE, device_model="", version_id=version_id,
            reason="better", meaning="approved for use", activated_by_id=person.id,
        )  # fmt: skip
    (after,) = site.put(GRADABLE)
    wait_until(lambda: site.scored_by(after) == ["challenger"], "the activated model scores the next one")
    with session_scope(site.owner) as session:
        add_rescoring(
            session, kind=LANE, reach=Reach(site.scene.study.id), version_id=version_id, reason="compare",
            requested_by_id=person.id,
        )  # fmt: skip
    wait_until(lambda: site.scored_by(before) == ["obedient", "challenger"], "the first one is scored again")
    with session_scope(site.owner) as session:
        assert [session.scalar(select(Rescoring.state)), site.state_of(before)] == ["done", ScanState.ACCEPTED]
