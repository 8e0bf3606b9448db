"""Judges a trained COIPS model on labelled images: every figure with an interval over groups, slabs never pooled."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Calibration, CalibrationScan, ReportedMetric
from core.scoring.torch_backend.coips import FazSegmenter, QualityGrader
from core.statistics.agreement import limits_of_agreement
from core.statistics.overlap import MaskOverlap, mask_overlap
from core.training.evaluation.figures import Sample, Topic
from core.training.evaluation.grades import GradedImages, grade_figures
from core.training.supervised.parts import Placed
from core.training.supervised.picture import read_grey_levels, read_mask
from core.vocabulary import CoipsGrade, Slab

BATCH = 8
FAZ_THRESHOLD = 0.5
"""Of two classes the likelier one wins."""


@dataclass(frozen=True, slots=True)
class _Zone:
    """A FAZ found and drawn."""

    overlap: MaskOverlap
    area_mm2: tuple[float, float] | None
    """Found and drawn, eq. 10; None where the field is not known."""


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


def judge_zones(
    segmenter: FazSegmenter, placed: Sequence[Placed], name: str, on_done: Callable[[int], None] = lambda _: None
) -> list[ReportedMetric]:
    """Dice, Jaccard, precision, recall, boundary distance and, where the field is known, area; per slab and field."""
    zones: list[_Zone] = []
    for done, batch in _batches(placed):
        images = [read_grey_levels(item.picture.record.path) for item in batch]
        maps = segmenter.probabilities(images)
        zones.extend(_zone(item, found) for item, found in zip(batch, maps, strict=True))
        on_done(done)
    metrics = []
    for label, index in _slabs_and_fields(placed):
        groups = tuple(placed[place].group for place in index)
        sample = Sample(Topic.FAZ, f"coips-faz {label}, {name}", groups)
        metrics.extend(_figures(sample, [zones[place] for place in index]))
    return metrics


def _batches(placed: Sequence[Placed]) -> Iterator[tuple[int, Sequence[Placed]]]:
    for start in range(0, len(placed), BATCH):
        batch = placed[start : start + BATCH]
        yield start + len(batch), batch


def _zone(item: Placed, found: NDArray[np.float32]) -> _Zone:
    record = item.picture.record
    assert record.mask_path is not None  # a manifest of masks was checked
    predicted, truth = found > FAZ_THRESHOLD, read_mask(record.mask_path)
    area = None
    if record.field_mm is not None:
        pixel_mm2 = (record.field_mm / truth.shape[1]) ** 2  # eq. 10: a**2 / z**2
        area = float(predicted.sum()) * pixel_mm2, float(truth.sum()) * pixel_mm2
    return _Zone(mask_overlap(predicted, truth), area)


def _slabs_and_fields(placed: Sequence[Placed]) -> Iterator[tuple[str, list[int]]]:
    found: dict[tuple[str, float], list[int]] = {}
    for place, item in enumerate(placed):
        record = item.picture.record
        found.setdefault((record.slab.value, record.field_mm or 0.0), []).append(place)
    for slab, field_mm in sorted(found):
        field = f"{field_mm:g} mm" if field_mm else "field unknown"
        yield f"{slab} {field}", found[slab, field_mm]


def _figures(sample: Sample, zones: Sequence[_Zone]) -> list[ReportedMetric]:
    overlaps = [zone.overlap for zone in zones]
    metrics = sample.means(
        {
            "FAZ Dice": [overlap.dice for overlap in overlaps],
            "FAZ Jaccard": [overlap.jaccard for overlap in overlaps],
            "FAZ precision": [overlap.precision or 0.0 for overlap in overlaps],
            "FAZ recall": [overlap.recall or 0.0 for overlap in overlaps],
        }
    )
    metrics += sample.share("FAZ missed", np.array([overlap.mean_surface_px is None for overlap in overlaps], bool))
    areas = np.array([zone.area_mm2 for zone in zones if zone.area_mm2 is not None], np.float64).reshape(-1, 2)
    if len(areas) == len(zones):
        metrics += sample.figures(lambda index: _area_figures(areas[index]), dict.fromkeys(_AREA_NAMES, "mm²"))
    return metrics


_AREA_NAMES = ("FAZ area bias", "FAZ area: half-width of the 95 % limits of agreement")


def _area_figures(areas: NDArray[np.float64]) -> dict[str, float | None]:
    limits = limits_of_agreement(areas[:, 0], areas[:, 1])
    values = (None, None) if limits is None else (limits.bias, limits.half_width)
    return dict(zip(_AREA_NAMES, values, strict=True))
