"""Everything that the page of one scan shows, as one frozen value read in a handful of statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentArtifact,
    AssessmentPicture,
    Device,
    ModelVersion,
    ProtocolVersion,
    Scan,
    Site,
    Study,
    Subject,
    Technician,
    Visit,
)
from core.policy.protocol import Protocol
from core.policy.scan_types import kind_of
from core.store.action import taken_while_suspended
from core.store.assessment import FAZ_COLUMNS, VESSEL_COLUMNS
from core.store.calibration_mode import hidden_scans, read_own_grade
from core.store.reason import read_reasons
from core.store.same_image import SentScan, read_same_image
from core.store.scan_history import HistoryEntry, OpenRequest, read_history, read_request
from core.values import Measure, Measured, NotComputable, Reason, Scale
from core.vocabulary import (
    GRADES_OF_SCALE,
    ArtifactType,
    CoipsGrade,
    Laterality,
    ScaleSource,
    ScanKind,
    ScanState,
    Severity,
    Slab,
    Verdict,
)

MEASURE_COLUMNS = (
    "faz_area_mm2",
    "faz_perimeter_mm",
    "faz_acircularity_index",
    "faz_circularity",
    "faz_axis_ratio",
    "centration_offset_mm",
    "centration_offset_fraction",
    *VESSEL_COLUMNS,
    "blurriness",
    "psnr_inverse",
    "cov",
    "mean",
    "q_level_agreement",
    "cam_mask_agreement",
)
"""The assessment's measures; one that is NULL has its reason in ``not_computable`` under the same name."""


@dataclass(frozen=True, slots=True)
class ArtifactMark:
    """How much of the region of interest one artifact takes, and whether there is a mask to show."""

    type: ArtifactType
    area_fraction: float
    line_fraction: float | None
    severity: Severity
    has_mask: bool


@dataclass(frozen=True, slots=True)
class AssessmentView:
    """What one model said of one scan, under which protocol version."""

    id: int
    ordinal: int
    probabilities: dict[str, float]
    is_abstained: bool
    inherited_ordinal: int | None
    verdict: Verdict
    measures: dict[str, Measure]
    is_faz_touching_border: bool | None
    centration_severity: Severity | None
    artifacts: tuple[ArtifactMark, ...]
    reasons: tuple[Reason, ...]
    has_faz: bool
    has_cam: bool
    model_name: str
    model_version: str
    weights_sha256: str
    preprocessing: str
    protocol_number: int
    scored_at: datetime
    seconds: float
    why_no_cam: str | None
    conformal_level: float
    """Of the protocol version: the share of all scans that may be accepted although ungradable."""
    is_inherit: bool
    """Of the protocol version: deep slabs take the superficial slab's grade."""
    card: Mapping[str, Any]
    """The model's card as it was stored (core.scoring.card)."""
    findings: Mapping[str, Any] | None = None
    """What only its lane says (core.values.LaneFindings.document); None for OCTA en face."""
    pictures: tuple[str, ...] = ()
    """File names of the lane's pictures, under /scans/ID/pictures/."""

    def released_measures(self, human_ordinal: int | None) -> dict[str, Measure]:
        """The measures as the final grade releases them: of an ungradable scan the FAZ's and FD-300 are withheld.

        The mask and its metrics are always stored, so an override to gradable shows them at once (contracts.md).
        """
        if (self.ordinal if human_ordinal is None else human_ordinal) >= CoipsGrade.GRADABLE:
            return self.measures
        withheld = NotComputable("the scan is ungradable")
        rests_on_faz = (*FAZ_COLUMNS, "fd_300_percent")
        return {name: withheld if name in rests_on_faz else measure for name, measure in self.measures.items()}


@dataclass(frozen=True, slots=True)
class SlabView:
    """One scan of the acquisition: what the viewer needs to show it."""

    scan_id: int
    slab: Slab
    width_px: int
    height_px: int
    state: ScanState
    artifact_types: tuple[ArtifactType, ...]
    has_faz: bool
    has_cam: bool


@dataclass(frozen=True, slots=True)
class ScanView:
    """One scan with its acquisition, assessment, request, history and the other slabs of its capture."""

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
    field_mm: tuple[float, float] | None
    scale: Scale | None
    axial_length_mm: float | None
    device_quality: tuple[str, float] | None
    replaces_id: int | None
    slabs: tuple[SlabView, ...]
    assessment: AssessmentView | None
    request: OpenRequest | None
    history: tuple[HistoryEntry, ...]
    same_image: tuple[SentScan, ...]
    """Scans of other sites that hold this very image, where the person may see them."""
    is_device_suspended: bool
    """Whether the device's certificate was suspended when this was captured."""
    is_model_hidden: bool
    """The person is in calibration mode and has not graded the scan yet: nothing of the model's is in this value."""
    own_grade: int | None
    """The person's own masked grade."""

    @property
    def kind(self) -> ScanKind:
        """What it is a picture of: the first word of the scan type (core.policy.scan_types)."""
        return kind_of(self.scan_type)


def read_scan(session: Session, scan_id: int) -> ScanView | None:
    """The scan; None where there is no such scan or the session's person may not see it."""
    row = session.execute(_scan_row(scan_id)).one_or_none()
    if row is None:
        return None
    scan, acquisition = row.Scan, row.Acquisition
    is_hidden = scan.id in hidden_scans(session, [scan.id])
    return ScanView(
        scan_id=scan.id,
        version=scan.version,
        state=ScanState(scan.state),
        slab=Slab(scan.slab),
        human_ordinal=scan.human_ordinal,
        final_verdict=Verdict(scan.final_verdict) if scan.final_verdict and not is_hidden else None,
        failure=scan.failure,
        image_sha256=scan.image_sha256,
        study_id=row.study_id,
        site_id=scan.site_id,
        acquisition_id=acquisition.id,
        study_code=row.study_code,
        site_code=row.site_code,
        site_name=row.site_name,
        subject_code=row.subject_code,
        visit_code=row.visit_code,
        acquisition_code=acquisition.code,
        window_ends_on=row.window_ends_on,
        laterality=Laterality(acquisition.laterality),
        scan_type=acquisition.scan_type,
        acquired_at=acquisition.acquired_at,
        device_code=row.device_code,
        device_name=f"{row.manufacturer} {row.model}".strip(),
        device_serial=row.serial,
        software_version=acquisition.software_version,
        technician_code=row.technician_code,
        field_mm=_field_mm(acquisition),
        scale=_scale(acquisition, scan),
        axial_length_mm=acquisition.axial_length_mm,
        device_quality=_device_quality(acquisition),
        replaces_id=acquisition.replaces_id,
        slabs=_read_slabs(session, acquisition.id),
        assessment=None if is_hidden else _read_assessment(session, scan.assessment_id),
        request=read_request(session, acquisition.id),
        history=read_history(session, scan.id, is_model_hidden=is_hidden),
        same_image=read_same_image(session, scan.image_sha256, own_site_id=scan.site_id),
        is_device_suspended=row.is_device_suspended,
        is_model_hidden=is_hidden,
        own_grade=read_own_grade(session, scan.id),
    )


def _scan_row(scan_id: int) -> Select:  # type: ignore[type-arg]
    return (
        select(
            Scan,
            Acquisition,
            Study.id.label("study_id"),
            Study.code.label("study_code"),
            Site.code.label("site_code"),
            Site.name.label("site_name"),
            Subject.code.label("subject_code"),
            Visit.code.label("visit_code"),
            Visit.window_ends_on,
            Device.code.label("device_code"),
            Device.manufacturer,
            Device.model,
            Device.serial,
            Technician.code.label("technician_code"),
            taken_while_suspended().label("is_device_suspended"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Device, Device.id == Acquisition.device_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .where(Scan.id == scan_id)
    )


def _field_mm(acquisition: Acquisition) -> tuple[float, float] | None:
    if acquisition.field_width_mm is None or acquisition.field_height_mm is None:
        return None
    return acquisition.field_width_mm, acquisition.field_height_mm


def _scale(acquisition: Acquisition, scan: Scan) -> Scale | None:
    field_mm = _field_mm(acquisition)
    if field_mm is None or acquisition.scale_source is None:
        return None
    return Scale.of_field(*field_mm, scan.width_px, scan.height_px, ScaleSource(acquisition.scale_source))


def _device_quality(acquisition: Acquisition) -> tuple[str, float] | None:
    if acquisition.device_quality_name is None or acquisition.device_quality_value is None:
        return None
    return acquisition.device_quality_name, acquisition.device_quality_value


def _read_slabs(session: Session, acquisition_id: int) -> tuple[SlabView, ...]:
    rows = session.execute(
        select(Scan, Assessment.faz_mask_sha256, Assessment.cam_sha256)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Scan.acquisition_id == acquisition_id)
        .order_by(Scan.id)
    ).all()
    masks = session.execute(
        select(AssessmentArtifact.assessment_id, AssessmentArtifact.type).where(
            AssessmentArtifact.assessment_id.in_([row.Scan.assessment_id for row in rows if row.Scan.assessment_id]),
            AssessmentArtifact.mask_sha256.is_not(None),
        )
    ).all()
    hidden = hidden_scans(session, [row.Scan.id for row in rows])
    return tuple(
        SlabView(
            scan_id=row.Scan.id,
            slab=Slab(row.Scan.slab),
            width_px=row.Scan.width_px,
            height_px=row.Scan.height_px,
            state=ScanState(row.Scan.state),
            artifact_types=tuple(
                type_
                for type_ in ArtifactType
                if (row.Scan.assessment_id, type_) in masks and row.Scan.id not in hidden
            ),
            has_faz=row.faz_mask_sha256 is not None and row.Scan.id not in hidden,
            has_cam=row.cam_sha256 is not None and row.Scan.id not in hidden,
        )
        for row in rows
    )


def _read_assessment(session: Session, assessment_id: int | None) -> AssessmentView | None:
    if assessment_id is None:
        return None
    row = session.execute(
        select(Assessment, ModelVersion, ProtocolVersion.number, ProtocolVersion.document)
        .join(ModelVersion, ModelVersion.id == Assessment.model_version_id)
        .join(ProtocolVersion, ProtocolVersion.id == Assessment.protocol_version_id)
        .where(Assessment.id == assessment_id)
    ).one()
    assessment, model, protocol = row.Assessment, row.ModelVersion, Protocol.model_validate(row.document)
    return AssessmentView(
        id=assessment.id,
        ordinal=assessment.grade_ordinal,
        probabilities=_in_grade_order(assessment.probabilities),
        is_abstained=assessment.is_abstained,
        inherited_ordinal=assessment.inherited_ordinal,
        verdict=Verdict(assessment.verdict),
        measures={name: _measure(assessment, name) for name in MEASURE_COLUMNS},
        is_faz_touching_border=assessment.is_faz_touching_border,
        centration_severity=Severity(assessment.centration_severity) if assessment.centration_severity else None,
        artifacts=_read_artifacts(session, assessment_id),
        reasons=read_reasons(session, [assessment_id]).get(assessment_id, ()),
        has_faz=assessment.faz_mask_sha256 is not None,
        has_cam=assessment.cam_sha256 is not None,
        model_name=model.name,
        model_version=model.version,
        weights_sha256=model.weights_sha256,
        preprocessing=model.preprocessing,
        protocol_number=row.number,
        scored_at=assessment.scored_at,
        seconds=assessment.seconds,
        why_no_cam=assessment.not_computable.get("cam"),
        conformal_level=protocol.conformal_level,
        is_inherit=protocol.inherit,
        card=model.card,
        findings=None if assessment.findings is None else assessment.findings["document"],
        pictures=_read_pictures(session, assessment_id),
    )


def _read_pictures(session: Session, assessment_id: int) -> tuple[str, ...]:
    names = select(AssessmentPicture.name).where(AssessmentPicture.assessment_id == assessment_id)
    return tuple(session.scalars(names.order_by(AssessmentPicture.name)))


def _in_grade_order(probabilities: dict[str, Any]) -> dict[str, float]:
    """By ordinal; jsonb keeps no order of its own."""
    order = {grade.label: grade.value for grades in GRADES_OF_SCALE.values() for grade in grades}
    return {label: float(probabilities[label]) for label in sorted(probabilities, key=order.__getitem__)}


def _measure(assessment: Assessment, name: str) -> Measure:
    value: float | None = getattr(assessment, name)
    if value is not None:
        return Measured(value)
    reasons: dict[str, Any] = assessment.not_computable
    return NotComputable(str(reasons.get(name, "no reason was stored")))


def _read_artifacts(session: Session, assessment_id: int) -> tuple[ArtifactMark, ...]:
    rows = session.scalars(select(AssessmentArtifact).where(AssessmentArtifact.assessment_id == assessment_id)).all()
    marks = (
        ArtifactMark(
            type=ArtifactType(row.type),
            area_fraction=row.area_fraction,
            line_fraction=row.line_fraction,
            severity=Severity(row.severity),
            has_mask=row.mask_sha256 is not None,
        )
        for row in rows
    )
    return tuple(sorted(marks, key=lambda mark: -mark.area_fraction))
