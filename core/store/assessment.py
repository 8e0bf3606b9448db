"""Assessments: model version, measures, artifacts and reasons in and out of their rows. Judges nothing.

The conversions are here in both directions, so that a verdict can be reached again later from what was stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core.database.tables import (
    Assessment,
    AssessmentArtifact,
    AssessmentPicture,
    AssessmentReason,
    Base,
    Blob,
    ModelVersion,
    Scan,
)
from core.values import (
    Judgement,
    Measure,
    Measured,
    ModelIdentity,
    NotComputable,
    OctaFindings,
    Reason,
    ScanScores,
)
from core.vocabulary import ArtifactType, ModelOrigin, ScanKind, ScanState, Slab, Verdict

FAZ_COLUMNS = {
    "faz_area_mm2": "area_mm2",
    "faz_perimeter_mm": "perimeter_mm",
    "faz_acircularity_index": "acircularity_index",
    "faz_circularity": "circularity",
    "faz_axis_ratio": "axis_ratio",
}
"""Column of assessment: attribute of FazMetrics."""
VESSEL_COLUMNS = (
    "large_vessel_area_density_percent",
    "perfusion_density_percent",
    "skeleton_density_per_mm",
    "fd_300_percent",
)
"""Columns that are attributes of VesselMetrics under the same name."""
INDEX_COLUMNS = ("blurriness", "psnr_inverse", "cov", "mean", "q_level_agreement")
"""Columns that are attributes of ImageIndices under the same name."""

MEASURE_COLUMNS = (
    *FAZ_COLUMNS,
    *VESSEL_COLUMNS,
    *INDEX_COLUMNS,
    "is_faz_touching_border",
    "centration_offset_mm",
    "centration_offset_fraction",
    "cam_mask_agreement",
)
"""Every column of a measure; NULL with a reason in ``not_computable`` where the lane could not make it, NULL without
one where the lane makes no such measure."""


@dataclass(frozen=True, slots=True)
class StoredPictures:
    """Hashes of an assessment's pictures in the blob store; None where nothing was marked or computed.

    ``of_lane`` holds the pictures of a lane's findings by their file names.
    """

    artifact_masks: Mapping[ArtifactType, str | None]
    faz_mask: str | None
    cam: str | None
    of_lane: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob that is in the store and wants its row."""

    sha256: str
    size_bytes: int
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class NewAssessment:
    """Everything that one scan's assessment writes down."""

    scan_id: int
    site_id: int
    protocol_version_id: int
    scores: ScanScores
    judgement: Judgement
    inherited: "Inherited | None"
    pictures: StoredPictures
    scored_at: datetime | None = None
    """When the scores were made, where that is not now: stored scores that are judged again."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """The superficial slab's grade, as COIPS gives it to the deep slab of the same acquisition."""

    scan_id: int
    ordinal: int


def ensure_model_version(
    session: Session,
    identity: ModelIdentity,
    card: Mapping[str, Any],
    *,
    origin: ModelOrigin = ModelOrigin.INSTALLATION,
) -> int:
    """The id of the row for this model, made where it is new; safe where two workers meet it at once."""
    key = {
        "name": identity.name,
        "version": identity.version,
        "weights_sha256": identity.weights_sha256,
        "preprocessing": identity.preprocessing,
    }
    known = select(ModelVersion.id).filter_by(**key)
    found = session.scalar(known)
    if found is None:
        lane = card.get("kind", ScanKind.OCTA_ENFACE)  # the fakes of tests have no card
        added = postgresql_insert(ModelVersion).values(**key, card=dict(card), kind=lane, origin=origin)
        session.execute(added.on_conflict_do_nothing())
        found = session.scalars(known).one()
    return found


def add_blobs(session: Session, blobs: Iterable[NewBlob]) -> None:
    """Rows for blobs that are already in the store; those that have one keep it."""
    rows = [
        {"sha256": blob.sha256, "size_bytes": blob.size_bytes, "media_type": blob.media_type}
        for blob in sorted(set(blobs), key=lambda blob: blob.sha256)  # one order for all, so no two wait for each other
    ]
    if rows:
        session.execute(postgresql_insert(Blob).on_conflict_do_nothing(), rows)


def add_assessments(session: Session, new: Sequence[NewAssessment], *, model_version_id: int) -> dict[int, int]:
    """Write assessments with their artifacts and reasons; return the assessment's id per scan id.

    Where this model has already assessed a scan under the same protocol, that assessment stands and nothing is written.
    """
    known = _known_assessments(session, new, model_version_id)
    added = [assessment for assessment in new if assessment.scan_id not in known]
    if not added:
        return known
    rows = session.execute(
        insert(Assessment).returning(Assessment.scan_id, Assessment.id),
        [_assessment_row(assessment, model_version_id) for assessment in added],
    )
    ids = {row.scan_id: row.id for row in rows}
    _insert_all(session, AssessmentArtifact, [row for each in added for row in _artifact_rows(each, ids[each.scan_id])])
    _insert_all(
        session,
        AssessmentReason,
        [row for each in added for row in _reason_rows(ids[each.scan_id], each.site_id, each.judgement.reasons)],
    )
    _insert_all(session, AssessmentPicture, [row for each in added for row in _picture_rows(each, ids[each.scan_id])])
    return known | ids


@dataclass(frozen=True, slots=True)
class KnownAssessment:
    """What a model's scores of a scan came to under a protocol version, where that was judged before."""

    id: int
    verdict: Verdict
    is_abstained: bool


def known_assessments(
    session: Session, scan_ids: Sequence[int], *, protocol_version_id: int
) -> dict[tuple[int, int], KnownAssessment]:
    """The assessments of these scans under one protocol version, by scan and model version."""
    rows = session.execute(
        select(
            Assessment.scan_id, Assessment.model_version_id, Assessment.id, Assessment.verdict, Assessment.is_abstained
        ).where(Assessment.scan_id.in_(scan_ids), Assessment.protocol_version_id == protocol_version_id)
    )
    return {
        (row.scan_id, row.model_version_id): KnownAssessment(row.id, Verdict(row.verdict), row.is_abstained)
        for row in rows
    }


def _known_assessments(session: Session, new: Sequence[NewAssessment], model_version_id: int) -> dict[int, int]:
    rows = session.execute(
        select(Assessment.scan_id, Assessment.id).where(
            Assessment.model_version_id == model_version_id,
            tuple_(Assessment.scan_id, Assessment.protocol_version_id).in_(
                [(assessment.scan_id, assessment.protocol_version_id) for assessment in new]
            ),
        )
    )
    return {row.scan_id: row.id for row in rows}


def _assessment_row(new: NewAssessment, model_version_id: int) -> dict[str, Any]:
    return {
        "site_id": new.site_id,
        "scan_id": new.scan_id,
        "model_version_id": model_version_id,
        "protocol_version_id": new.protocol_version_id,
        "seconds": new.scores.seconds,
        "inherited_ordinal": new.inherited.ordinal if new.inherited else None,
        "inherited_from_id": new.inherited.scan_id if new.inherited else None,
        "faz_mask_sha256": new.pictures.faz_mask,
        "cam_sha256": new.pictures.cam,
        "verdict": new.judgement.verdict,
        **({} if new.scored_at is None else {"scored_at": new.scored_at}),
        **_grade_columns(new.scores),
        "findings": _findings(new.scores),
        **_measure_columns(new.scores, has_cam=new.pictures.cam is not None),
    }


def _insert_all(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), rows)


def _grade_columns(scores: ScanScores) -> dict[str, Any]:
    return {
        "grade_scale": scores.grade.scale,
        "grade_ordinal": scores.grade.ordinal,
        "probabilities": dict(scores.grade.probabilities),
        "is_abstained": scores.grade.abstained,
        "is_of_kind": scores.is_of_kind,
    }


def _findings(scores: ScanScores) -> dict[str, Any] | None:
    """What only its lane says of a scan; None for OCTA en face, whose findings have columns of their own."""
    found = scores.findings
    if isinstance(found, OctaFindings):
        return None
    return {"doubts": list(found.doubts), "causes": list(found.causes), "document": found.document()}


def _measures(scores: ScanScores) -> dict[str, Measure]:
    """Every measure that the lane makes, under its column's name."""
    measures = {name: getattr(scores.indices, name) for name in INDEX_COLUMNS}
    measures["cam_mask_agreement"] = scores.cam_mask_agreement
    if scores.centration is not None:
        measures["centration_offset_mm"] = scores.centration.offset_mm
        measures["centration_offset_fraction"] = scores.centration.offset_fraction
    if isinstance(scores.findings, OctaFindings):
        faz, vessels = scores.findings.faz, scores.findings.vessels
        measures |= {
            column: faz if isinstance(faz, NotComputable) else getattr(faz, attribute)
            for column, attribute in FAZ_COLUMNS.items()
        }
        measures |= {name: getattr(vessels, name) for name in VESSEL_COLUMNS}
    return measures


def _measure_columns(scores: ScanScores, *, has_cam: bool) -> dict[str, Any]:
    # Of scores that are judged again the Grad-CAM is not loaded, and there all the same.
    columns: dict[str, Any] = dict.fromkeys(MEASURE_COLUMNS)
    reasons: dict[str, str] = {}
    for name, measure in _measures(scores).items():
        match measure:
            case Measured(value):
                columns[name] = value
            case NotComputable(reason):
                columns[name] = None
                reasons[name] = reason
    if isinstance(scores.cam, NotComputable) and not has_cam:
        reasons["cam"] = scores.cam.reason
    if isinstance(scores.findings, OctaFindings):
        faz = scores.findings.faz
        if isinstance(faz, NotComputable):
            reasons["faz"] = faz.reason
        else:
            columns["is_faz_touching_border"] = faz.touches_border
    columns["centration_severity"] = None if scores.centration is None else scores.centration.severity
    columns["not_computable"] = reasons
    return columns


def _artifact_rows(new: NewAssessment, assessment_id: int) -> list[dict[str, Any]]:
    return [
        {
            "assessment_id": assessment_id,
            "site_id": new.site_id,
            "type": artifact.type,
            "area_fraction": artifact.area_fraction,
            "line_fraction": artifact.line_fraction,
            "severity": artifact.severity,
            "mask_sha256": new.pictures.artifact_masks.get(artifact.type),
        }
        for artifact in new.scores.artifacts
    ]


def _picture_rows(new: NewAssessment, assessment_id: int) -> list[dict[str, Any]]:
    return [
        {"assessment_id": assessment_id, "site_id": new.site_id, "name": name, "sha256": sha256}
        for name, sha256 in new.pictures.of_lane.items()
    ]


def _reason_rows(assessment_id: int, site_id: int, reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "assessment_id": assessment_id,
            "site_id": site_id,
            "rank": rank,
            "code": reason.code,
            "operator_fixable": reason.operator_fixable,
            "text": reason.text,
            "remedy": reason.remedy,
        }
        for rank, reason in enumerate(reasons)
    ]


def superficial_grades(session: Session, acquisition_ids: Iterable[int]) -> dict[int, Inherited]:
    """Grades that deep slabs of these acquisitions inherit, by acquisition; none where the model abstained."""
    rows = session.execute(
        select(Scan.acquisition_id, Scan.id, Assessment.grade_ordinal)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .where(
            Scan.acquisition_id.in_(tuple(acquisition_ids)),
            Scan.slab == Slab.SUPERFICIAL,
            Assessment.is_abstained.is_(False),
        )
    )
    return {row.acquisition_id: Inherited(row.id, row.grade_ordinal) for row in rows}


def deep_scans_without_inheritance(session: Session, acquisition_ids: Iterable[int]) -> list[int]:
    """Deep slabs that were scored before their superficial slab and that no person has decided since."""
    return list(
        session.scalars(
            select(Scan.id)
            .join(Assessment, Assessment.id == Scan.assessment_id)
            .where(
                Scan.acquisition_id.in_(tuple(acquisition_ids)),
                Scan.slab == Slab.DEEP,
                Assessment.inherited_from_id.is_(None),
                Scan.human_ordinal.is_(None),
                Scan.state.in_((ScanState.ACCEPTED, ScanState.UNDER_REVIEW)),
            )
            .order_by(Scan.id)
        )
    )


def complete_inheritance(session: Session, assessment_id: int, inherited: Inherited, judgement: Judgement) -> None:
    """Give an assessment the grade it inherits and the verdict that follows; measures and grade stay as they are."""
    site_id = session.scalars(
        update(Assessment)
        .where(Assessment.id == assessment_id)
        .values(inherited_ordinal=inherited.ordinal, inherited_from_id=inherited.scan_id, verdict=judgement.verdict)
        .returning(Assessment.site_id)
    ).one()
    session.execute(delete(AssessmentReason).where(AssessmentReason.assessment_id == assessment_id))
    _insert_all(session, AssessmentReason, _reason_rows(assessment_id, site_id, judgement.reasons))
