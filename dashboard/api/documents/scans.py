"""Scans as the worklist, the gallery and the page of one scan show them."""

from datetime import date, datetime

from pydantic import Field

from core.vocabulary import (
    ArtifactType,
    Laterality,
    OperatorFixable,
    ReasonCode,
    RequestState,
    ReviewDecision,
    ScaleSource,
    ScanState,
    Severity,
    Slab,
    Verdict,
)
from dashboard.api.documents.base import Document, Facts, MaybeNumber, Number


class ScanLineDocument(Document):
    """One scan of a list."""

    scan_id: int
    version: int = Field(description="Give it back with a decision: it is refused where the scan has moved on.")
    state: ScanState
    final_verdict: Verdict | None = Field(description="What the program or a person concluded; null: nothing yet.")
    human_ordinal: int | None = Field(description="A person's grade, 0..2; null: none.")
    model_ordinal: int | None = Field(description="The model's grade, 0..2; null: not scored.")
    is_abstained: bool | None = Field(description="True: the model declined to decide.")
    study_id: int
    site_id: int
    site_code: str
    device_id: int
    device_code: str
    software_version: str
    technician_code: str | None
    subject_code: str
    visit_code: str
    acquisition_id: int
    acquisition_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    acquired_at: datetime
    replaces_id: int | None = Field(description="The acquisition that this one was taken again for.")


class ReasonDocument(Document):
    """Why a scan is flagged, and what a technician can do about it."""

    code: ReasonCode
    operator_fixable: OperatorFixable
    text: str
    remedy: str


class WorklistItemDocument(Document):
    """One scan that waits, and for what."""

    scan_id: int
    state: ScanState
    verdict: Verdict | None
    laterality: Laterality
    slab: Slab
    scan_type: str
    site_code: str
    device_code: str
    technician_code: str | None
    subject_code: str
    visit_code: str
    acquired_at: datetime
    due_on: date | None = Field(description="The request's day, else the end of the visit window.")
    grade_ordinal: int | None
    is_abstained: bool
    request_state: RequestState | None
    failure: str | None
    reasons: list[ReasonDocument] = Field(description="Weightiest first.")
    question: str | None = Field(description="What the site was asked, where its answer is awaited.")
    is_device_suspended: bool


class ArtifactDocument(Document):
    """How much of the region of interest one artifact takes."""

    type: ArtifactType
    area_fraction: float = Field(description="Share of the region of interest, 0..1.")
    line_fraction: float | None = Field(description="Share of scan lines hit, 0..1; for motion only.")
    severity: Severity
    has_mask: bool = Field(description="Whether images/masks/{type} exists.")


class ScaleDocument(Document):
    """Millimetres per pixel and where they were read."""

    x_mm_per_px: float
    y_mm_per_px: float
    source: ScaleSource
    axial_length_corrected: bool = Field(description="False: nominal, for a standard eye.")


class AssessmentDocument(Document):
    """What one model said of a scan, under which protocol version."""

    ordinal: int = Field(description="Grade on the scale coips-3: 0 ungradable, 1 gradable, 2 outstanding.")
    probabilities: dict[str, float] = Field(description="Calibrated probability of each grade, 0..1.")
    is_abstained: bool
    inherited_ordinal: int | None = Field(description="The superficial slab's grade, where the protocol inherits it.")
    verdict: Verdict
    measures: dict[str, MaybeNumber] = Field(
        description="Released measures by name, which carries the unit; see docs/metrics.md."
    )
    is_faz_touching_border: bool | None
    centration_severity: Severity | None
    artifacts: list[ArtifactDocument]
    reasons: list[ReasonDocument]
    has_faz: bool
    has_cam: bool
    why_no_cam: str | None
    findings: Facts | None = Field(description="What only the lane of this scan says; null for OCTA.")
    pictures: list[str] = Field(description="Files of the lane's findings, at pictures/{name}.")
    model_name: str
    model_version: str
    weights_sha256: str
    preprocessing: str
    protocol_number: int
    conformal_level: float = Field(description="Share of all scans that may be accepted although ungradable, 0..1.")
    scored_at: datetime
    seconds: float = Field(description="Time the scoring took, in seconds.")


class SlabDocument(Document):
    """One scan of the same capture."""

    scan_id: int
    slab: Slab
    width_px: int
    height_px: int
    state: ScanState
    artifact_types: list[ArtifactType]
    has_faz: bool
    has_cam: bool


class RequestOfScanDocument(Document):
    """What the site was asked for about this capture."""

    id: int
    state: RequestState
    text: str
    remedy: str
    due_on: date | None
    version: int
    replacement_scan_id: int | None


class HistoryDocument(Document):
    """One step of a scan's life."""

    happened_at: datetime
    who: str | None = Field(description="Null: the program.")
    text: str
    decision: ReviewDecision | None
    request_state: RequestState | None
    ordinal: int | None
    note: str


class SentScanDocument(Document):
    """A scan of another site that holds the very same image."""

    scan_id: int
    study_code: str
    site_id: int
    site_code: str
    site_name: str
    subject_code: str
    acquired_at: datetime


class ScanDocument(Document):
    """One scan with its capture, assessment, request, history and the other slabs of its capture."""

    scan_id: int
    version: int
    state: ScanState
    slab: Slab
    human_ordinal: int | None
    final_verdict: Verdict | None
    failure: str | None
    image_sha256: str
    study_id: int
    site_id: int
    acquisition_id: int
    study_code: str
    site_code: str
    site_name: str
    subject_code: str
    visit_code: str
    acquisition_code: str
    window_ends_on: date | None
    laterality: Laterality
    scan_type: str
    acquired_at: datetime
    device_code: str
    device_name: str
    device_serial: str
    software_version: str
    technician_code: str | None
    field_mm: tuple[float, float] | None = Field(description="Width and height of the field, in mm.")
    scale: ScaleDocument | None
    axial_length_mm: float | None
    device_quality: tuple[str, float] | None = Field(description="Name and value of the device's own quality index.")
    replaces_id: int | None
    slabs: list[SlabDocument]
    assessment: AssessmentDocument | None
    request: RequestOfScanDocument | None
    history: list[HistoryDocument]
    same_image: list[SentScanDocument]
    is_device_suspended: bool
    is_model_hidden: bool = Field(
        description="True: calibration mode; nothing of the model's is given before the caller's own grade."
    )
    own_grade: int | None = Field(description="The caller's own masked grade, 0..2.")


class ExampleDocument(Document):
    """One scan of the gallery."""

    scan_id: int
    site_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    scan_type: str
    acquired_at: datetime
    ordinal: int
    is_human_grade: bool
    label: str = Field(description="The likeliest grade.")
    probability: float = Field(description="Its calibrated probability, 0..1.")
    is_abstained: bool
    has_cam: bool
    artifacts: list[tuple[ArtifactType, float]] = Field(description="Type and share of the region of interest, 0..1.")


class ScanScoreDocument(Document):
    """One scored scan: the model's probability of ungradable beside the device's own index."""

    scan_id: int
    capture_id: int
    subject_code: str
    site_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    acquired_at: datetime
    probability: Number = Field(description="Of ungradable, calibrated, 0..1.")
    is_abstained: bool
    index: tuple[str, float] | None = Field(description="Name and value of the device's own quality index.")


class ScanScoresDocument(Document):
    """The latest scored scans of every device, as the view `Scan by scan` draws them."""

    as_of: datetime
    per_device: int = Field(description="Most scans that are given of one device.")
    n_devices: int
    scans: list[ScanScoreDocument]


class SharedImageDocument(Document):
    """One image that came from more than one site."""

    image_sha256: str
    scans: list[SentScanDocument]
