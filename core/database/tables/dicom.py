"""Where scans that came as DICOM objects came from."""

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, SiteScoped


class DicomSource(SiteScoped, Created, Base):
    """The DICOM object that an uploaded file was: what it states, and its UIDs, sealed with a key outside the database.

    Nothing of the patient, the institution or the operator is here. The UIDs are opened only to make DICOM results
    that name the object (ADR 0035).
    """

    __tablename__ = "dicom_source"

    id: Mapped[Id]
    batch_file_id: Mapped[int] = mapped_column(ForeignKey("batch_file.id", ondelete="CASCADE"), unique=True)
    facts: Mapped[dict[str, Any]]
    """core.intake.dicom_facts.DicomFacts."""
    sealed_reference: Mapped[str | None]
    """core.intake.dicom_facts.DicomReference, sealed; None where the object lacks a UID."""
