"""Named figures with intervals, of one named set of images: the form in which cards and reports hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import ReportedMetric
from core.statistics.resampling import Interval, Statistic, bootstrap, share_interval

MIN_IMAGES = 5
"""No figure is reported on fewer."""

TOO_FEW = f"a set of images that the model has not seen must hold at least {MIN_IMAGES}."
"""What to say where there is no figure at all."""

DIGITS = 4


class Topic(StrEnum):
    """The parts of a report, in its order."""

    GRADE = "Grade"
    ARTIFACT_SEVERITY = "Artifact severity"
    FAZ = "Foveal avascular zone"
    ARTIFACT_MASKS = "Artifact masks on phantoms"
    STRANGERS = "Pictures that are no OCTA en-face images"
    LAYERS = "Retinal layers"
    THICKNESS = "Retinal thickness"
    LEVELS = "Agreement of the network's levels"
    SELECTION = "Choosing what to annotate"
    BSCAN_CLASS = "Class of B-scans"
    BSCAN_LESION = "Lesions in B-scans"


@dataclass(frozen=True, slots=True)
class Sample:
    """A named set of images; ``groups`` holds each image's group."""

    topic: Topic
    label: str
    groups: tuple[str, ...]

    def only(self, index: NDArray[np.intp]) -> "Sample":
        """The images at these places, under the same name."""
        return Sample(self.topic, self.label, tuple(self.groups[place] for place in index))

    def figures(self, statistic: Statistic, units: Mapping[str, str] | None = None) -> list[ReportedMetric]:
        """Every figure that the images allow, in the statistic's order; none of fewer than MIN_IMAGES images."""
        if len(self.groups) < MIN_IMAGES:
            return []
        found = bootstrap(statistic, self.groups)
        return [self._reported(name, interval, (units or {}).get(name, "")) for name, interval in found.items()]

    def means(
        self, columns: Mapping[str, Sequence[float] | NDArray[np.float64]], units: Mapping[str, str] | None = None
    ) -> list[ReportedMetric]:
        """The mean of each column; a value per image in each."""
        arrays = {name: np.asarray(values, np.float64) for name, values in columns.items()}
        return self.figures(lambda index: {name: float(array[index].mean()) for name, array in arrays.items()}, units)

    def share(self, name: str, is_hit: NDArray[np.bool_], *, min_images: int = MIN_IMAGES) -> list[ReportedMetric]:
        """A share of images, with an exact interval where there is one."""
        interval = share_interval(is_hit, self.groups) if len(self.groups) >= min_images else None
        return [] if interval is None else [self._reported(name, interval, "")]

    def _reported(self, name: str, interval: Interval, unit: str) -> ReportedMetric:
        rounded = {field: round(getattr(interval, field), DIGITS) for field in ("value", "low", "high")}
        return ReportedMetric(
            name=name,
            set=self.label,
            n_images=len(self.groups),
            n_subjects=len(set(self.groups)),
            topic=self.topic.value,
            unit=unit,
            **rounded,
        )


def interval_text(metric: ReportedMetric) -> str:
    """The figure as people read it: value, bounds, unit; says where the resamples show no spread at all."""
    digits = 3 if abs(metric.value) < 10 else 1  # noqa: PLR2004 - pixels and percentages need no thousandths
    unit = f" {metric.unit}" if metric.unit else ""
    if metric.low == metric.high:
        return f"{metric.value:.{digits}f}{unit} (no spread)"
    return f"{metric.value:.{digits}f}{unit} ({metric.low:.{digits}f} to {metric.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class SetFigures:
    """The figures of one named set; ``size`` says how many images of how many groups."""

    label: str
    size: str
    figures: tuple[ReportedMetric, ...]


def by_set(metrics: Sequence[ReportedMetric]) -> list[SetFigures]:
    """Figures gathered by set, in the order in which the sets come."""
    gathered: dict[str, list[ReportedMetric]] = {}
    for metric in metrics:
        gathered.setdefault(metric.set, []).append(metric)
    return [SetFigures(label, size_text(found), tuple(found)) for label, found in gathered.items()]


def size_text(metrics: Sequence[ReportedMetric]) -> str:
    """Images and groups of a set: those of the figure that rests on most."""
    widest = max(metrics, key=lambda metric: metric.n_images)
    if widest.n_images == widest.n_subjects:
        return f"{widest.n_images} images, each a group of its own"
    return f"{widest.n_images} images in {widest.n_subjects} groups"
