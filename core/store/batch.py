"""Batches and their files: drafts while the table is filled in, receipts once submitted. Knows no pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database.tables import Batch, BatchFile, Blob, Device, Scan, Site, Study, Technician, User
from core.errors import NotFoundError
from core.vocabulary import FileState, ScanState

UPLOAD_LOCK = 7_311
"""First key of the advisory lock that lets one batch of a site be submitted at a time; the second is the site."""


@dataclass(frozen=True, slots=True)
class SiteRef:
    """A site with its study, by id and by the codes that people use."""

    site_id: int
    site: str
    site_name: str
    study_id: int
    study: str
    is_active: bool
    """False where an administrator deactivated it: it takes no new scans."""


@dataclass(frozen=True, slots=True)
class BatchHead:
    """One batch without its files. ``submitted_at`` is None while it is a draft."""

    id: int
    receipt: str
    site: SiteRef
    uploaded_by_id: int | None
    created_at: datetime
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a batch as stored. ``state`` is None while the batch is a draft.

    ``problems`` are those found so far, as documents; ``scan_state`` is where its scan stands, None without one.
    """

    id: int
    batch_id: int
    name: str
    size_bytes: int
    image_sha256: str | None
    volume_sha256: str | None
    width_px: int | None
    height_px: int | None
    text_regions: tuple[dict[str, Any], ...]
    state: FileState | None
    entry: dict[str, Any]
    problems: tuple[dict[str, Any], ...]
    scan_id: int | None
    scan_state: ScanState | None


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file about to be added to a draft."""

    name: str
    size_bytes: int
    source_sha256: str | None
    image_sha256: str | None
    volume_sha256: str | None
    """Of a volume, the blob that holds all of it."""
    width_px: int | None
    height_px: int | None
    text_regions: Sequence[dict[str, Any]]
    entry: dict[str, Any]
    problems: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One batch in a list: who sent it when, and how many files are in which state."""

    head: BatchHead
    uploaded_by: str
    files: int
    accepted: int
    rejected: int
    held: int
    waiting: int
    scored: int
    failed: int


@dataclass(frozen=True, slots=True)
class SiteRoster:
    """Ids of a site's devices and technicians by code, and the devices' registered serials and software versions."""

    device_ids: dict[str, int]
    device_software: dict[str, str]
    device_serials: dict[str, str]
    technician_ids: dict[str, int]


def read_sites(session: Session) -> tuple[SiteRef, ...]:
    """Every site that the session's person may see, by study and site code."""
    rows = session.execute(
        select(Site.id, Site.code, Site.name, Study.id, Study.code, Site.deactivated_at.is_(None))
        .join(Study, Study.id == Site.study_id)
        .order_by(Study.code, Site.code)
    )
    return tuple(SiteRef(*row) for row in rows)


def find_site(session: Session, *, study: str, site: str) -> SiteRef:
    """The site with this code in this study; NotFoundError where there is none that the person may see."""
    row = session.execute(
        select(Site.id, Site.code, Site.name, Study.id, Study.code, Site.deactivated_at.is_(None))
        .join(Study, Study.id == Site.study_id)
        .where(Study.code == study, Site.code == site)
    ).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no site {site!r} in a study {study!r} that you may use.",
            remedy="Check both codes, or ask an administrator for a role at the site.",
        )
    return SiteRef(*row)


def read_roster(session: Session, site_id: int) -> SiteRoster:
    """The devices and technicians of a site that are in use."""
    devices = session.execute(
        select(Device.code, Device.id, Device.software_version, Device.serial)
        .where(Device.site_id == site_id, Device.deactivated_at.is_(None))
        .order_by(Device.code)
    ).all()
    technicians = session.execute(
        select(Technician.code, Technician.id)
        .where(Technician.site_id == site_id, Technician.deactivated_at.is_(None))
        .order_by(Technician.code)
    ).all()
    return SiteRoster(
        device_ids={row.code: row.id for row in devices},
        device_software={row.code: row.software_version for row in devices},
        device_serials={row.code: row.serial for row in devices},
        technician_ids={code: id_ for code, id_ in technicians},  # noqa: C416 - rows are no plain tuples
    )


def add_batch(session: Session, *, site_id: int, receipt: str, uploaded_by_id: int | None) -> int:
    """Open a draft and return its id."""
    batch = Batch(site_id=site_id, receipt=receipt, uploaded_by_id=uploaded_by_id)
    session.add(batch)
    session.flush()
    return batch.id


def read_batch(session: Session, batch_id: int) -> BatchHead:
    """One batch; NotFoundError where there is none that the person may see."""
    row = session.execute(_heads().where(Batch.id == batch_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no batch {batch_id}, or none that you may see.", remedy="Open it from the list of your uploads."
        )
    return _head(row)


def find_batch(session: Session, receipt: str) -> int:
    """The batch of this receipt code; NotFoundError where there is none that the person may see."""
    found = session.scalar(select(Batch.id).where(Batch.receipt == receipt.strip()))
    if found is None:
        raise NotFoundError(
            f"There is no batch with receipt {receipt!r}, or none that you may see.", remedy="Check the code."
        )
    return found


def lock_for_submission(session: Session, batch: BatchHead) -> BatchHead:
    """Wait until no other batch of the site is being submitted, and read the batch anew.

    With this lock a duplicate, a slot or a capture that the checks did not find cannot appear before the commit.
    """
    session.execute(select(func.pg_advisory_xact_lock(UPLOAD_LOCK, batch.site.site_id)))
    return read_batch(session, batch.id)


def mark_submitted(session: Session, batch_id: int, moment: datetime) -> None:
    """Turn a draft into a submission."""
    session.execute(update(Batch).where(Batch.id == batch_id).values(submitted_at=moment))


def add_file(session: Session, batch: BatchHead, file: NewFile) -> int:
    """Add one file to a draft and return its id."""
    row = BatchFile(
        site_id=batch.site.site_id,
        batch_id=batch.id,
        original_name=file.name,
        size_bytes=file.size_bytes,
        source_sha256=file.source_sha256,
        image_sha256=file.image_sha256,
        volume_sha256=file.volume_sha256,
        width_px=file.width_px,
        height_px=file.height_px,
        text_regions=list(file.text_regions),
        state=None,
        entry=file.entry,
        problems=list(file.problems),
        scan_id=None,
    )
    session.add(row)
    session.flush()
    return row.id


def remove_files(session: Session, batch_id: int, file_ids: Iterable[int]) -> None:
    """Take files out of a draft."""
    session.execute(
        delete(BatchFile).where(
            BatchFile.batch_id == batch_id, BatchFile.id.in_(tuple(file_ids)), BatchFile.state.is_(None)
        )
    )


def count_files(session: Session, batch_id: int) -> int:
    """How many files a batch holds."""
    return session.execute(select(func.count()).where(BatchFile.batch_id == batch_id)).scalar_one()


def read_files(session: Session, batch_id: int) -> tuple[StoredFile, ...]:
    """The files of a batch in the order in which they arrived."""
    rows = session.execute(file_statement().where(BatchFile.batch_id == batch_id).order_by(BatchFile.id))
    return tuple(stored_file(row) for row in rows)


def read_file(session: Session, file_id: int) -> StoredFile:
    """One file; NotFoundError where there is none that the person may see."""
    row = session.execute(file_statement().where(BatchFile.id == file_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no uploaded file {file_id}, or none that you may see.",
            remedy="Open its batch from the list of your uploads.",
        )
    return stored_file(row)


def write_entries(session: Session, batch_id: int, entries: dict[int, dict[str, Any]]) -> None:
    """Replace the filled-in rows of a draft's files."""
    for file_id, entry in entries.items():
        session.execute(
            update(BatchFile)
            .where(BatchFile.id == file_id, BatchFile.batch_id == batch_id, BatchFile.state.is_(None))
            .values(entry=entry)
        )


def write_outcome(
    session: Session, file_id: int, *, state: FileState, problems: Sequence[dict[str, Any]], scan_id: int | None
) -> None:
    """Record what became of a file."""
    session.execute(
        update(BatchFile)
        .where(BatchFile.id == file_id)
        .values(state=state.value, problems=list(problems), scan_id=scan_id)
    )


def write_image(session: Session, file_id: int, *, image_sha256: str, width_px: int, height_px: int) -> None:
    """Replace a held file's image by one that a person checked; nothing in it is suspected any more."""
    session.execute(
        update(BatchFile)
        .where(BatchFile.id == file_id)
        .values(image_sha256=image_sha256, width_px=width_px, height_px=height_px, text_regions=[])
    )


def record_blob(session: Session, *, sha256: str, size_bytes: int, media_type: str) -> None:
    """Make a stored blob known to the database; harmless where it is."""
    session.execute(
        insert(Blob)
        .values(sha256=sha256, size_bytes=size_bytes, media_type=media_type)
        .on_conflict_do_nothing(index_elements=[Blob.sha256])
    )


def read_batches(
    session: Session,
    *,
    uploaded_by_id: int | None = None,
    before_id: int | None = None,
    batch_id: int | None = None,
    limit: int = 20,
    offset: int = 0,
) -> tuple[BatchLine, ...]:
    """Batches that the person may see, newest first; ``uploaded_by_id`` narrows to one person's.

    ``before_id`` begins below that id, whatever has come since the page before; ``batch_id`` asks for one.
    """
    counts = (
        select(
            func.count(BatchFile.id).label("files"),
            *(
                func.count(BatchFile.id).filter(BatchFile.state == state.value).label(state.value)
                for state in (FileState.ACCEPTED, FileState.REJECTED, FileState.HELD)
            ),
            func.count(Scan.id).filter(Scan.state.in_(WAITING)).label("waiting"),
            func.count(Scan.id).filter(Scan.assessment_id.is_not(None)).label("scored"),
            func.count(Scan.id).filter(Scan.state.in_(FAILED)).label("failed"),
        )
        .outerjoin(Scan, Scan.id == BatchFile.scan_id)
        .where(BatchFile.batch_id == Batch.id)
        .lateral()
    )
    statement = _heads().add_columns(User.display_name, counts).outerjoin(User, User.id == Batch.uploaded_by_id)
    statement = statement.join(counts, true()).order_by(Batch.id.desc()).limit(limit).offset(offset)
    if uploaded_by_id is not None:
        statement = statement.where(Batch.uploaded_by_id == uploaded_by_id)
    if before_id is not None:
        statement = statement.where(Batch.id < before_id)
    if batch_id is not None:
        statement = statement.where(Batch.id == batch_id)
    return tuple(
        BatchLine(
            _head(row), row.display_name or "octaudit", row.files, row.accepted, row.rejected, row.held,
            row.waiting, row.scored, row.failed,
        )
        for row in session.execute(statement)
    )  # fmt: skip


FAILED = (ScanState.FAILED.value, ScanState.QUARANTINED.value)
WAITING = (ScanState.RECEIVED.value, ScanState.QUEUED.value, ScanState.SCORING.value)


def _heads() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Batch.id, Batch.receipt, Batch.uploaded_by_id, Batch.created_at, Batch.submitted_at,
            Site.id.label("site_id"), Site.code.label("site"), Site.name.label("site_name"),
            Study.id.label("study_id"), Study.code.label("study"), Site.deactivated_at.is_(None).label("is_active"),
        )
        .join(Site, Site.id == Batch.site_id)
        .join(Study, Study.id == Site.study_id)
    )  # fmt: skip


def _head(row: Any) -> BatchHead:
    site = SiteRef(row.site_id, row.site, row.site_name, row.study_id, row.study, row.is_active)
    return BatchHead(row.id, row.receipt, site, row.uploaded_by_id, row.created_at, row.submitted_at)


def file_statement() -> Select[*tuple[Any, ...]]:
    """Files with the states of their scans; for conditions and an order."""
    return select(BatchFile, Scan.state.label("scan_state")).outerjoin(Scan, Scan.id == BatchFile.scan_id)


def stored_file(row: Any) -> StoredFile:
    """One row of ``file_statement``."""
    file: BatchFile = row.BatchFile
    return StoredFile(
        id=file.id,
        batch_id=file.batch_id,
        name=file.original_name,
        size_bytes=file.size_bytes,
        image_sha256=file.image_sha256,
        volume_sha256=file.volume_sha256,
        width_px=file.width_px,
        height_px=file.height_px,
        text_regions=tuple(file.text_regions),
        state=FileState(file.state) if file.state else None,
        entry=file.entry,
        problems=tuple(file.problems),
        scan_id=file.scan_id,
        scan_state=ScanState(row.scan_state) if row.scan_state else None,
    )
