"""What the audit chain keeps outside the database: its key, and the anchor, an append-only file of its heads."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import SettingsError, UsageError
from core.key_file import make_key, read_key
from core.settings import Settings

_LAST_LINE_BYTES = 4_096
"""More than one line is long: reading the newest head does not get slower over the years."""


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The chain's length and last link at a moment: what the anchor, reports and backups carry."""

    count: int
    chain_hmac: str
    sealed_at: str

    def in_words(self) -> str:
        """As reports and backups carry it: ``1234:0f3a...``."""
        return f"{self.count}:{self.chain_hmac}"

    @classmethod
    def of_words(cls, words: str) -> "AuditHead":
        """The head that ``in_words`` wrote, without its moment; UsageError for anything else."""
        count, _, chain_hmac = words.strip().partition(":")
        if not (count.isdecimal() and re.fullmatch("[0-9a-f]{64}", chain_hmac)):
            raise UsageError(
                f"{words!r} is no head of the chain.", remedy="Copy it from a report: COUNT:64 hex digits."
            )
        return cls(int(count), chain_hmac, "")


def anchor_file(settings: Settings) -> Path:
    """Where the heads are written down; keep it on another disk, append-only, where that is possible."""
    return settings.audit_anchor_file or settings.home / "audit.anchor"


def key_file(settings: Settings) -> Path:
    """Where the chain's key lies; keep a copy apart from the database's backups."""
    return settings.audit_key_file or settings.home / "audit.key"


def read_heads(settings: Settings) -> Sequence[AuditHead]:
    """Every head that was written down, oldest first."""
    path = anchor_file(settings)
    return _heads(path.read_text("utf-8")) if path.exists() else []


def last_head(settings: Settings) -> AuditHead | None:
    """The newest head, for the sealer, reports and backups; None where nothing was sealed yet."""
    path = anchor_file(settings)
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_LINE_BYTES))
        tail = file.read().decode("utf-8")
    heads = _heads(tail)
    return heads[-1] if heads else None


def append_head(settings: Settings, head: AuditHead) -> None:
    """Write a head down and wait until it is on the disk."""
    path = anchor_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a crash cut the line before short
                file.write(b"\n")
        file.write(f"{json.dumps(asdict(head), sort_keys=True)}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def audit_key(settings: Settings) -> bytes:
    """The chain's key from its file, which only we may read; made when missing, but never beside an anchor."""
    path = key_file(settings)
    if not path.exists():
        if anchor_file(settings).exists():
            raise SettingsError(
                f"The audit key {path} is missing, but events were sealed with it.",
                remedy="Put the file back from your backup of keys, or set OCTAUDIT_AUDIT_KEY_FILE.",
            )
        make_key(path)
    return read_key(path, what="audit key")


def _heads(lines: str) -> list[AuditHead]:
    """The heads on whole lines; one that is cut off at either end is left out."""
    return [AuditHead(**json.loads(line)) for line in lines.splitlines() if line.startswith("{") and line.endswith("}")]
