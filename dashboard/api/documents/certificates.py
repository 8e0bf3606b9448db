"""What is asked of certificates, and their course."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from core.vocabulary import CertificateState, Laterality, ScanKind, Slab
from dashboard.api.documents.base import Body, Document, GivenDay, Id
from dashboard.api.documents.places import CertificateDocument
from dashboard.api.documents.work import NoteBody

MOST_SCANS = 100


class AskBody(NoteBody):
    """Whose certificate, for scans of which kind; one of the two ids is given."""

    device_id: Id | None = None
    technician_id: Id | None = None
    kind: ScanKind
    scan_ids: Annotated[list[Id], Field(max_length=MOST_SCANS)] = Field([], description="Scans that show it.")


class EvidenceBody(Body):
    """Scans that show what a device or technician can do."""

    scan_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_SCANS)]


class GrantBody(NoteBody):
    """How long it holds."""

    expires_on: GivenDay | None = Field(None, description="Last day; left out: as the protocol says.")


class CertificateStepDocument(Document):
    """One move of a certificate."""

    at: datetime
    state: CertificateState
    who: str | None = Field(description="Null: the program.")
    note: str


class ShownScanDocument(Document):
    """A scan that was shown for a certificate."""

    scan_id: int
    acquisition_id: int = Field(description="Slabs of one capture count once.")
    scan_type: str
    slab: Slab
    laterality: Laterality
    subject_code: str
    visit_code: str
    acquired_at: datetime
    software_version: str
    ordinal: int | None = Field(description="The grade that counts; null: nobody has decided.")
    is_gradable: bool


class CertificateCourseDocument(Document):
    """A certificate with every step of it and the scans that were shown for it, both oldest first."""

    certificate: CertificateDocument
    steps: list[CertificateStepDocument]
    evidence: list[ShownScanDocument]
