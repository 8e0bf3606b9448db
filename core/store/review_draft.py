"""Drafts of the review form: one per person and scan, seen by that person alone. Knows no rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import ReviewDraft


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A form as it was left, for which version of the scan, and when."""

    document: Mapping[str, Any]
    seen_version: int
    updated_at: datetime


def put_draft(
    session: Session, *, reviewer_id: int, site_id: int, scan_id: int, seen_version: int, document: Mapping[str, Any]
) -> None:
    """Keep the form as it now is, in place of what was kept before."""
    values = {"document": dict(document), "seen_version": seen_version, "updated_at": now()}
    session.execute(
        insert(ReviewDraft)
        .values(reviewer_id=reviewer_id, site_id=site_id, scan_id=scan_id, **values)
        .on_conflict_do_update(index_elements=["reviewer_id", "scan_id"], set_=values)
    )


def read_draft(session: Session, *, reviewer_id: int, scan_id: int) -> StoredDraft | None:
    """The person's draft for the scan; None where there is none."""
    row = session.execute(
        select(ReviewDraft.document, ReviewDraft.seen_version, ReviewDraft.updated_at).where(
            ReviewDraft.reviewer_id == reviewer_id, ReviewDraft.scan_id == scan_id
        )
    ).one_or_none()
    return None if row is None else StoredDraft(row.document, row.seen_version, row.updated_at)


def remove_draft(session: Session, *, reviewer_id: int, scan_id: int) -> None:
    """Forget this person's draft for this scan; harmless where there is none."""
    session.execute(delete(ReviewDraft).where(ReviewDraft.reviewer_id == reviewer_id, ReviewDraft.scan_id == scan_id))
