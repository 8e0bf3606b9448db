"""How far the outlines of masks lie from the drawn ones, in pixels of each image."""

from collections.abc import Sequence

import numpy as np

from core.scoring.card import ReportedMetric
from core.statistics.overlap import MaskOverlap
from core.training.evaluation.figures import Sample


def outline_figures(sample: Sample, overlaps: Sequence[MaskOverlap], *, of: str = "") -> list[ReportedMetric]:
    """Mean surface distance and HD95 in px over the images with a mask in both; one overlap per image of the sample.

    ``of`` says whose outline it is; it ends the names of the figures.
    """
    distances = [(one.mean_surface_px, one.hausdorff95_px) for one in overlaps]
    met = np.flatnonzero([mean is not None for mean, _ in distances])
    values = np.array([distances[place] for place in met], np.float64).reshape(-1, 2)
    names = [f"{name} {of}".rstrip() for name in ("mean surface distance", "HD95")]
    return sample.only(met).means(dict(zip(names, values.T, strict=True)), dict.fromkeys(names, "px"))
