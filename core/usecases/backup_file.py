"""The file that a backup is: a tar with the dump, the anchor, every stored file, and last a manifest that binds them.

The manifest is last, so that a file that was cut short has none and is refused.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import UsageError

FORMAT = 1
DUMP, ANCHOR, MANIFEST = "database.dump", "audit.anchor", "manifest.json"
BLOBS, KEYS = "blobs/", "keys/"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds and what it was made from. ``head`` is the audit chain's, ``COUNT:HASH`` ("" for none)."""

    format: int
    octaudit: str
    revision: str
    taken_at: str
    head: str
    counts: Mapping[str, int]
    n_blobs: int
    blob_bytes: int
    sha256: Mapping[str, str]
    """Of every other member that is not named by its own hash."""


class BackupWriter:
    """Adds members to a tar and keeps their hashes for the manifest."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._sha256: dict[str, str] = {}
        self._n_blobs = 0
        self._blob_bytes = 0

    def add_file(self, name: str, path: Path) -> None:
        """Add a file under a name."""
        with path.open("rb") as file:
            self._sha256[name] = hashlib.file_digest(file, "sha256").hexdigest()
        self._archive.add(path, arcname=name, recursive=False)

    def add_blob(self, sha256: str, data: bytes) -> None:
        """Add a stored file; its name is its hash."""
        self._add(f"{BLOBS}{sha256}", data)
        self._n_blobs += 1
        self._blob_bytes += len(data)

    def close(self, *, octaudit: str, revision: str, taken_at: str, head: str, counts: Mapping[str, int]) -> Manifest:
        """Write the manifest, which makes the backup whole."""
        manifest = Manifest(
            format=FORMAT, octaudit=octaudit, revision=revision, taken_at=taken_at, head=head, counts=counts,
            n_blobs=self._n_blobs, blob_bytes=self._blob_bytes, sha256=self._sha256,
        )  # fmt: skip
        self._add(MANIFEST, json.dumps(asdict(manifest), indent=2, sort_keys=True).encode())
        return manifest

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o600
        self._archive.addfile(member, io.BytesIO(data))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a backup; UsageError for a file that is none, is cut short, or has another format."""
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile(MANIFEST)
            assert member is not None, "a manifest is a file"
            manifest = Manifest(**json.load(member))
    except (tarfile.TarError, KeyError, TypeError, ValueError, EOFError) as error:
        raise UsageError(
            f"{path} is no backup of octaudit, or it was cut short.", remedy="Take another one; nothing was changed."
        ) from error
    if manifest.format != FORMAT:
        raise UsageError(
            f"{path} has format {manifest.format}; this octaudit reads {FORMAT}.",
            remedy="Use the octaudit that made it.",
        )
    return manifest


def extract_checked(path: Path, manifest: Manifest, name: str, folder: Path) -> Path:
    """A member written into ``folder``, after its content was found to be what the manifest says."""
    target = folder / name.rpartition("/")[2]
    with tarfile.open(path) as archive:
        source = archive.extractfile(name)
        assert source is not None, name
        with target.open("wb") as file:
            while chunk := source.read(1 << 20):
                file.write(chunk)
    with target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != manifest.sha256[name]:
            raise _damaged(path, name)
    return target


def stored_blobs(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every stored file, each checked against its name."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.startswith(BLOBS):
                source = archive.extractfile(member)
                assert source is not None
                data = source.read()
                sha256 = member.name.removeprefix(BLOBS)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise _damaged(path, member.name)
                yield sha256, data


def _damaged(path: Path, name: str) -> UsageError:
    return UsageError(f"{name} in {path} is damaged.", remedy="Use another backup; nothing was put into use.")
