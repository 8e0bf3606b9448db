"""One scan's scores and judgement as the JSON record that `octaudit score` writes (contracts: score output)."""

from dataclasses import dataclass
from typing import Any, assert_never

from core.values import (
    ArtifactScore,
    Centration,
    FazMetrics,
    Judgement,
    Measure,
    Measured,
    ModelIdentity,
    NotComputable,
    Reason,
    Scale,
    ScanScores,
)
from core.vocabulary import ArtifactType, CoipsGrade, ScanKind

SIGNIFICANT_DIGITS = 6
"""Enough for every measure (area error of the scale alone: 31 %), and stable between machines."""


@dataclass(frozen=True, slots=True)
class PicturePaths:
    """Where a scan's pictures lie, relative to the output folder; ``cam`` None where there is none."""

    artifacts: dict[ArtifactType, str]
    faz: str
    cam: str | None


def score_record(
    scores: ScanScores,
    judgement: Judgement,
    paths: PicturePaths,
    *,
    file: str,
    sha256: str,
    kind: ScanKind,
    scale: Scale | None,
    release_faz: bool,
) -> dict[str, Any]:
    """The record of a scored file. ``release_faz`` gives the FAZ's metrics of an ungradable scan, too."""
    height_px, width_px = scores.faz_mask.shape
    return {
        "file": file,
        "sha256": sha256,
        "kind": kind.value,
        "width_px": width_px,
        "height_px": height_px,
        "scale": _scale(scale),
        "grade": {
            "label": scores.grade.label,
            "ordinal": scores.grade.ordinal,
            "scale": scores.grade.scale.value,
            "probabilities": {label: _number(value) for label, value in scores.grade.probabilities.items()},
            "abstained": scores.grade.abstained,
        },
        "artifacts": [_artifact(artifact, paths.artifacts[artifact.type]) for artifact in scores.artifacts],
        "faz": _faz(scores, paths.faz, release=release_faz),
        "centration": _centration(scores.centration),
        "vessels": _vessels(scores, release=release_faz),
        "indices": _indices(scores),
        "is_octa": scores.is_octa,
        "verdict": judgement.verdict.value,
        "reasons": [_reason(reason) for reason in judgement.reasons],
        "cam": paths.cam if paths.cam is not None else _measure_or_none(scores.cam),
        "cam_mask_agreement": _measure(scores.cam_mask_agreement),
        "model": _model(scores.model),
        "seconds": _number(scores.seconds),
    }


def failure_record(file: str, *, code: str, message: str, remedy: str) -> dict[str, Any]:
    """The record of a file that could not be scored."""
    return {"file": file, "error": {"code": code, "message": message, "remedy": remedy}}


def _number(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _measure(measure: Measure) -> float | dict[str, str]:
    match measure:
        case Measured(value):
            return _number(value)
        case NotComputable(reason):
            return {"not_computable": reason}
        case _:
            assert_never(measure)


def _measure_or_none(value: object) -> dict[str, str] | None:
    return {"not_computable": value.reason} if isinstance(value, NotComputable) else None


def _scale(scale: Scale | None) -> dict[str, Any]:
    if scale is None:
        return {"not_computable": "no scale"}
    return {
        "x_mm_per_px": _number(scale.x_mm_per_px),
        "y_mm_per_px": _number(scale.y_mm_per_px),
        "source": scale.source.value,
        "axial_length_corrected": scale.axial_length_corrected,
    }


def _artifact(artifact: ArtifactScore, mask: str) -> dict[str, Any]:
    record: dict[str, Any] = {"type": artifact.type.value, "area_fraction": _number(artifact.area_fraction)}
    if artifact.line_fraction is not None:
        record["line_fraction"] = _number(artifact.line_fraction)
    return record | {"severity": artifact.severity.value, "mask": mask}


def _faz(scores: ScanScores, mask: str, *, release: bool) -> dict[str, Any]:
    faz: FazMetrics | NotComputable = scores.faz
    if scores.grade.ordinal == CoipsGrade.UNGRADABLE and not release:
        faz = NotComputable("ungradable")
    if isinstance(faz, NotComputable):
        return {"not_computable": faz.reason, "mask": mask}
    return {
        "area_mm2": _measure(faz.area_mm2),
        "perimeter_mm": _measure(faz.perimeter_mm),
        "acircularity_index": _measure(faz.acircularity_index),
        "circularity": _measure(faz.circularity),
        "axis_ratio": _measure(faz.axis_ratio),
        "touches_border": faz.touches_border,
        "mask": mask,
    }


def _centration(centration: Centration) -> dict[str, Any]:
    if centration.severity is None and isinstance(centration.offset_fraction, NotComputable):
        return {"not_computable": centration.offset_fraction.reason}
    return {
        "offset_mm": _measure(centration.offset_mm),
        "offset_fraction": _measure(centration.offset_fraction),
        "severity": None if centration.severity is None else centration.severity.value,
    }


def _vessels(scores: ScanScores, *, release: bool) -> dict[str, Any]:
    """The vessel measures; FD-300 rests on the FAZ's outline and is withheld where the FAZ's metrics are."""
    record = {
        name: _measure(getattr(scores.vessels, name))
        for name in ("large_vessel_area_density_percent", "perfusion_density_percent", "skeleton_density_per_mm")
    }
    withheld = scores.grade.ordinal == CoipsGrade.UNGRADABLE and not release
    fd_300 = NotComputable("ungradable") if withheld else scores.vessels.fd_300_percent
    return record | {"fd_300_percent": _measure(fd_300)}


def _indices(scores: ScanScores) -> dict[str, Any]:
    names = ("blurriness", "psnr_inverse", "cov", "mean", "q_level_agreement")
    return {name: _measure(getattr(scores.indices, name)) for name in names}


def _reason(reason: Reason) -> dict[str, str]:
    return {
        "code": reason.code.value,
        "operator_fixable": reason.operator_fixable.value,
        "text": reason.text,
        "remedy": reason.remedy,
    }


def _model(model: ModelIdentity) -> dict[str, str]:
    return {
        "name": model.name,
        "version": model.version,
        "weights_sha256": model.weights_sha256,
        "preprocessing": model.preprocessing,
    }
