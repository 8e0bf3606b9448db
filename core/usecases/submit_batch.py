"""Turns a checked draft into rows: subjects, visits, slots, acquisitions and queued scans in one transaction.

Nothing is acknowledged before it is committed: the receipt is what the transaction wrote, and the bell rings after it.
Files with faults are rejected one by one and never stop the others; suspected lettering holds a file until a person
has looked at it (core.usecases.release_held).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from core.broker import Bell
from core.clock import now
from core.database.session import after_commit
from core.errors import UsageError
from core.intake.problems import Problem
from core.storage import BlobStore
from core.store.access import Actor
from core.store.audit import record_event
from core.store.batch import (
    BatchHead,
    StoredFile,
    lock_for_submission,
    mark_submitted,
    read_batch,
    read_files,
    read_roster,
    write_outcome,
)
from core.usecases.add_captures import add_captures
from core.usecases.check_batch import FileCheck, check_files
from core.usecases.upload_rights import require_uploader
from core.vocabulary import FileState, ScanKind, ScanState


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """What became of one file. ``scan_state`` is where its scan stands now; None where it has none."""

    file_id: int
    name: str
    state: FileState
    problems: tuple[Problem, ...]
    scan_id: int | None
    scan_state: ScanState | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the uploader keeps: the number, the moment of the commit, and every file with its state."""

    code: str
    batch_id: int
    study: str
    site: str
    submitted_at: datetime
    lines: tuple[ReceiptLine, ...]

    def count(self, state: FileState) -> int:
        """How many files ended in this state."""
        return sum(line.state is state for line in self.lines)


def submit_batch(session: Session, *, actor: Actor, blobs: BlobStore, bell: Bell, batch_id: int) -> Receipt:
    """Submit a draft and return its receipt; a batch that was submitted before gives the receipt it had."""
    head = read_batch(session, batch_id)
    require_uploader(actor, head.site)
    head = lock_for_submission(session, head)
    if head.submitted_at is None:
        _submit(session, head, actor=actor, blobs=blobs, bell=bell)
    return read_receipt(session, batch_id)


def read_receipt(session: Session, batch_id: int) -> Receipt:
    """The receipt of a submitted batch, its scans as they stand now; UsageError for a draft."""
    head = read_batch(session, batch_id)
    if head.submitted_at is None:
        raise UsageError("The batch has not been submitted; it has no receipt yet.", remedy="Submit it first.")
    lines = tuple(receipt_line(file) for file in read_files(session, batch_id))
    return Receipt(head.receipt, head.id, head.site.study, head.site.site, head.submitted_at, lines)


def ring_after_commit(session: Session, bell: Bell, kinds: Sequence[ScanKind]) -> None:
    """Tell the workers of these lanes, once the rows are committed, that there is work."""
    for kind in dict.fromkeys(kinds):
        after_commit(session, lambda kind=kind: bell.ring(kind))  # type: ignore[misc]


def _submit(session: Session, head: BatchHead, *, actor: Actor, blobs: BlobStore, bell: Bell) -> None:
    moment = now()
    files = read_files(session, head.id)
    if not files:
        raise UsageError("The batch holds no file.", remedy="Upload the scans first.")
    roster = read_roster(session, head.site.site_id)
    checks = [_stored_or_rejected(blobs, check) for check in check_files(session, head, files, roster, now=moment)]
    accepted = [check for check in checks if check.outcome is FileState.ACCEPTED]
    scan_ids = add_captures(session, head, accepted, roster, actor=actor, received_at=moment)
    for check in checks:
        documents = [problem.as_document() for problem in check.problems]
        write_outcome(
            session, check.file.id, state=check.outcome, problems=documents, scan_id=scan_ids.get(check.file.id)
        )
    mark_submitted(session, head.id, moment)
    _record(session, head, checks, actor=actor)
    ring_after_commit(session, bell, [check.entry.kind for check in accepted if check.entry is not None])


def _stored_or_rejected(blobs: BlobStore, check: FileCheck) -> FileCheck:
    """A draft may be older than the pruning of unreferenced blobs: better rejected than a scan without an image."""
    named = (check.file.image_sha256, check.file.volume_sha256)
    if all(blobs.exists(sha256) for sha256 in named if sha256 is not None):
        return check
    gone = Problem(
        "image_gone",
        "The draft is so old that its stored image was removed.",
        "Upload the file once more in a new batch.",
    )
    return replace(check, problems=(gone, *check.problems))


def _record(session: Session, head: BatchHead, checks: Sequence[FileCheck], *, actor: Actor) -> None:
    counts = Counter(check.outcome for check in checks)
    record_event(
        session,
        actor=actor,
        action="batch.submitted",
        entity="batch",
        entity_id=head.id,
        study_id=head.site.study_id,
        site_id=head.site.site_id,
        after={"receipt": head.receipt, **{state.value: counts[state] for state in FileState}},
    )


def receipt_line(file: StoredFile) -> ReceiptLine:
    """What became of a file of a submitted batch."""
    assert file.state is not None, "every file of a submitted batch has a state"
    problems = tuple(Problem.from_document(document) for document in file.problems)
    return ReceiptLine(file.id, file.name, file.state, problems, file.scan_id, file.scan_state)
