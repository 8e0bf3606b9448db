"""A backup taken while a worker scores, restored elsewhere: nothing acknowledged is missing, and work goes on."""

import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from databases import settings_for
from lane import GRADABLE, OUTSTANDING, UNGRADABLE, ObedientScorer
from sqlalchemy import func, select, text
from worker_process import Site, WorkerProcess, wait_until

from core.database.embedded import Addresses
from core.database.embedded.addresses import ADMIN_USER
from core.database.initialise import admin_connection
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.database.tables import Assessment, AssessmentArtifact, AuditEvent, Blob, Scan
from core.errors import UsageError
from core.settings import Settings
from core.storage import open_blob_store
from core.store.access import PROGRAM
from core.usecases.administer_users import add_user
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.back_up import back_up
from core.usecases.backup_file import read_manifest
from core.usecases.check_rates import verify_rates
from core.usecases.restore import restore
from core.usecases.seal_audit import seal_audit
from core.usecases.sealed_file import make_identity
from core.usecases.verify_audit import verify_audit

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def elsewhere(servers: Addresses, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation that is not there yet: an empty home, a database of which there is only the name."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    name = f"restored_{uuid.uuid4().hex}"
    yield settings_for(servers, name, home)
    with admin_connection(servers.database_url(ADMIN_USER, "postgres")) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')  # type: ignore[call-overload]


def counts(database: Database) -> tuple[int, int]:
    """(scans, scans with an assessment)."""
    with session_scope(database) as session:
        n_scored = select(func.count()).select_from(Scan).where(Scan.assessment_id.is_not(None))
        return session.scalar(select(func.count()).select_from(Scan)) or 0, session.scalar(n_scored) or 0


def test_a_backup_taken_during_scoring_restores_to_a_consistent_state_and_scoring_goes_on(
    site: Site, start_worker: StartWorker, sealer_database: Database, elsewhere: Settings, tmp_path: Path
) -> None:
    put = site.put(*[GRADABLE, OUTSTANDING, UNGRADABLE] * 20)
    start_worker(OCTAUDIT_WORKER_BATCH_SIZE="2")
    wait_until(lambda: site.n_assessments() >= 4, "the worker is in the middle of its work")
    seal_audit(sealer_database, site.settings)
    n_before = site.n_assessments()
    file, key = tmp_path / "backup.tar.age", tmp_path / "backup.key"
    backup = back_up(site.settings, file, encrypt_to=[make_identity(key)])
    assert backup.manifest.counts["scans"] == len(put)
    with pytest.raises(UsageError, match="is encrypted"):
        restore(elsewhere, file)
    shutil.copy(site.settings.home / "audit.key", elsewhere.home / "audit.key")  # as the operator does, from elsewhere
    restored = restore(elsewhere, file, key=key)
    assert restored.missing_keys == ()
    assert not list(elsewhere.home.glob("decrypted-*"))
    with ExitStack() as stack:
        owner = stack.enter_context(open_database(elsewhere, DatabaseRole.OWNER))
        worker = stack.enter_context(open_database(elsewhere, DatabaseRole.WORKER))
        sealer = stack.enter_context(open_database(elsewhere, DatabaseRole.SEALER))
        n_scans, n_scored = counts(owner)
        assert n_scans == len(put), "every acknowledged scan is there"
        assert n_before <= n_scored < n_scans, "taken in the middle of the work"
        assert orphans(owner, elsewhere) == []
        seal_audit(sealer, elsewhere)
        assert verify_audit(sealer, elsewhere).faults == ()
        assert verify_rates(worker) == []
        finish(owner, worker, elsewhere)
        assert counts(owner) == (len(put), len(put)), "what waited, and what was being scored, is scored"
        assert verify_rates(worker) == []


def orphans(owner: Database, settings: Settings) -> list[str]:
    """What points to nothing: files that rows name and that are not there, foreign keys that do not hold."""
    blobs = open_blob_store(settings)
    with session_scope(owner) as session:
        named = set(session.scalars(select(Blob.sha256)))
        used = set(session.scalars(select(Scan.image_sha256))) | set(
            session.scalars(select(AssessmentArtifact.mask_sha256))
        )
        faults = [f"no row for {sha256}" for sha256 in used - named - {None}]
        faults += [f"no file for {sha256}" for sha256 in named if not blobs.exists(sha256)]
        unchecked = text("select conname from pg_constraint where contype = 'f' and not convalidated")
        faults += list(session.scalars(unchecked))
        lonely = select(Scan.id).where(Scan.assessment_id.is_not(None), ~Scan.assessment_id.in_(select(Assessment.id)))
        return faults + [f"scan {scan_id} without its assessment" for scan_id in session.scalars(lonely)]


def finish(owner: Database, worker: Database, settings: Settings) -> None:
    """Score what waits, as a worker of the restored installation does; the leases of the old one have run out."""
    with session_scope(owner) as session:
        session.execute(text("update scan set lease_expires_at = now() - interval '1 second' where state = 'scoring'"))
    assess_scans(Line(worker, open_blob_store(settings), ObedientScorer(), settings))


def test_what_is_and_what_is_not_in_a_backup(
    site: Site, sealer_database: Database, elsewhere: Settings, tmp_path: Path
) -> None:
    site.put(GRADABLE)
    with session_scope(site.owner) as session:
        add_user(session, actor=PROGRAM, name="ada")
        session.execute(
            text("insert into session (token_sha256, user_id, last_seen_at, idle_timeout, ends_at, expires_at) "
                 "select repeat('a', 64), id, now(), '1 hour', now() + interval '1 hour', now() + interval '1 hour' "
                 "from app_user limit 1")
        )  # fmt: skip
    seal_audit(sealer_database, site.settings)
    backup = back_up(site.settings, tmp_path / "without.tar")
    assert [path.name for path in backup.left_out] == ["audit.key"]
    with tarfile.open(tmp_path / "without.tar") as archive:
        names = [name for name in archive.getnames() if not name.startswith("blobs/")]
    assert names == ["audit.anchor", "database.dump", "manifest.json"]
    assert (tmp_path / "without.tar").stat().st_mode & 0o777 == 0o600
    restored = restore(elsewhere, tmp_path / "without.tar")
    assert [path.name for path in restored.missing_keys] == ["audit.key"]
    with open_database(elsewhere, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        assert session.scalar(text("select count(*) from session where revoked_at is null")) == 0
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "restore")).one()
        assert event.after is not None
        assert event.after["head"] == backup.manifest.head
    with pytest.raises(UsageError, match="This installation is in use"):
        restore(elsewhere, tmp_path / "without.tar")
    with pytest.raises(UsageError, match="exists already"):
        back_up(site.settings, tmp_path / "without.tar")


def test_a_backup_that_is_cut_short_damaged_or_newer_changes_nothing(
    site: Site, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put(GRADABLE)
    whole = tmp_path / "whole.tar"
    back_up(site.settings, whole)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UsageError, match="no backup of octaudit, or it was cut short"):
        restore(elsewhere, cut)
    content = bytearray(whole.read_bytes())
    place = content.index(b"PGDMP") + 2_000
    content[place] ^= 0xFF
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(content)
    with pytest.raises(UsageError, match=r"database\.dump in .* is damaged"):
        restore(elsewhere, damaged)
    monkeypatch.setattr("core.usecases.restore.migrate.known_revisions", lambda: frozenset({"0001"}))
    with pytest.raises(UsageError, match="taken from a newer octaudit"):
        restore(elsewhere, whole)
    monkeypatch.undo()
    assert restore(elsewhere, whole).manifest == read_manifest(whole)
