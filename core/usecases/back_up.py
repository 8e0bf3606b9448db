"""Take a backup of a running installation: the database at one moment, and every file that this moment names.

Files are written before the rows that name them and never overwritten, so files copied after the dump are all that the
dump needs. Keys are left out unless asked for: whoever has backup and keys can forge the audit trail. Where public keys
are given the file is encrypted while it is written; the dump, which comes first, lies in a private folder meanwhile.
"""

import os
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from core.clock import now
from core.database.addresses import database_url
from core.database.dump import dump_database
from core.database.migrate import revisions
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.errors import StorageError, UsageError
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store import backup as store
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.audit_anchor import anchor_file, key_file, last_head
from core.usecases.backup_file import ANCHOR, DUMP, KEYS, BackupWriter, Manifest
from core.usecases.sealed_file import encrypting, parse_recipients

Progress = Callable[[int, int], None]
"""Called with how many files are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup; ``left_out`` are keys that are not in it."""

    path: Path
    manifest: Manifest
    left_out: Sequence[Path]


def back_up(
    settings: Settings,
    path: Path,
    *,
    with_keys: bool = False,
    encrypt_to: Sequence[str] = (),
    progress: Progress | None = None,
) -> Backup:
    """Write a backup to ``path``, which appears under its name only when it is whole.

    ``encrypt_to`` are public keys (age1...); none: it is not encrypted.

    Raises
    ------
    UsageError
        There is a file of that name, no folder to put it into, or a public key is none.
    StorageError
        A file that the database names is missing or damaged.
    """
    if path.exists() or not path.parent.is_dir():
        what = "exists already" if path.exists() else "is in a folder that does not exist"
        raise UsageError(f"{path} {what}.", remedy="Give another name.")
    recipients = parse_recipients(encrypt_to)
    keys = [each for each in _keys(settings) if each.exists()]
    partial = path.with_name(f"{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with (
                encrypting(file, recipients) if recipients else nullcontext(file) as target,
                tarfile.open(fileobj=target, mode="w|") as archive,
            ):
                writer = BackupWriter(archive)
                manifest = _write(settings, writer, keys if with_keys else [], progress or (lambda _done, _all: None))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return Backup(path, manifest, () if with_keys else keys)


def _write(settings: Settings, writer: BackupWriter, keys: Sequence[Path], progress: Progress) -> Manifest:
    blobs = open_blob_store(settings)
    with (
        tempfile.TemporaryDirectory(prefix="octaudit-backup-") as folder,
        open_database(settings, DatabaseRole.OWNER) as owner,
    ):
        taken_at = now().isoformat()
        with session_scope(owner) as session:
            record_event(
                session, actor=PROGRAM, action="backup", entity="installation", entity_id=None,
                after={"taken_at": taken_at, "with_keys": bool(keys)},
            )  # fmt: skip
        revision, _ = revisions(owner)
        # Before the dump: the chain in it is at least as long as this head.
        head = last_head(settings)
        if anchor_file(settings).exists():
            writer.add_file(ANCHOR, anchor_file(settings))
        with store.one_moment(owner) as (session, snapshot):
            dump = Path(folder) / DUMP
            dump_database(database_url(settings, DatabaseRole.OWNER), dump, snapshot=snapshot)
            names, counts = list(store.blob_names(session)), store.row_counts(session)
        writer.add_file(DUMP, dump)
        _copy_blobs(blobs, writer, names, progress)
        for key in keys:
            writer.add_file(f"{KEYS}{key.name}", key)
    return writer.close(
        octaudit=version("octaudit"), revision=str(revision), taken_at=taken_at,
        head=head.in_words() if head else "", counts=counts,
    )  # fmt: skip


def _copy_blobs(blobs: BlobStore, writer: BackupWriter, names: Sequence[str], progress: Progress) -> None:
    for done, sha256 in enumerate(names, start=1):
        try:
            writer.add_blob(sha256, blobs.get(sha256))
        except StorageError as error:
            raise StorageError(
                f"No backup was taken: {error.message}", remedy="Run `octaudit doctor`; then take the backup again."
            ) from error
        progress(done, len(names))


def _keys(settings: Settings) -> Sequence[Path]:
    """The key files of this installation: of the audit chain, of webhooks, and any other in the home."""
    named = [key_file(settings), settings.webhook_key_file or settings.home / "webhook.key"]
    return list(dict.fromkeys([*named, *sorted(settings.home.glob("*.key"))]))
