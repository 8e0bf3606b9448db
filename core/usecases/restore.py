"""Restore a backup into an installation that nothing was done in yet: files, database, anchor.

Every login that the backup brings back is ended, and the restoration goes on record in the audit trail.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import now
from core.database import migrate
from core.database.addresses import database_url
from core.database.dump import load_database
from core.database.embedded import is_owned, running_servers
from core.database.initialise import initialise_database
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.errors import UsageError
from core.settings import Settings
from core.storage import open_blob_store
from core.store import backup as store
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.audit_anchor import AuditHead, anchor_file, key_file, last_head
from core.usecases.backup_file import ANCHOR, DUMP, KEYS, Manifest, extract_checked, read_manifest, stored_blobs
from core.usecases.sealed_file import decrypt_into, is_encrypted

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. ``missing_keys`` must be put back by hand; ``set_aside`` is an anchor that was there."""

    manifest: Manifest
    missing_keys: Sequence[Path]
    set_aside: Path | None


def restore(settings: Settings, path: Path, *, key: Path | None = None, progress: Progress | None = None) -> Restored:
    """Restore ``path``; refused, with nothing changed, where anything was ever set up here.

    ``key`` is the file with the secret key of an encrypted backup.

    Raises
    ------
    UsageError
        The file is no whole backup, is encrypted for another key, was made by a newer octaudit, or this installation is
        in use.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", remedy="Give the backup's name.")
    if not is_encrypted(path):
        return _restore(settings, path, progress)
    if key is None:
        raise UsageError(f"{path} is encrypted.", remedy="Give its secret key: --key FILE.")
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="decrypted-", dir=settings.home) as folder:
        plain = Path(folder) / path.name.removesuffix(".age")
        decrypt_into(path, plain, key)
        return _restore(settings, plain, progress)


def _restore(settings: Settings, path: Path, progress: Progress | None) -> Restored:
    manifest = read_manifest(path)
    _refuse_newer(manifest, path)
    with _reached_servers(settings), tempfile.TemporaryDirectory(prefix="octaudit-restore-") as folder:
        initialise_database(settings)
        with open_database(settings, DatabaseRole.OWNER) as owner:
            _empty(settings, owner)
        dump = extract_checked(path, manifest, DUMP, Path(folder))
        _store_blobs(settings, path, manifest, progress or (lambda _done, _all: None))
        load_database(database_url(settings, DatabaseRole.OWNER), dump)
        migrate.upgrade(settings)
        lost, set_aside = _restore_anchor(settings, path, manifest, Path(folder))
        missing_keys = _restore_keys(settings, path, manifest, Path(folder))
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            after = {
                "taken_at": manifest.taken_at,
                "head": manifest.head,
                "n_sessions_ended": store.end_every_session(session),
            }
            if lost is not None:
                after["head_before"] = lost.in_words()
            record_event(session, actor=PROGRAM, action="restore", entity="installation", entity_id=None, after=after)
    return Restored(manifest, missing_keys, set_aside)


@contextmanager
def _reached_servers(settings: Settings) -> Iterator[None]:
    """The database that is set, else the embedded one of a home that nothing runs in."""
    if settings.database_owner_url is not None:
        yield
        return
    if is_owned(settings.home):
        raise UsageError(
            f"octaudit runs in {settings.home}.", remedy="Stop it first; restore into a new OCTAUDIT_HOME."
        )
    with running_servers(settings.home):
        yield


def _refuse_newer(manifest: Manifest, path: Path) -> None:
    if manifest.revision not in migrate.known_revisions():
        raise UsageError(
            f"{path} was taken from a newer octaudit ({manifest.octaudit}, schema {manifest.revision}).",
            remedy="Install that version or a newer one first.",
        )


def _empty(settings: Settings, owner: Database) -> None:
    """Make way for the dump where there is a schema without anything in it; refuse anything else."""
    if not store.has_tables(owner):
        return
    with session_scope(owner) as session:
        if store.is_used(session):
            raise UsageError(
                "This installation is in use: it has accounts, studies or audit events.",
                remedy="Restore into a new OCTAUDIT_HOME or an empty database; nothing was changed.",
            )
    migrate.downgrade(settings, "base")
    with session_scope(owner) as session:
        store.forget_revision(session)


def _store_blobs(settings: Settings, path: Path, manifest: Manifest, progress: Progress) -> None:
    blobs = open_blob_store(settings)
    n_stored = 0
    for n_stored, (_, data) in enumerate(stored_blobs(path), start=1):
        blobs.put(data)
        progress(n_stored, manifest.n_blobs)
    if n_stored != manifest.n_blobs:
        raise UsageError(f"{path} holds {n_stored} of {manifest.n_blobs} files.", remedy="Use another backup.")


def _restore_anchor(
    settings: Settings, path: Path, manifest: Manifest, folder: Path
) -> tuple[AuditHead | None, Path | None]:
    """Put the backup's anchor in place; one that is there is kept beside it, and its head goes on record."""
    anchor, lost, set_aside = anchor_file(settings), last_head(settings), None
    if anchor.exists():
        set_aside = anchor.with_name(f"{anchor.name}.before-{now():%Y%m%dT%H%M%S}")
        anchor.rename(set_aside)
    if ANCHOR in manifest.sha256:
        _place(extract_checked(path, manifest, ANCHOR, folder), anchor)
    return lost, set_aside


def _restore_keys(settings: Settings, path: Path, manifest: Manifest, folder: Path) -> Sequence[Path]:
    for name in (name for name in manifest.sha256 if name.startswith(KEYS)):
        target = settings.home / name.removeprefix(KEYS)
        if target.name == "audit.key":
            target = key_file(settings)
        if not target.exists():
            _place(extract_checked(path, manifest, name, folder), target)
    audit_key = key_file(settings)
    return () if audit_key.exists() or not manifest.head else (audit_key,)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.chmod(0o600)
    shutil.move(source, target)
