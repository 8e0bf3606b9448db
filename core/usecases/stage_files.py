"""Takes uploaded files into a draft: reads each once, stores its cleaned image, and notes what is wrong with it.

Every file is a transaction of its own, so that a lost connection or a full disk loses one file and not the batch, and
the page can show the files as they arrive.
"""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UnreadableScanError, UsageError
from core.intake.archive import ArchiveLimits, Member, unpack
from core.intake.canonical import MEDIA_TYPE
from core.intake.hints import hinted_entry
from core.intake.manifest import UNKNOWN
from core.intake.manifest_csv import MAX_MANIFEST_BYTES, ManifestTable, read_manifest
from core.intake.problems import Problem
from core.intake.scan_file import DicomOrigin, ScanFile, read_scan_file
from core.intake.volume_blob import MEDIA_TYPE as VOLUME_MEDIA_TYPE
from core.settings import Settings
from core.storage import BlobStore
from core.store.access import Actor
from core.store.batch import (
    BatchHead,
    NewFile,
    add_file,
    count_files,
    read_batch,
    read_files,
    read_roster,
    record_blob,
    write_entries,
)
from core.store.dicom_source import add_dicom_source
from core.uid_seal import seal
from core.usecases.open_batch import clean_values
from core.usecases.upload_rights import require_draft, require_uploader
from core.vocabulary import ScanKind

OpenSession = Callable[[], AbstractContextManager[Session]]
"""Opens one transaction with the uploader's rights."""

MAX_UNPACKED_FACTOR = 4
"""An archive may unpack to this many times the size limit of one upload."""
MAX_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class StagedFile:
    """What one file became on arrival. ``problems`` are those of the file itself; its row is checked later."""

    file_id: int
    name: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ManifestOutcome:
    """What became of a manifest: how many files it described, and what was wrong with it."""

    matched: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Staging:
    """Where files go: a draft batch, reached through the uploader's own transactions, and the blob store."""

    open_session: OpenSession
    blobs: BlobStore
    settings: Settings
    actor: Actor
    batch_id: int


def stage_upload(
    staging: Staging, path: Path, name: str, *, entry: Mapping[str, Any] | None = None
) -> Iterator[StagedFile | ManifestOutcome]:
    """Take in one uploaded file, or every member of a zip, yielding each as soon as it is committed.

    A zip may hold manifest CSVs; they are applied when all its files are in. ``entry`` is what is known of a single
    file beforehand.
    """
    _require_room(staging, 1)
    if not _is_zip(path):
        yield _stage_plain(staging, path, name, entry or {})
        return
    manifests: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="unpack-", dir=upload_folder(staging.settings)) as folder:
        try:
            for member in unpack(path, Path(folder), _archive_limits(staging)):
                if member.path is not None and _is_manifest(member.name, member.path):
                    manifests.append(member.path.read_bytes())
                else:
                    yield _stage_member(staging, member)
                if member.path is not None:
                    member.path.unlink(missing_ok=True)
        except UnreadableScanError as error:
            yield _store(staging, _Source(name, path.stat().st_size, None), _unread(Problem.of(error)), {})
    for manifest in manifests:
        yield apply_manifest(staging, manifest)


def stage_image(staging: Staging, data: bytes, name: str, entry: Mapping[str, Any]) -> StagedFile:
    """Take in one file that is already in memory, with its row: the same path as an upload."""
    with tempfile.NamedTemporaryFile(prefix="stage-", dir=upload_folder(staging.settings)) as file:
        file.write(data)
        file.flush()
        scan = read_scan_file(Path(file.name), max_megapixels=staging.settings.image_max_megapixels)
    return _store(staging, _Source(name, len(data), hashlib.sha256(data).hexdigest()), scan, entry)


def apply_manifest(staging: Staging, data: bytes) -> ManifestOutcome:
    """Fill the draft's table in from a manifest CSV; a row without a file, or not a CSV at all, is a problem."""
    table = read_manifest(data)
    with staging.open_session() as session:
        batch = _draft(session, staging)
        found: dict[int, dict[str, Any]] = {}
        problems = list(table.problems)
        by_name = _files_by_name(session, batch)
        for row in _first_rows(table):
            name = row["file"]
            file = by_name.get(_match_key(name)) or by_name.get(_match_key(PurePosixPath(name).name))
            if file is None:
                problems.append(_unmatched(name))
                continue
            file_id, entry = file
            found[file_id] = entry | clean_values(row)
        write_entries(session, batch.id, found)
    return ManifestOutcome(len(found), tuple(problems))


def upload_folder(settings: Settings) -> Path:
    """Where uploads lie while they are read; made where it is not there."""
    folder = settings.home / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _stage_plain(staging: Staging, path: Path, name: str, entry: Mapping[str, Any]) -> StagedFile | ManifestOutcome:
    if _is_manifest(name, path):
        return apply_manifest(staging, path.read_bytes())
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    scan = read_scan_file(path, max_megapixels=staging.settings.image_max_megapixels)
    return _store(staging, _Source(name, path.stat().st_size, sha256), scan, entry)


def _stage_member(staging: Staging, member: Member) -> StagedFile:
    if member.path is None:
        problem = member.problem
        assert problem is not None, "a member is unpacked or has a problem"
        return _store(staging, _Source(member.name, member.size_bytes, None), _unread(problem), {})
    scan = read_scan_file(member.path, max_megapixels=staging.settings.image_max_megapixels)
    return _store(staging, _Source(member.name, member.size_bytes, member.sha256), scan, {})


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an image came from: the uploaded file as it was, which is not kept."""

    name: str
    size_bytes: int
    sha256: str | None


def _store(staging: Staging, source: _Source, scan: ScanFile, entry: Mapping[str, Any]) -> StagedFile:
    """Blob first, fsynced, then the row that names it."""
    shown = _printable(source.name)
    image_sha256 = staging.blobs.put(scan.png) if scan.png is not None else None
    volume_sha256 = staging.blobs.put(scan.volume) if scan.volume is not None else None
    with staging.open_session() as session:
        batch = _draft(session, staging)
        if image_sha256 is not None and scan.png is not None:
            record_blob(session, sha256=image_sha256, size_bytes=len(scan.png), media_type=MEDIA_TYPE)
        if volume_sha256 is not None and scan.volume is not None:
            record_blob(session, sha256=volume_sha256, size_bytes=len(scan.volume), media_type=VOLUME_MEDIA_TYPE)
        row = NewFile(
            name=shown,
            size_bytes=source.size_bytes,
            source_sha256=source.sha256,
            image_sha256=image_sha256,
            volume_sha256=volume_sha256,
            width_px=scan.width_px,
            height_px=scan.height_px,
            text_regions=[region.as_document() for region in scan.text_regions],
            entry=hinted_entry(shown) | _stated_entry(session, batch, scan.origin) | clean_values(entry),
            problems=[problem.as_document() for problem in scan.problems],
        )
        file_id = add_file(session, batch, row)
        if scan.origin is not None:
            _store_origin(session, staging, batch, file_id, scan.origin)
    return StagedFile(file_id, shown, scan.problems)


def _stated_entry(session: Session, batch: BatchHead, origin: DicomOrigin | None) -> dict[str, str]:
    """The row as the file states it; its device is the one that the site registered with that serial."""
    if origin is None:
        return {}
    serials = read_roster(session, batch.site.site_id).device_serials
    devices = [code for code, serial in serials.items() if serial and serial == origin.facts.serial]
    stated = origin.facts.entry | ({"device": devices[0]} if len(devices) == 1 else {})
    if origin.facts.kind is ScanKind.VOLUME and origin.facts.field_mm is None:
        # A line or a circle has no field that anybody could enter.
        stated |= {"field_width_mm": UNKNOWN, "field_height_mm": UNKNOWN}
    return stated


def _store_origin(session: Session, staging: Staging, batch: BatchHead, file_id: int, origin: DicomOrigin) -> None:
    reference = origin.reference
    add_dicom_source(
        session,
        site_id=batch.site.site_id,
        batch_file_id=file_id,
        facts=origin.facts.as_document(),
        sealed_reference=None if reference is None else seal(staging.settings, asdict(reference)),
    )


def _draft(session: Session, staging: Staging) -> BatchHead:
    batch = read_batch(session, staging.batch_id)
    require_uploader(staging.actor, batch.site)
    require_draft(batch)
    return batch


def _require_room(staging: Staging, more: int) -> None:
    with staging.open_session() as session:
        _draft(session, staging)
        present = count_files(session, staging.batch_id)
    limit = staging.settings.upload_max_files
    if present + more > limit:
        raise UsageError(
            f"The batch already holds {present} files; at most {limit} are taken.",
            remedy="Submit this batch and open another one for the rest.",
        )


def _archive_limits(staging: Staging) -> ArchiveLimits:
    with staging.open_session() as session:
        present = count_files(session, staging.batch_id)
    max_file_bytes = staging.settings.upload_max_file_mb * 1_000_000
    return ArchiveLimits(
        max_entries=staging.settings.upload_max_files - present,
        max_file_bytes=max_file_bytes,
        max_total_bytes=MAX_UNPACKED_FACTOR * max_file_bytes,
    )


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


def _is_manifest(name: str, path: Path) -> bool:
    # Text has no signature to sniff; read_manifest refuses what only calls itself CSV.
    return name.lower().endswith((".csv", ".tsv")) and path.stat().st_size <= MAX_MANIFEST_BYTES


def _unread(problem: Problem) -> ScanFile:
    return ScanFile(None, None, None, (), (problem,))


def _printable(name: str) -> str:
    """The name as it may be shown and stored: no control characters, not endless."""
    shown = "".join(character if character.isprintable() else "?" for character in name)
    return shown[-MAX_NAME_LENGTH:] or "unnamed"


def _match_key(name: str) -> str:
    return name.replace("\\", "/").strip().casefold()


def _files_by_name(session: Session, batch: BatchHead) -> dict[str, tuple[int, dict[str, Any]]]:
    """File id and entry by full name and, where unambiguous, by the name without folders."""
    files = read_files(session, batch.id)
    by_name = {_match_key(file.name): (file.id, file.entry) for file in files}
    short_names = [PurePosixPath(_match_key(file.name)).name for file in files]
    counts = Counter(short_names)
    for file, short in zip(files, short_names, strict=True):
        if counts[short] == 1:
            by_name.setdefault(short, (file.id, file.entry))
    return by_name


def _first_rows(table: ManifestTable) -> Iterator[dict[str, str]]:
    """The rows that name a file, the first one for each."""
    seen: set[str] = set()
    for row in table.rows:
        key = _match_key(row.values.get("file", ""))
        if key and key not in seen:
            seen.add(key)
            yield row.values


def _unmatched(name: str) -> Problem:
    return Problem(
        "manifest_file_not_uploaded",
        f"The manifest describes {name!r}, which is not among the uploaded files.",
        "Upload the file too, or correct its name in the manifest.",
        field="file",
    )
