"""Checks a batch as it stands and says of every file what would become of it. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.intake.dicom_check import file_conflicts
from core.intake.dicom_facts import DicomFacts
from core.intake.hints import eye_conflict
from core.intake.manifest import Entry, Roster, check_row, quoted
from core.intake.problems import Problem
from core.intake.scan_file import BURNED_IN_TEXT
from core.scoring.contract import OPEN_LANES
from core.store.batch import BatchHead, SiteRoster, StoredFile, read_batch, read_files, read_roster
from core.store.capture import read_awaited, read_received_captures, read_received_images
from core.store.dicom_source import read_facts_of_batch
from core.usecases.match_captures import Candidate, Received, match_problems
from core.vocabulary import FileState, ScanKind


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file, its checked row where that is sound, and every problem known of it, blocking ones first."""

    file: StoredFile
    entry: Entry | None
    problems: tuple[Problem, ...]
    facts: DicomFacts | None = None
    """What the file itself states, where it is a DICOM object."""

    @property
    def outcome(self) -> FileState:
        """What becomes of the file if the batch is submitted as it stands."""
        blocking = {problem.code for problem in self.problems if problem.is_blocking}
        if not blocking:
            return FileState.ACCEPTED
        return FileState.HELD if blocking == {BURNED_IN_TEXT} else FileState.REJECTED


@dataclass(frozen=True, slots=True)
class BatchCheck:
    """A batch with the check of each of its files, in the order in which they arrived."""

    head: BatchHead
    files: tuple[FileCheck, ...]

    def with_outcome(self, outcome: FileState) -> tuple[FileCheck, ...]:
        """The files of one outcome."""
        return tuple(check for check in self.files if check.outcome is outcome)


def check_batch(session: Session, batch_id: int, *, now: datetime) -> BatchCheck:
    """Check every file of a batch against its row, the site's roster, its neighbours and what was sent before."""
    head = read_batch(session, batch_id)
    files = read_files(session, batch_id)
    return BatchCheck(head, check_files(session, head, files, read_roster(session, head.site.site_id), now=now))


def check_files(
    session: Session, head: BatchHead, files: Sequence[StoredFile], roster: SiteRoster, *, now: datetime
) -> tuple[FileCheck, ...]:
    """Check these files of a batch; the roster is the site's."""
    codes = Roster(head.site.study, head.site.site, tuple(roster.device_ids), tuple(roster.technician_ids))
    stated = {
        file_id: DicomFacts.from_document(facts) for file_id, facts in read_facts_of_batch(session, head.id).items()
    }
    rows = [_check_row(file, codes, now, stated.get(file.id)) for file in files]
    candidates = [
        Candidate(row.file.id, row.file.name, row.file.image_sha256, row.entry)
        for row in rows
        if row.entry is not None and row.file.image_sha256 is not None
    ]
    found = match_problems(candidates, read_received(session, head.site.site_id, candidates))
    return tuple(
        FileCheck(row.file, row.entry, _blocking_first(row.problems + found.get(row.file.id, ())), row.facts)
        for row in rows
    )


def read_received(session: Session, site_id: int, candidates: Sequence[Candidate]) -> Received:
    """What the site has sent before, as far as these files touch it."""
    if not candidates:
        return Received()
    named = [candidate.entry.replaces for candidate in candidates if candidate.entry.replaces is not None]
    return Received(
        images=read_received_images(session, site_id, (candidate.image_sha256 for candidate in candidates)),
        captures=read_received_captures(session, site_id, (candidate.key for candidate in candidates)),
        awaited=read_awaited(session, site_id, request_ids=named),
    )


def _check_row(file: StoredFile, roster: Roster, now: datetime, stated: DicomFacts | None) -> FileCheck:
    problems = tuple(Problem.from_document(document) for document in file.problems)
    if file.image_sha256 is None:
        # Of a file that cannot be read, an empty row is no further fault.
        return FileCheck(file, None, problems)
    values = {"study": roster.study, "site": roster.site, **file.entry, "file": file.name}
    entry, faults = check_row(values, roster, now=now)
    notes = eye_conflict(file.name, entry.eye) + _lane_problems(entry.kind) if entry is not None else ()
    if entry is not None and stated is not None:
        notes += file_conflicts(entry, stated)
    return FileCheck(file, entry, problems + faults + notes, stated)


def _lane_problems(kind: ScanKind) -> tuple[Problem, ...]:
    """A scan that no model scores is not taken: it would stand in the queue and in no rate, and nobody would know."""
    if kind in OPEN_LANES:
        return ()
    return (
        Problem(
            "kind_not_scored",
            f"{quoted('kind')} is {kind.value}, and no model scores such scans yet.",
            f"Take the file out of this upload and keep it. If it is an image of another kind, enter that: "
            f"{', '.join(OPEN_LANES)}.",
            "kind",
        ),
    )


def _blocking_first(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: not problem.is_blocking))
