"""Opens an uploaded zip and copies its members out one at a time; believes nothing that the archive says of itself.

Every refused member is reported by itself and the rest go on. Sizes are counted while unpacking, because the sizes
in a zip's directory are the sender's claim.
"""

import hashlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from core.errors import UnreadableScanError
from core.intake.problems import Problem

MAX_RATIO = 200
"""Unpacked bytes per packed byte. Deflate's limit is 1032; a real scan in 8-bit grey reaches about 3, a black one
with a burned-in caption about 100."""
RATIO_FREE_BYTES = 1 << 20
"""Below this size any ratio is harmless: a small black image may pack a thousandfold."""

_COPY_CHUNK_BYTES = 1 << 20
_DIRECTORY_BYTES_PER_ENTRY = 512
_MAX_COMMENT_BYTES = 0xFFFF + 20
_END_RECORD = struct.Struct("<12x I 6x")
_LOCATOR_64 = struct.Struct("<8x Q 4x")
_END_RECORD_64 = struct.Struct("<40x Q 8x")
_ENCRYPTED_FLAG = 0x1
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})
_NESTED_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes
    ----------
    max_entries : int
        Files in the archive.
    max_file_bytes, max_total_bytes : int
        Unpacked size of one member, and of all together.
    """

    max_entries: int
    max_file_bytes: int
    max_total_bytes: int


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: unpacked to ``path``, or refused because of ``problem``. Exactly one is set."""

    name: str
    size_bytes: int
    sha256: str | None
    path: Path | None
    problem: Problem | None


def unpack(archive: Path, folder: Path, limits: ArchiveLimits) -> Iterator[Member]:
    """Copy the members of ``archive`` into ``folder`` one after another, under names of our own.

    The caller may delete each member's file before it asks for the next: one member is on disk at a time. Raises
    UnreadableScanError (``damaged_zip``, ``empty_zip``, ``too_many_entries``) where the archive as a whole is
    refused.
    """
    with _open(archive, limits) as opened:
        _refuse_office_document(opened)
        entries = [entry for entry in opened.infolist() if not entry.is_dir() and not _is_system_file(entry)]
        _check_count(len(entries), limits)
        seen: set[str] = set()
        unpacked_bytes = 0
        for number, entry in enumerate(entries):
            problem = _problem_of_entry(entry, seen)
            seen.add(_key(entry.filename))
            if problem is not None:
                yield Member(entry.filename, entry.file_size, None, None, problem)
                continue
            member = _extract(opened, entry, folder / f"member-{number}", limits, unpacked_bytes)
            unpacked_bytes += 0 if member.problem else member.size_bytes
            yield member


def _open(archive: Path, limits: ArchiveLimits) -> zipfile.ZipFile:
    try:
        with archive.open("rb") as file:
            directory_bytes = _directory_bytes(file)
        # zipfile reads the whole directory into memory, however many millions of entries it claims.
        if directory_bytes > limits.max_entries * _DIRECTORY_BYTES_PER_ENTRY + _COPY_CHUNK_BYTES:
            _refuse_count("far too many", limits)
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise UnreadableScanError(
            "damaged_zip",
            "The zip archive is damaged or cut off.",
            remedy="Make the archive again and check that it opens on your computer; then upload it once more.",
        ) from error


def _directory_bytes(file: IO[bytes]) -> int:
    """Size of the archive's directory by its end record (APPNOTE.TXT 4.3.14 and 4.3.16)."""
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END_RECORD.size - _MAX_COMMENT_BYTES)
    file.seek(tail_start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise zipfile.BadZipFile("no end record")
    (directory_bytes,) = _END_RECORD.unpack_from(tail, end)
    locator = end - _LOCATOR_64.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        (record_offset,) = _LOCATOR_64.unpack_from(tail, locator)
        file.seek(record_offset)
        (directory_bytes,) = _END_RECORD_64.unpack(file.read(_END_RECORD_64.size))
    return int(directory_bytes)


def _check_count(count: int, limits: ArchiveLimits) -> None:
    if count > limits.max_entries:
        _refuse_count(str(count), limits)
    if count == 0:
        raise UnreadableScanError(
            "empty_zip", "The zip archive holds no file.", remedy="Put the exported scans into the archive."
        )


def _refuse_count(count: str, limits: ArchiveLimits) -> NoReturn:
    raise UnreadableScanError(
        "too_many_entries",
        f"The zip archive holds {count} files; at most {limits.max_entries} are taken in one batch.",
        remedy="Split the archive into several batches.",
    )


def _refuse_office_document(opened: zipfile.ZipFile) -> None:
    if "[Content_Types].xml" in opened.namelist():
        raise UnreadableScanError(
            "office_document",
            "The file is an office document (a workbook, text or presentation), not an archive of scans.",
            remedy="Save the table as CSV (in Excel: Save as, CSV UTF-8), and export scans as PNG or TIFF.",
        )


def _is_system_file(entry: zipfile.ZipInfo) -> bool:
    """What a desktop adds by itself: leaving it out silently is what the sender expects."""
    path = PurePosixPath(entry.filename)
    return path.name.lower() in _IGNORED_NAMES or path.name.startswith("._") or "__MACOSX" in path.parts


def _key(name: str) -> str:
    return name.replace("\\", "/").casefold()


def _problem_of_entry(entry: zipfile.ZipInfo, seen: set[str]) -> Problem | None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    is_drive = len(entry.filename) > 1 and entry.filename[1] == ":"
    if path.is_absolute() or is_drive or ".." in path.parts:
        return Problem(
            "unsafe_path",
            "The file's name inside the archive leads out of the archive.",
            "Make the archive with plain names below one folder.",
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        return Problem(
            "symbolic_link",
            "The entry is a link to another place, not a file.",
            "Put the file itself into the archive.",
        )
    if entry.flag_bits & _ENCRYPTED_FLAG:
        return Problem(
            "encrypted",
            "The entry is protected by a password.",
            "Make the archive without a password; the upload itself is encrypted where the server uses HTTPS.",
        )
    if _key(entry.filename) in seen:
        return Problem(
            "duplicate_name",
            "Another file in the archive has the same name.",
            "Give each file its own name, so that the manifest can tell them apart.",
        )
    return None


def _extract(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, limits: ArchiveLimits, unpacked_bytes: int
) -> Member:
    digest = hashlib.sha256()
    size = 0
    problem: Problem | None = None
    try:
        with path.open("wb") as target:
            for chunk in _chunks(opened, entry):
                if size == 0:
                    problem = _nested(chunk)
                size += len(chunk)
                problem = problem or _over_limit(entry, size, unpacked_bytes + size, limits)
                if problem is not None:
                    break
                digest.update(chunk)
                target.write(chunk)
    except UnreadableScanError as error:
        problem = Problem.of(error)
    if problem is not None:
        path.unlink(missing_ok=True)
        return Member(entry.filename, size, None, None, problem)
    return Member(entry.filename, size, digest.hexdigest(), path, None)


def _chunks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The member's bytes; UnreadableScanError where it cannot be unpacked (a full disk is no fault of the file)."""
    try:
        with opened.open(entry) as source:
            while chunk := source.read(_COPY_CHUNK_BYTES):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError, OSError) as error:
        raise UnreadableScanError(
            "damaged_entry",
            "The entry cannot be unpacked: its data are damaged or packed in a way that is not supported.",
            remedy="Make the archive again with the ordinary method (deflate) and upload it once more.",
        ) from error


def _nested(head: bytes) -> Problem | None:
    if not head.startswith(_NESTED_STARTS):
        return None
    return Problem(
        "nested_archive",
        "The entry is itself an archive.",
        "Unpack it and put its files directly into the archive.",
    )


def _over_limit(entry: zipfile.ZipInfo, size: int, total: int, limits: ArchiveLimits) -> Problem | None:
    if size > limits.max_file_bytes:
        return Problem(
            "file_too_large",
            f"The file unpacks to more than {limits.max_file_bytes / 1e6:.0f} MB.",
            "Export the scan as a PNG or TIFF image of its own resolution.",
        )
    if total > limits.max_total_bytes:
        return Problem(
            "archive_too_large",
            f"The archive unpacks to more than {limits.max_total_bytes / 1e6:.0f} MB; this file and those after it "
            "were left out.",
            "Split the archive into several batches.",
        )
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(entry.compress_size, 1):
        return Problem(
            "zip_bomb",
            f"The entry unpacks to more than {MAX_RATIO} times its packed size.",
            "No real scan packs so well. Export the scan again and make a new archive.",
        )
    return None
