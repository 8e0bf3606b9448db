"""Judges a trained COIPS model on labelled images: every figure with an interval over groups, slabs never pooled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.scoring.card import Calibration, CalibrationScan, ReportedMetric
from core.scoring.coips_card import CoipsCard
from core.scoring.torch_backend.coips import FazSegmenter, Folds, QualityGrader
from core.statistics.overlap import mask_overlap
from core.training.evaluation.cases import Zone
from core.training.evaluation.figures import Sample, Topic
from core.training.evaluation.grades import GradedImages, grade_figures
from core.training.evaluation.zones import zone_figures
from core.training.supervised.parts import Placed
from core.training.supervised.picture import read_grey_levels, read_mask
from core.vocabulary import CoipsGrade, Slab

BATCH = 8
FAZ_THRESHOLD = 0.5
"""Of two classes the likelier one wins."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model said of labelled images: of grades ``graded``, of the FAZ ``zones`` by the folds that drew them."""

    placed: Sequence[Placed]
    graded: GradedImages | None = None
    zones: Mapping[Folds, Sequence[Zone]] = field(default_factory=dict)


FOLDS_WORDS = {Folds.BEST: "best fold", Folds.ALL: "all folds, mirrored"}


def judge_model(
    weights: Path,
    card: CoipsCard,
    placed: Sequence[Placed],
    device: torch.device,
    *,
    report: Callable[[int, int], None] = lambda _done, _total: None,
    folds: Sequence[Folds] = tuple(Folds),
) -> Judged:
    """Ask a stored model about these images; a FAZ model by the best fold, by all, or by both."""

    def done(n: int) -> None:
        report(n, len(placed))

    if card.recipe_name == "coips-quality":
        return Judged(placed, graded=graded_images(QualityGrader.load(weights, card, device), placed, done))
    found = {
        choice: find_zones(FazSegmenter.load(weights, card, device, choice), placed, done)
        for choice in (folds if placed else ())
    }
    return Judged(placed, zones=found)


def judged_figures(judged: Judged, name: str) -> list[ReportedMetric]:
    """Every figure of the images, under the name of their set; nothing of none."""
    if not judged.placed:
        return []
    if judged.graded is not None:
        return judge_grades(judged.graded, name)
    return [
        metric
        for choice, zones in judged.zones.items()
        for index, sample in zone_samples(judged.placed, f"{name}, {FOLDS_WORDS[choice]}")
        for metric in zone_figures([zones[place] for place in index], sample)
    ]


def graded_images(
    grader: QualityGrader, placed: Sequence[Placed], on_done: Callable[[int], None] = lambda _: None
) -> GradedImages:
    """Truth and probabilities of these images, in their order."""
    found = [np.empty((0, len(CoipsGrade)))]
    for done, batch in _batches(placed):
        found.append(grader.probabilities([read_grey_levels(item.picture.record.path) for item in batch]))
        on_done(done)
    return GradedImages(
        truth=np.array([int(item.picture.record.grade or 0) for item in placed], np.int64),
        probabilities=np.concatenate(found),
        groups=tuple(item.group for item in placed),
        sources=tuple(item.picture.record.source for item in placed),
    )


def judge_grades(graded: GradedImages, name: str) -> list[ReportedMetric]:
    """Accuracy, precision, recall, F1, AUC, kappa, calibration; overall and within source."""
    return grade_figures(graded, "coips-quality", name)


def calibration_on(graded: GradedImages, placed: Sequence[Placed]) -> Calibration | None:
    """What the network said of images that it never saw, for the study's accept level; None without images."""
    if not placed:
        return None
    records = [item.picture.record for item in placed]
    scans = [
        CalibrationScan(
            group=f"{record.source} {group}".strip(),
            p_ungradable=float(probabilities[CoipsGrade.UNGRADABLE]),
            ordinal=int(probabilities.argmax()),
            is_ungradable=record.grade is CoipsGrade.UNGRADABLE,
        )
        for record, group, probabilities in zip(records, graded.groups, graded.probabilities, strict=True)
    ]
    fields = {record.field_mm for record in records}
    return Calibration(
        scans=tuple(scans),
        labels="As the user's manifest grades them.",
        method="Softmax of the network on the test part, which no part of its training touched; nothing was fitted.",
        sources=tuple(sorted({record.source or "not stated" for record in records})),
        fields_mm=()
        if None in fields
        else tuple((width, width) for width in sorted(f for f in fields if f is not None)),
        slabs=tuple(sorted({record.slab for record in records} - {Slab.UNKNOWN})),
    )


def find_zones(
    segmenter: FazSegmenter, placed: Sequence[Placed], on_done: Callable[[int], None] = lambda _: None
) -> list[Zone]:
    """The FAZ of these images, found and drawn, in their order."""
    zones: list[Zone] = []
    for done, batch in _batches(placed):
        images = [read_grey_levels(item.picture.record.path) for item in batch]
        maps = segmenter.probabilities(images)
        zones.extend(_zone(item, image, found) for item, image, found in zip(batch, images, maps, strict=True))
        on_done(done)
    return zones


def zone_samples(placed: Sequence[Placed], name: str) -> Iterator[tuple[list[int], Sample]]:
    """Per slab and field, which are never pooled: the places of its images, and their sample."""
    for label, index in _slabs_and_fields(placed):
        yield index, Sample(Topic.FAZ, f"coips-faz {label}, {name}", tuple(placed[place].group for place in index))


def _batches(placed: Sequence[Placed]) -> Iterator[tuple[int, Sequence[Placed]]]:
    for start in range(0, len(placed), BATCH):
        batch = placed[start : start + BATCH]
        yield start + len(batch), batch


def _zone(item: Placed, image: NDArray[np.uint8], found: NDArray[np.float32]) -> Zone:
    record = item.picture.record
    assert record.mask_path is not None  # a manifest of masks was checked
    predicted, truth = found > FAZ_THRESHOLD, read_mask(record.mask_path)
    # Eq. 10: the area of a pixel is a**2 / z**2.
    mm_per_px = None if record.field_mm is None else record.field_mm / truth.shape[1]
    return Zone(image, truth, predicted, mask_overlap(predicted, truth), mm_per_px)


def _slabs_and_fields(placed: Sequence[Placed]) -> Iterator[tuple[str, list[int]]]:
    found: dict[tuple[str, float], list[int]] = {}
    for place, item in enumerate(placed):
        record = item.picture.record
        found.setdefault((record.slab.value, record.field_mm or 0.0), []).append(place)
    for slab, field_mm in sorted(found):
        field = f"{field_mm:g} mm" if field_mm else "field unknown"
        yield f"{slab} {field}", found[slab, field_mm]
