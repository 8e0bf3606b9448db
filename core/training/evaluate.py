"""The figures a model is judged by, per named set and within source, each with an interval over subjects."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Likeness, OperatingPoint, ReportedMetric
from core.scoring.lanes.likeness import distance
from core.scoring.lanes.octa_enface import grade_probabilities
from core.training.figures import accuracy, area_under_roc, quadratic_kappa
from core.training.predictions import CANDIDATE_THRESHOLDS, Prediction
from core.training.resampling import bootstrap_by_subject
from core.vocabulary import ArtifactType, CoipsGrade

MIN_IMAGES = 5
"""No figure is reported on fewer."""


def evaluate(
    predictions: Sequence[Prediction], point: OperatingPoint, likeness: Likeness, *, part: str
) -> list[ReportedMetric]:
    """Every figure that these predictions allow; ``part`` names the part of the split in each set's name."""
    figures: list[ReportedMetric | None] = []
    for name, members in _sets(predictions):
        label = f"{name}, {part}"
        figures.extend(_faz_figures(members, label))
        figures.extend(_grade_figures(members, label, point))
        figures.extend(_artifact_figures(members, label, point))
        figures.extend(_modality_figures(members, label, point, likeness))
    return [figure for figure in figures if figure is not None]


def _sets(predictions: Sequence[Prediction]) -> Iterator[tuple[str, list[Prediction]]]:
    """Each set as a whole, then what must be looked at apart: slabs of FAZ sets, sources of graded ones."""
    for name in sorted({item.set for item in predictions}):
        members = [item for item in predictions if item.set == name]
        yield name, members
        for slab in sorted({item.slab for item in members if item.faz_dice is not None and item.set != "phantoms"}):
            if name.startswith("faz_"):
                yield f"{name} {slab}", [item for item in members if item.slab == slab]
        sources = sorted({item.source for item in members if item.grade is not None})
        if name == "octa_graded" and len(sources) > 1:
            for source in sources:
                yield f"{name} {source}", [item for item in members if item.source == source]


def _figure(
    name: str, label: str, members: Sequence[Prediction], statistic: Callable[[NDArray[np.intp]], float | None]
) -> ReportedMetric | None:
    if len(members) < MIN_IMAGES:
        return None
    subjects = [item.subject for item in members]
    interval = bootstrap_by_subject(statistic, subjects)
    if interval is None:
        return None
    rounded = {field: round(getattr(interval, field), 4) for field in ("value", "low", "high")}
    return ReportedMetric(name=name, set=label, n_images=len(members), n_subjects=len(set(subjects)), **rounded)


def _mean_figure(
    name: str, label: str, members: Sequence[Prediction], values: Sequence[float]
) -> ReportedMetric | None:
    array = np.array(values, float)
    return _figure(name, label, members, lambda index: float(array[index].mean()))


def _faz_figures(members: Sequence[Prediction], label: str) -> Iterator[ReportedMetric | None]:
    drawn = [item for item in members if item.faz_dice is not None]
    yield _mean_figure("FAZ Dice", label, drawn, [item.faz_dice for item in drawn if item.faz_dice is not None])


def _grade_figures(members: Sequence[Prediction], label: str, point: OperatingPoint) -> Iterator[ReportedMetric | None]:
    graded = [item for item in members if item.grade is not None]
    if not graded:
        return
    probabilities = grade_probabilities(np.stack([item.grade_logits for item in graded]), point)
    predicted, truth = probabilities.argmax(axis=1), np.array([int(item.grade or 0) for item in graded])
    gradable = 1 - probabilities[:, CoipsGrade.UNGRADABLE]
    abstained = probabilities.max(axis=1) < point.min_confidence
    kept = [item for item, left_out in zip(graded, abstained, strict=True) if not left_out]
    kept_hit = (predicted == truth)[~abstained].astype(float)
    yield _figure("grade quadratic kappa", label, graded, lambda i: quadratic_kappa(predicted[i], truth[i]))
    yield _figure("grade accuracy", label, graded, lambda i: accuracy(predicted[i], truth[i]))
    yield _figure("gradable AUC", label, graded, lambda i: area_under_roc(gradable[i], truth[i] > 0))
    yield _mean_figure("abstained share", label, graded, abstained.astype(float).tolist())
    yield _mean_figure("grade accuracy where not abstained", label, kept, kept_hit.tolist())


def _artifact_figures(
    members: Sequence[Prediction], label: str, point: OperatingPoint
) -> Iterator[ReportedMetric | None]:
    judged = [item for item in members if item.severities is not None]
    for kind in ArtifactType:
        at = CANDIDATE_THRESHOLDS.index(point.artifact_thresholds[kind])
        fraction = np.array([item.area_fractions[kind][at] for item in judged])
        present = np.array([(item.severities or {}).get(kind, 0) > 0 for item in judged], bool)
        severe = np.array([(item.severities or {}).get(kind, 0) > 1 for item in judged], bool)
        yield _figure(f"{kind.value} present AUC", label, judged, _auc(fraction, present))
        yield _figure(f"{kind.value} severe AUC", label, judged, _auc(fraction, severe))
        drawn = [item for item in members if kind in item.artifact_dice]
        yield _mean_figure(f"{kind.value} Dice", label, drawn, [float(item.artifact_dice[kind][at]) for item in drawn])


def _auc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> Callable[[NDArray[np.intp]], float | None]:
    return lambda index: area_under_roc(score[index], positive[index])


def _modality_figures(
    members: Sequence[Prediction], label: str, point: OperatingPoint, likeness: Likeness
) -> Iterator[ReportedMetric | None]:
    is_octa = members[0].is_octa
    passed = [
        item.octa_probability >= point.min_octa_probability
        and distance(item.features, likeness) <= likeness.max_distance
        for item in members
    ]
    name = "taken for OCTA" if is_octa else "refused as no OCTA"
    yield _mean_figure(name, label, members, [float(value == is_octa) for value in passed])
