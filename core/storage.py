"""Content-addressed blobs on fsspec: a folder by default, any fsspec URL for many machines. Knows no database.

A blob is named by the sha256 of its bytes and lies two folders deep (``ab/cd/abcd...``), so that no folder grows
beyond what tools can list. It is durable before its name is handed out and is never overwritten, because rows that
other transactions already committed may point to it.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from core.errors import StorageError
from core.settings import Settings

COPY_CHUNK_BYTES = 1 << 20
"""How much of a large file is in memory at once while it is hashed or copied."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Blobs under one fsspec URL. Safe to share between threads; holds no open file."""

    def __init__(self, url: str) -> None:
        filesystem, root = fsspec.core.url_to_fs(url)
        self.url = url
        self._filesystem: Any = filesystem
        self._root = root.rstrip("/")
        self._is_local = isinstance(filesystem, LocalFileSystem)

    def put(self, data: bytes) -> str:
        """Store ``data`` durably and return its sha256; storing the same bytes again is harmless."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self._is_local:
            self._put_local(sha256, lambda file: file.write(data))
        elif not self.exists(sha256):
            # Object stores show an object only when it is complete, so no temporary name is needed.
            self._filesystem.pipe_file(self._path(sha256), data)
        return sha256

    def put_file(self, path: Path) -> str:
        """Store the file at ``path`` durably without reading it into memory, and return its sha256."""
        with path.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
            if self._is_local:
                source.seek(0)
                self._put_local(sha256, lambda file: shutil.copyfileobj(source, file, COPY_CHUNK_BYTES))
            elif not self.exists(sha256):
                self._filesystem.put_file(str(path), self._path(sha256))
        return sha256

    def get(self, sha256: str) -> bytes:
        """The blob's bytes, checked against its name; StorageError where it is missing or damaged."""
        try:
            data = cast("bytes", self._filesystem.cat_file(self._path(sha256)))
        except FileNotFoundError as error:
            raise StorageError(
                f"The stored file {sha256[:12]} is missing from the blob store.",
                remedy="Restore the blobs from the last backup (octaudit restore).",
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(
                f"The stored file {sha256[:12]} is damaged: its content no longer matches its name.",
                remedy="Check the disk and restore the blobs from the last backup (octaudit restore).",
            )
        return data

    def exists(self, sha256: str) -> bool:
        """Whether a blob of this name is stored."""
        return bool(self._filesystem.exists(self._path(sha256)))

    def stored_before(self, moment: datetime) -> Iterator[str]:
        """Names of the blobs stored, or stored again, before ``moment``, in no particular order."""
        for path, entry in self._filesystem.find(self._root, detail=True).items():
            name = path.rpartition("/")[2]
            if _SHA256.fullmatch(name) and self._stored_at(path, entry) < moment:
                yield name

    def remove(self, sha256: str, *, stored_before: datetime) -> bool:
        """Delete a blob that nothing names; left alone, and False, where it was stored again since that moment."""
        path = self._path(sha256)
        try:
            if self._stored_at(path, {}) >= stored_before:
                return False
            self._filesystem.rm_file(path)
        except FileNotFoundError:
            return False
        return True

    def _stored_at(self, path: str, entry: Mapping[str, Any]) -> datetime:
        if self._is_local and "mtime" in entry:
            return datetime.fromtimestamp(entry["mtime"], tz=UTC)
        moment: datetime = self._filesystem.modified(path)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    def _path(self, sha256: str) -> str:
        if not _SHA256.fullmatch(sha256):
            raise StorageError(
                f"{sha256!r} is no blob name: 64 lower-case hexadecimal digits were expected.",
                remedy="Pass the sha256 that put() returned.",
            )
        return f"{self._root}/{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def _put_local(self, sha256: str, write: Any) -> None:
        """Write beside the final place, fsync, rename, fsync the folders: never half a blob under a full name.

        The folders come last, for each fsync before the blob's own makes the file system commit once more. All three
        every time, for another thread may have made one of them a moment ago and not have synced it yet.
        """
        path = Path(self._path(sha256))
        if path.exists():
            # A blob about to be referenced again must look fresh to the pruning of old unreferenced ones.
            os.utime(path)
            return
        root = Path(self._root)
        _make_durable_folder(root)
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                _flush_to_disk(file)
            # Whoever else stores these bytes at this moment renames the same content onto the same name.
            Path(temporary).rename(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise
        for folder in (path.parent, path.parent.parent, root):
            _sync_folder(folder)


def open_blob_store(settings: Settings) -> BlobStore:
    """The blob store that the settings name: ``OCTAUDIT_BLOB_URL``, or the folder ``blobs`` of the home."""
    if settings.blob_url is not None:
        return BlobStore(settings.blob_url)
    folder = settings.home / "blobs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return BlobStore(str(folder))


def _flush_to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _make_durable_folder(folder: Path) -> None:
    """Create a folder and its parents, each entry fsynced in the folder above it."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
