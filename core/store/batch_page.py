"""One batch's files page by page, and its failed scans queued again: what the page My uploads asks of the database."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text, true
from sqlalchemy.orm import Session

from core.database.tables import BatchFile, Scan
from core.store.batch import FAILED, WAITING, StoredFile, file_statement, stored_file
from core.vocabulary import FileState, ScanKind


class FileFilter(StrEnum):
    """Which of a batch's files are listed."""

    ALL = "all"
    REJECTED = "rejected"
    HELD = "held"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RetriedScan:
    """A scan that waits for its score again, and why it had failed."""

    scan_id: int
    kind: ScanKind
    failure: str


def read_file_page(
    session: Session, batch_id: int, *, wanted: FileFilter, limit: int, offset: int
) -> tuple[StoredFile, ...]:
    """Some files of a batch in the order in which they arrived."""
    conditions = {
        FileFilter.ALL: true(),
        FileFilter.REJECTED: BatchFile.state == FileState.REJECTED.value,
        FileFilter.HELD: BatchFile.state == FileState.HELD.value,
        FileFilter.WAITING: Scan.state.in_(WAITING),
        FileFilter.FAILED: Scan.state.in_(FAILED),
    }
    rows = session.execute(
        file_statement()
        .where(BatchFile.batch_id == batch_id, conditions[wanted])
        .order_by(BatchFile.id)
        .limit(limit)
        .offset(offset)
    )
    return tuple(stored_file(row) for row in rows)


def retry_failed(session: Session, batch_id: int) -> tuple[RetriedScan, ...]:
    """Queue a batch's failed scans again with a clean count; none where the person has no role at the site."""
    rows = session.execute(text("select * from retry_failed_scans(:batch_id)"), {"batch_id": batch_id})
    return tuple(RetriedScan(row.id, ScanKind(row.kind), row.failure or "") for row in rows)
