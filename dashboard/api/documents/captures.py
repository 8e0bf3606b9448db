"""What stands beside a scan on its page: the check list, the visit before, every capture of the same expected scan."""

from datetime import datetime

from pydantic import AliasPath, Field

from core.vocabulary import ArtifactType, ScanKind, ScanState, Severity, Slab
from dashboard.api.documents.base import Document
from dashboard.api.documents.scans import ReasonDocument
from dashboard.api.documents.work import RequestDocument


class CheckDocument(Document):
    """One line of the check list: what was found, what the protocol asks, and whether the two agree."""

    subject: str
    found: str = Field(description="Empty: not stated.")
    asked: str = Field(description="Empty: the protocol asks nothing.")
    is_met: bool | None = Field(description="Null: nothing is asked, or it cannot be told.")


class DeviceIndexDocument(Document):
    """The device's own quality index beside its published limit."""

    name: str
    value: float
    limit: float | None = Field(description="Poor below it; null: none is published.")
    source: str | None
    is_met: bool | None


class PreviousScanDocument(Document):
    """The same eye, type and slab at the visit before."""

    scan_id: int
    visit_code: str
    acquired_at: datetime
    state: ScanState
    ordinal: int | None = Field(description="Null: nobody graded it.")
    is_by_person: bool


class ScanChecksDocument(Document):
    """The check list of a scan, by the protocol in force when it was captured."""

    scan_id: int
    checks: list[CheckDocument]
    device_index: DeviceIndexDocument | None = Field(description="Null: the device stated none.")
    previous: PreviousScanDocument | None = Field(description="Null: the eye's first, or none that may be seen.")


class SetScanDocument(Document):
    """One slab of a capture as it counts."""

    scan_id: int
    kind: ScanKind
    slab: Slab
    state: ScanState
    ordinal: int | None = Field(description="A person's grade, else the model's; null: none counts, or it is hidden.")
    is_by_person: bool
    is_hidden: bool = Field(description="Calibration mode: the caller grades it before seeing anybody's grade.")
    severities: list[tuple[ArtifactType, Severity]]
    reasons: list[ReasonDocument]


class SetCaptureDocument(Document):
    """One capture of an expected scan."""

    acquisition_id: int
    code: str
    acquired_at: datetime
    technician_code: str | None
    replaces_id: int | None
    is_gradable: bool = Field(description="As the counts have it; see docs/rates.md.")
    scans: list[SetScanDocument]


class ChoiceDocument(Document):
    """What a person chose as the best of the captures."""

    acquisition_id: int | None = Field(description="Null: the choice was taken back and the rule holds.")
    who: str
    reason: str
    at: datetime


class CaptureSetDocument(Document):
    """Every capture of an expected scan, the first one first, and which of them stands for it."""

    expected_scan_id: int
    captures: list[SetCaptureDocument]
    choice: ChoiceDocument | None = Field(description="The newest; null: nobody chose.")
    best_id: int | None = Field(
        validation_alias=AliasPath("best", "acquisition_id"),
        default=None,
        description="The acquisition that stands for it; null: none is gradable.",
    )


class CapturesDocument(Document):
    """Before and after: the captures of an expected scan and the requests for them."""

    captures: CaptureSetDocument
    requests: list[RequestDocument] = Field(description="The first round first.")
