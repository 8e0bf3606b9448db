"""What the model said of a scan: model version, assessment, its artifacts and its reasons."""

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256, SiteScoped
from core.vocabulary import ModelOrigin, ScanKind


class ModelVersion(Created, Base):
    """Weights and preprocessing that produced assessments, with the model card."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("name", "version", "weights_sha256", "preprocessing"),)

    id: Mapped[Id]
    name: Mapped[str]
    version: Mapped[str]
    weights_sha256: Mapped[Sha256]
    preprocessing: Mapped[str]
    card: Mapped[dict[str, Any]]
    kind: Mapped[str] = mapped_column(default=ScanKind.OCTA_ENFACE, server_default=ScanKind.OCTA_ENFACE)
    """The lane; the versions of before this column were all of the only lane there was."""
    origin: Mapped[str] = mapped_column(default=ModelOrigin.INSTALLATION, server_default=ModelOrigin.INSTALLATION)
    stored_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    """The weights in the blob store, from where every worker takes them; None: of another installation's time."""
    retired_at: Mapped[datetime | None]
    """From when on it cannot be chosen any more; None: it can."""
    retired_reason: Mapped[str] = mapped_column(default="", server_default="")


class Assessment(SiteScoped, Base):
    """One model's scores of one scan under one protocol version: measures and grade are written once, never changed.

    Only what follows from the superficial slab of the same acquisition (``inherited_*``, ``verdict``, the reasons) is
    completed when that slab is scored later; the audit trail says so. A measure that could not be computed is NULL
    here and its reason stands in ``not_computable`` under the column's name.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("scan_id", "model_version_id", "protocol_version_id"),
        Index("ix_assessment_site_id_scored_at", "site_id", "scored_at"),
        Index("ix_assessment_site_id_scan_id", "site_id", "scan_id", postgresql_include=["id", "scored_at"]),
    )

    id: Mapped[Id]
    scan_id: Mapped[int] = mapped_column(ForeignKey("scan.id"))
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"))
    protocol_version_id: Mapped[int] = mapped_column(ForeignKey("protocol_version.id"))
    scored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seconds: Mapped[float] = mapped_column(Float)
    """Share of the batch's wall time that this scan took."""
    grade_scale: Mapped[str]
    grade_ordinal: Mapped[int]
    probabilities: Mapped[dict[str, Any]]
    """{label: probability}; sums to 1."""
    is_abstained: Mapped[bool]
    is_of_kind: Mapped[bool] = mapped_column("is_octa", default=True, server_default="true")
    """False where the image does not look like what its lane scores at all; the column has the first lane's name."""
    inherited_ordinal: Mapped[int | None]
    """COIPS's rule: a deep slab takes the grade of the superficial slab of its acquisition."""
    inherited_from_id: Mapped[int | None] = mapped_column(ForeignKey("scan.id"))
    faz_area_mm2: Mapped[float | None] = mapped_column(Float)
    faz_perimeter_mm: Mapped[float | None] = mapped_column(Float)
    faz_acircularity_index: Mapped[float | None] = mapped_column(Float)
    faz_circularity: Mapped[float | None] = mapped_column(Float)
    faz_axis_ratio: Mapped[float | None] = mapped_column(Float)
    is_faz_touching_border: Mapped[bool | None]
    centration_offset_mm: Mapped[float | None] = mapped_column(Float)
    centration_offset_fraction: Mapped[float | None] = mapped_column(Float)
    centration_severity: Mapped[str | None]
    large_vessel_area_density_percent: Mapped[float | None] = mapped_column(Float)
    perfusion_density_percent: Mapped[float | None] = mapped_column(Float)
    skeleton_density_per_mm: Mapped[float | None] = mapped_column(Float)
    fd_300_percent: Mapped[float | None] = mapped_column(Float)
    blurriness: Mapped[float | None] = mapped_column(Float)
    psnr_inverse: Mapped[float | None] = mapped_column(Float)
    cov: Mapped[float | None] = mapped_column(Float)
    mean: Mapped[float | None] = mapped_column(Float)
    q_level_agreement: Mapped[float | None] = mapped_column(Float)
    cam_mask_agreement: Mapped[float | None] = mapped_column(Float)
    not_computable: Mapped[dict[str, Any]]
    faz_mask_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    cam_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    findings: Mapped[dict[str, Any] | None]
    """What only its lane says: {"doubts": [code], "causes": [code], "document": {...}} (core.values.LaneFindings).

    NULL for OCTA en face, whose findings have the columns above; theirs are NULL in every other lane.
    """
    verdict: Mapped[str]


class AssessmentPicture(SiteScoped, Base):
    """One picture or array of a lane's findings, by its file name, in the blob store."""

    __tablename__ = "assessment_picture"

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[Sha256] = mapped_column(ForeignKey("blob.sha256"), index=True)


class AssessmentArtifact(SiteScoped, Base):
    """One artifact type of one assessment: how much of the field, how severe, where."""

    __tablename__ = "assessment_artifact"

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    area_fraction: Mapped[float] = mapped_column(Float)
    line_fraction: Mapped[float | None] = mapped_column(Float)
    """Fraction of scan lines hit; only motion has one."""
    severity: Mapped[str]
    mask_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    """None where nothing was marked."""


class AssessmentReason(SiteScoped, Base):
    """One reason of a verdict, first the weightiest, with the remedy a technician can act on."""

    __tablename__ = "assessment_reason"
    __table_args__ = (Index("ix_assessment_reason_site_id_code", "site_id", "code"),)

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str]
    operator_fixable: Mapped[str]
    text: Mapped[str]
    remedy: Mapped[str]
