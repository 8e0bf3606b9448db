"""One scan's scores and judgement as the JSON record that `octaudit score` writes (contracts: score output)."""

from dataclasses import dataclass, field
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
    OctaFindings,
    Reason,
    Scale,
    ScanScores,
)
from core.vocabulary import ArtifactType, CoipsGrade, ScanKind

SIGNIFICANT_DIGITS = 6
"""Enough for every measure (area error of the scale alone: 31 %), and stable between machines."""

PICTURE_KEYS = ("mask", "map", "boundaries", "file")
"""Keys of a lane's findings whose value is the file name of one of its pictures."""


@dataclass(frozen=True, slots=True)
class PicturePaths:
    """Where a scan's pictures lie, relative to the output folder; ``faz`` and ``cam`` None where there is none.

    ``of_lane`` holds the pictures and exports of a lane's findings by their file names.
    """

    artifacts: dict[ArtifactType, str]
    faz: str | None
    cam: str | None
    of_lane: dict[str, str] = field(default_factory=dict)


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
    height_px, width_px = scores.shape_px
    of_lane = _findings(scores, paths, release=release_faz)
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
        **({} if scores.centration is None else {"centration": _centration(scores.centration)}),
        "indices": _indices(scores) | of_lane.pop("indices", {}),
        **of_lane,
        "is_of_kind": scores.is_of_kind,
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


def _findings(scores: ScanScores, paths: PicturePaths, *, release: bool) -> dict[str, Any]:
    """What only this lane says, under the keys of the contract."""
    if isinstance(scores.findings, OctaFindings):
        return {
            "faz": _faz(scores, paths.faz, release=release),
            "vessels": _vessels(scores, release=release),
        }
    return {name: _with_paths(value, paths.of_lane) for name, value in scores.findings.document().items()}


def _with_paths(value: object, paths: dict[str, str]) -> object:
    """The value with the path of each picture that one of PICTURE_KEYS names."""
    if isinstance(value, dict):
        named = {key: paths[inner] for key, inner in value.items() if _is_picture(key, inner, paths)}
        return {key: _with_paths(inner, paths) for key, inner in value.items()} | named
    return [_with_paths(inner, paths) for inner in value] if isinstance(value, list) else value


def _is_picture(key: str, value: object, paths: dict[str, str]) -> bool:
    return key in PICTURE_KEYS and isinstance(value, str) and value in paths


def _faz(scores: ScanScores, mask: str | None, *, release: bool) -> dict[str, Any]:
    faz: FazMetrics | NotComputable = scores.octa.faz
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
        name: _measure(getattr(scores.octa.vessels, name))
        for name in ("large_vessel_area_density_percent", "perfusion_density_percent", "skeleton_density_per_mm")
    }
    withheld = scores.grade.ordinal == CoipsGrade.UNGRADABLE and not release
    fd_300 = NotComputable("ungradable") if withheld else scores.octa.vessels.fd_300_percent
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
