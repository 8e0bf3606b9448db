"""Rows that nobody needs any more: abandoned drafts, and blobs that no scan, draft or assessment names."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, union
from sqlalchemy.orm import Session

from core.database.tables import (
    Assessment,
    AssessmentArtifact,
    AssessmentPicture,
    Batch,
    BatchFile,
    Blob,
    FazOutline,
    ModelVersion,
    Report,
    Scan,
    WantedMask,
)

_NAMING_COLUMNS = (
    Scan.image_sha256,
    Scan.volume_sha256,
    BatchFile.image_sha256,
    BatchFile.volume_sha256,
    BatchFile.source_sha256,
    Assessment.faz_mask_sha256,
    Assessment.cam_sha256,
    AssessmentArtifact.mask_sha256,
    AssessmentPicture.sha256,
    ModelVersion.stored_sha256,
    Report.pdf_sha256,
    WantedMask.mask_sha256,
    FazOutline.mask_sha256,
)
"""Every column that names a blob."""


def delete_drafts(session: Session, *, before: datetime) -> int:
    """Delete batches that were never submitted and whose last file came before ``before``; return how many."""
    has_young_file = select(BatchFile.id).where(BatchFile.batch_id == Batch.id, BatchFile.created_at >= before).exists()
    abandoned = session.scalars(
        select(Batch.id)
        .where(Batch.submitted_at.is_(None), Batch.created_at < before, ~has_young_file)
        .with_for_update(skip_locked=True)
    ).all()
    session.execute(delete(BatchFile).where(BatchFile.batch_id.in_(abandoned)))
    session.execute(delete(Batch).where(Batch.id.in_(abandoned)))
    return len(abandoned)


def delete_unused_blobs(session: Session, sha256s: Sequence[str], *, before: datetime) -> list[str]:
    """Delete the rows of those blobs that nothing names; return them all, those that never had a row too."""
    named = union(*(select(column).where(column.in_(sha256s)) for column in _NAMING_COLUMNS))
    used = set(session.scalars(named))
    young = set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(sha256s), Blob.created_at >= before)))
    unused = [sha256 for sha256 in sha256s if sha256 not in used | young]
    session.execute(delete(Blob).where(Blob.sha256.in_(unused)))
    return unused
