"""Studies, sites, devices, technicians, protocol and model versions."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from core.vocabulary import CertificateState, ScanKind
from dashboard.api.documents.base import Document


class StudyDocument(Document):
    """One study."""

    id: int
    code: str
    name: str
    is_demo: bool
    created_at: datetime
    n_sites: int


class SiteDocument(Document):
    """One site of a study."""

    id: int
    code: str
    name: str
    country: str
    is_active: bool = Field(description="False: takes no new scans.")


class DeviceDocument(Document):
    """One device of a site."""

    id: int
    site_id: int
    site_code: str
    code: str
    manufacturer: str
    model: str
    serial: str
    software_version: str
    is_active: bool


class TechnicianDocument(Document):
    """One technician of a site."""

    id: int
    site_id: int
    site_code: str
    code: str
    name: str
    is_active: bool


class ProtocolVersionDocument(Document):
    """One version of a study's protocol: thresholds, expected scans, windows, certification."""

    id: int
    number: int
    effective_at: datetime
    note: str
    document: dict[str, Any] = Field(description="The protocol as docs/admin.md describes it.")


class ModelVersionDocument(Document):
    """The model that scored last, with its card."""

    name: str
    version: str
    card: dict[str, Any]


class CertificateDocument(Document):
    """What one device or technician is certified for."""

    id: int
    site_id: int
    study_id: int
    site_code: str
    kind: ScanKind
    device_id: int | None
    technician_id: int | None
    holder_code: str
    holder_name: str
    serial: str
    software_version: str
    state: CertificateState
    is_suspended: bool
    requested_at: datetime
    certified_at: datetime | None
    expires_on: date | None
    ended_at: datetime | None
    n_evidence: int = Field(description="Scans that were sent as evidence.")
