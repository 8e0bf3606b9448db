"""DICOM origins of uploaded files: what an object stated, and its sealed UIDs. Knows no key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.database.tables import BatchFile, DicomSource, ReacquisitionRequest


@dataclass(frozen=True, slots=True)
class StoredOrigin:
    """The object that a scan came from.

    ``facts`` is what core.intake.dicom_facts stores; ``sealed_reference`` is None where the object lacks a UID.
    """

    facts: Mapping[str, Any]
    sealed_reference: str | None


def add_dicom_source(
    session: Session, *, site_id: int, batch_file_id: int, facts: Mapping[str, Any], sealed_reference: str | None
) -> None:
    """Write down where an uploaded file came from."""
    session.execute(
        insert(DicomSource.__table__).values(  # type: ignore[arg-type]  # the table: no RETURNING, nothing to read back
            site_id=site_id, batch_file_id=batch_file_id, facts=dict(facts), sealed_reference=sealed_reference
        )
    )


def read_facts_of_batch(session: Session, batch_id: int) -> dict[int, Mapping[str, Any]]:
    """What the DICOM objects of a batch stated, by file id."""
    rows = session.execute(
        select(DicomSource.batch_file_id, DicomSource.facts)
        .join(BatchFile, BatchFile.id == DicomSource.batch_file_id)
        .where(BatchFile.batch_id == batch_id)
    )
    return {file_id: facts for file_id, facts in rows}  # noqa: C416 - rows are no plain tuples


def read_origin(session: Session, scan_id: int) -> StoredOrigin | None:
    """Where a scan came from; None where it was no DICOM object, or the session's person may not see it."""
    row = session.execute(
        select(DicomSource.facts, DicomSource.sealed_reference)
        .join(BatchFile, BatchFile.id == DicomSource.batch_file_id)
        .where(BatchFile.scan_id == scan_id)
    ).one_or_none()
    return None if row is None else StoredOrigin(row.facts, row.sealed_reference)


def read_asked_reason(session: Session, acquisition_id: int) -> tuple[str, str] | None:
    """Code and words of the latest request to take a capture again; None where there never was one."""
    row = session.execute(
        select(ReacquisitionRequest.reason_code, ReacquisitionRequest.text)
        .where(ReacquisitionRequest.acquisition_id == acquisition_id)
        .order_by(ReacquisitionRequest.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.reason_code, row.text)
