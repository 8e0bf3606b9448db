"""Scores as they were stored, for reaching a verdict again when something around the scan has changed. Numbers only.

Masks and Grad-CAM stay in the blob store: a verdict rests on numbers, so empty arrays stand in their place.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Assessment, AssessmentArtifact, AssessmentPicture, ModelVersion, Scan
from core.store.assessment import FAZ_COLUMNS, INDEX_COLUMNS, VESSEL_COLUMNS, Inherited, StoredPictures
from core.values import (
    ArtifactScore,
    Centration,
    FazMetrics,
    Grade,
    ImageIndices,
    Measure,
    Measured,
    ModelIdentity,
    NotComputable,
    OctaFindings,
    RecordedFindings,
    ScanScores,
    VesselMetrics,
)
from core.vocabulary import GRADES_OF_SCALE, ArtifactType, GradeScale, ReasonCode, Severity, Verdict

NOT_LOADED = NotComputable("not loaded")
"""Stands for a Grad-CAM that lies in the blob store."""
_UNRECORDED = "not computed by the model of that time"


@dataclass(frozen=True, slots=True)
class StoredScores:
    """The scores that count for a scan, the row they came from, and what was concluded then."""

    assessment_id: int
    model_version_id: int
    protocol_version_id: int
    scored_at: datetime
    verdict: Verdict
    inherited: Inherited | None
    pictures: StoredPictures
    scores: ScanScores


def read_scores(session: Session, scan_id: int) -> StoredScores:
    """The scores of the assessment that counts for a scan; the scan must have one."""
    return read_scores_of(session, [scan_id])[scan_id]


def read_scores_of(session: Session, scan_ids: Iterable[int]) -> dict[int, StoredScores]:
    """The same of many scans, by scan id; those without an assessment are absent."""
    rows = session.execute(
        select(Scan.id, Assessment, ModelVersion)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(ModelVersion, ModelVersion.id == Assessment.model_version_id)
        .where(Scan.id.in_(tuple(scan_ids)))
    ).all()
    of_lane: dict[int, dict[str, str]] = defaultdict(dict)
    for picture in session.scalars(
        select(AssessmentPicture).where(AssessmentPicture.assessment_id.in_([row.Assessment.id for row in rows]))
    ):
        of_lane[picture.assessment_id][picture.name] = picture.sha256
    artifacts: dict[int, list[AssessmentArtifact]] = defaultdict(list)
    for artifact in session.scalars(
        select(AssessmentArtifact)
        .where(AssessmentArtifact.assessment_id.in_([row.Assessment.id for row in rows]))
        .order_by(AssessmentArtifact.assessment_id, AssessmentArtifact.type)
    ):
        artifacts[artifact.assessment_id].append(artifact)
    return {
        row.id: _stored(
            row.id, row.Assessment, row.ModelVersion, artifacts[row.Assessment.id], of_lane[row.Assessment.id]
        )
        for row in rows
    }


def _stored(
    scan_id: int,
    row: Assessment,
    model: ModelVersion,
    artifacts: Sequence[AssessmentArtifact],
    of_lane: dict[str, str],
) -> StoredScores:
    inherited = None
    if row.inherited_from_id is not None and row.inherited_ordinal is not None:
        inherited = Inherited(row.inherited_from_id, row.inherited_ordinal)
    masks = {ArtifactType(artifact.type): artifact.mask_sha256 for artifact in artifacts}
    return StoredScores(
        assessment_id=row.id,
        model_version_id=row.model_version_id,
        protocol_version_id=row.protocol_version_id,
        scored_at=row.scored_at,
        verdict=Verdict(row.verdict),
        inherited=inherited,
        pictures=StoredPictures(masks, row.faz_mask_sha256, row.cam_sha256, of_lane),
        scores=_scores(scan_id, row, model, artifacts),
    )


def _scores(
    scan_id: int, stored: Assessment, model: ModelVersion, artifacts: Sequence[AssessmentArtifact]
) -> ScanScores:
    return ScanScores(
        key=str(scan_id),
        grade=Grade(
            scale=GradeScale(stored.grade_scale),
            ordinal=stored.grade_ordinal,
            label=_label(stored),
            probabilities=stored.probabilities,
            abstained=stored.is_abstained,
        ),
        shape_px=(0, 0),
        artifacts=tuple(_artifact(artifact) for artifact in artifacts),
        centration=_centration(stored),
        findings=_findings(stored),
        indices=ImageIndices(**{name: _measure(stored, name) for name in INDEX_COLUMNS}),
        cam=_why_no_cam(stored),
        cam_mask_agreement=_measure(stored, "cam_mask_agreement"),
        is_of_kind=stored.is_of_kind,
        model=ModelIdentity(model.name, model.version, model.weights_sha256, model.preprocessing),
        seconds=stored.seconds,
    )


def _findings(stored: Assessment) -> OctaFindings | RecordedFindings:
    if stored.findings is None:
        vessels = VesselMetrics(**{name: _measure(stored, name) for name in VESSEL_COLUMNS})
        return OctaFindings(np.zeros((0, 0), np.bool_), _faz(stored), vessels)
    doubts, causes = (tuple(ReasonCode(code) for code in stored.findings[name]) for name in ("doubts", "causes"))
    return RecordedFindings(doubts, causes, stored.findings["document"])


def _centration(stored: Assessment) -> Centration | None:
    """None where the lane does not judge it: then neither a value nor a reason was stored."""
    offset = "centration_offset_fraction"
    if stored.findings is not None and getattr(stored, offset) is None and offset not in stored.not_computable:
        return None
    return Centration(
        offset_mm=_measure(stored, "centration_offset_mm"),
        offset_fraction=_measure(stored, offset),
        severity=None if stored.centration_severity is None else Severity(stored.centration_severity),
    )


def _why_no_cam(stored: Assessment) -> NotComputable:
    """Why there is no Grad-CAM, where there is none; else that it lies in the blob store."""
    return NotComputable(stored.not_computable["cam"]) if "cam" in stored.not_computable else NOT_LOADED


def _label(stored: Assessment) -> str:
    """The grade's label by its place on the scale; JSON objects keep no order, so probabilities cannot tell it."""
    return GRADES_OF_SCALE[GradeScale(stored.grade_scale)](stored.grade_ordinal).label


def _artifact(stored: AssessmentArtifact) -> ArtifactScore:
    return ArtifactScore(
        type=ArtifactType(stored.type),
        area_fraction=stored.area_fraction,
        line_fraction=stored.line_fraction,
        severity=Severity(stored.severity),
        mask=np.zeros((0, 0), np.bool_),
    )


def _faz(stored: Assessment) -> FazMetrics | NotComputable:
    if "faz" in stored.not_computable:
        return NotComputable(stored.not_computable["faz"])
    measures: dict[str, Any] = {attribute: _measure(stored, column) for column, attribute in FAZ_COLUMNS.items()}
    return FazMetrics(**measures, touches_border=bool(stored.is_faz_touching_border))


def _measure(stored: Assessment, column: str) -> Measure:
    value: float | None = getattr(stored, column)
    if value is None:
        return NotComputable(stored.not_computable.get(column, _UNRECORDED))
    return Measured(value)
