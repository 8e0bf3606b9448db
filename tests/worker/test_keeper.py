"""The keeper's duties, one by one on the real database, and the keeper as a program."""

import logging
import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from builders import make_batch, make_member, make_scan
from lane import GRADABLE
from sqlalchemy import func, select, update
from worker_process import Site, environment_of, running, wait_until

from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import (
    AuditEvent,
    Batch,
    BatchFile,
    Blob,
    Grading,
    GradingAssignment,
    ProtocolVersion,
    RateDelta,
    Scan,
)
from core.settings import Settings
from core.store.queue import claim_scans
from core.usecases.check_rates import verify_rates
from core.usecases.prune_storage import prune_blobs, prune_drafts
from core.vocabulary import Role, ScanKind, ScanState
from worker.heartbeat import Heartbeat
from worker.keeper import Duty, Keeper


class CountingBell:
    """Remembers for which lanes it was rung."""

    def __init__(self) -> None:
        self.rung: list[ScanKind] = []

    def ring(self, lane: ScanKind) -> None:
        self.rung.append(lane)


@pytest.fixture
def bell() -> CountingBell:
    return CountingBell()


@pytest.fixture
def keeper(site: Site, sealer_database: Database, bell: CountingBell) -> Keeper:
    return Keeper(site.settings, worker=site.worker, sealer=sealer_database, blobs=site.scene.blobs, bell=bell)


def age(path: Path) -> None:
    day_before_yesterday = (now() - timedelta(days=2)).timestamp()
    os.utime(path, (day_before_yesterday, day_before_yesterday))


def file_of(site: Site, sha256: str) -> Path:
    return site.settings.home / "blobs" / sha256[:2] / sha256[2:4] / sha256


def test_expired_leases_return_and_their_lane_is_rung(site: Site, keeper: Keeper, bell: CountingBell) -> None:
    site.put(GRADABLE, GRADABLE)
    with session_scope(site.worker) as session:
        claim_scans(session, lane=ScanKind.OCTA_ENFACE, limit=16, lease=timedelta(seconds=-1))
    keeper.return_leases()
    assert site.states() == {ScanState.QUEUED: 2}
    assert bell.rung == [ScanKind.OCTA_ENFACE]


def test_a_quarantined_scan_leaves_an_audit_event(site: Site, keeper: Keeper) -> None:
    (scan_id,) = site.put(GRADABLE)
    with session_scope(site.owner) as session:
        session.execute(update(Scan).values(attempts=2, worker_losses=2))
    with session_scope(site.worker) as session:
        claim_scans(session, lane=ScanKind.OCTA_ENFACE, limit=16, lease=timedelta(seconds=-1))
    keeper.return_leases()
    with session_scope(site.owner) as session:
        event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.entity_id, event.actor_id) == ("scan.quarantined", scan_id, None)


def test_waiting_lanes_are_rung(site: Site, keeper: Keeper, bell: CountingBell) -> None:
    keeper.ring()
    assert bell.rung == []
    site.put(GRADABLE)
    keeper.ring()
    assert bell.rung == [ScanKind.OCTA_ENFACE]


def test_folding_empties_the_deltas_and_changes_no_count(site: Site, keeper: Keeper) -> None:
    site.put(GRADABLE, GRADABLE)
    keeper.fold()
    with session_scope(site.owner) as session:
        assert session.scalar(select(func.count()).select_from(RateDelta)) == 0
    assert verify_rates(site.worker) == []


def test_files_that_no_row_names_go_after_a_day_and_all_others_stay(site: Site) -> None:
    site.put(GRADABLE)
    store = site.scene.blobs
    orphan, young, used = store.put(b"orphan"), store.put(b"young"), next(iter(store.stored_before(now())))
    with session_scope(site.owner) as session:
        used = session.scalars(select(Scan.image_sha256)).one()
        session.add(Blob(sha256=orphan, size_bytes=6, media_type="image/png", created_at=now() - timedelta(days=2)))
        session.execute(update(Blob).values(created_at=now() - timedelta(days=2)))
    age(file_of(site, orphan))
    age(file_of(site, used))
    assert prune_blobs(site.worker, store, before=now() - timedelta(hours=24)) == 1
    assert [store.exists(sha256) for sha256 in (orphan, young, used)] == [False, True, True]
    with session_scope(site.owner) as session:
        assert set(session.scalars(select(Blob.sha256))) == {used}


def test_a_file_stored_again_is_young_again(site: Site) -> None:
    store = site.scene.blobs
    sha256 = store.put(b"twice")
    age(file_of(site, sha256))
    store.put(b"twice")
    assert prune_blobs(site.worker, store, before=now() - timedelta(hours=24)) == 0
    assert not store.remove(sha256, stored_before=now() - timedelta(hours=24))


def test_old_drafts_go_and_submitted_batches_stay(site: Site) -> None:
    long_ago = now() - timedelta(days=3)
    with session_scope(site.owner) as session:
        submitted = make_batch(session, site.scene.site, created_at=long_ago)
        forgotten = make_batch(session, site.scene.site, created_at=long_ago, submitted_at=None)
        active = make_batch(session, site.scene.site, created_at=long_ago, submitted_at=None)
        values = {"original_name": "a.png", "size_bytes": 1, "entry": {}, "problems": [], "site_id": site.scene.site.id}
        session.add(BatchFile(batch_id=forgotten.id, created_at=long_ago, **values))
        session.add(BatchFile(batch_id=active.id, **values))
    assert prune_drafts(site.worker, before=now() - timedelta(hours=24)) == 1
    with session_scope(site.owner) as session:
        left = set(session.scalars(select(Batch.id)))
    assert left == {site.scene.batch.id, submitted.id, active.id}


def test_drawn_scans_are_handed_out_as_soon_as_there_are_graders(site: Site, keeper: Keeper) -> None:
    with session_scope(site.owner) as session:
        version = session.scalars(select(ProtocolVersion)).one()
        scan = make_scan(session, site.scene.site)
        session.add(
            Grading(site_id=scan.site_id, scan_id=scan.id, protocol_version_id=version.id, n_graders=2, state="drawn")
        )
        graders = [make_member(session, Role.GRADER, site=site.scene.site)[0].id for _ in range(2)]
    keeper.hand_out_gradings()
    with session_scope(site.owner) as session:
        assert set(session.scalars(select(GradingAssignment.grader_id))) == set(graders)
        assert session.scalars(select(Grading.state)).one() == "assigned"


def test_alerts_are_sent_beside_the_other_duties_and_by_one_sender_at_a_time(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    is_answered = threading.Event()

    def send(*_: object) -> None:
        calls.append(1)
        is_answered.wait(30)

    monkeypatch.setattr("worker.keeper.deliver_alerts", send)
    keeper.send_alerts()
    keeper.send_alerts()
    wait_until(lambda: bool(calls), "the sender began")
    is_answered.set()
    wait_until(lambda: not keeper._sender.is_alive(), "the sender ended")
    assert calls == [1]
    keeper.send_alerts()
    wait_until(lambda: len(calls) == 2, "the next turn sends again")
    keeper._sender.join(10)


def test_a_sender_that_fails_is_logged_and_has_its_next_turn(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no database")

    monkeypatch.setattr("worker.keeper.deliver_alerts", fail)
    keeper.send_alerts()
    keeper._sender.join(10)
    assert "could not send alerts" in caplog.text


def test_a_duty_that_fails_is_logged_and_the_others_have_their_turn(
    keeper: Keeper, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def fail() -> None:
        raise OSError("no disk")

    def succeed() -> None:
        done.set()
        ended.set()

    ended = threading.Event()
    keeper.duties = (Duty("fail", timedelta(hours=1), fail), Duty("succeed", timedelta(hours=1), succeed))
    with caplog.at_level(logging.ERROR):
        keeper.run(ended)
    assert done.is_set()
    assert "could not fail" in caplog.text
    assert Heartbeat.of_keeper(settings).age() is not None


def test_a_duty_waits_for_its_time() -> None:
    turns: list[int] = []
    duty = Duty("count", timedelta(hours=1), lambda: turns.append(1))
    assert [duty.do_if_due(), duty.do_if_due()] == [True, False]
    assert turns == [1]


def test_the_keeper_runs_as_a_program_and_ends_when_asked(site: Site, tmp_path: Path) -> None:
    site.put(GRADABLE)
    heartbeat = Heartbeat.of_keeper(site.settings)
    command = [sys.executable, "-m", "worker.keeper"]
    with running(command, environment_of(site.settings), tmp_path / "keeper.log") as keeper:
        wait_until(lambda: heartbeat.age() is not None, "the keeper gave a sign of life")
        keeper.process.send_signal(signal.SIGTERM)
        assert keeper.process.wait(20) == 0
        assert "Traceback" not in keeper.log
