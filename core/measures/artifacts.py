"""How much of a scan an artifact takes, and how severe that is. Pure; masks are bool (height, width)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.values import ArtifactScore, SeverityThresholds
from core.vocabulary import ArtifactType

LINE_HIT_SHARE = 0.5
"""A scan line counts as hit by motion when at least this share of it inside the region is marked: eye movement hits
whole lines, so a few stray pixels of a mask are no movement."""

CONTRACT_THRESHOLDS = SeverityThresholds()

Mask = NDArray[np.bool_]


def artifact_score(
    artifact: ArtifactType, mask: Mask, roi: Mask | None = None, thresholds: SeverityThresholds = CONTRACT_THRESHOLDS
) -> ArtifactScore:
    """One artifact's share of the region ``roi`` (None: the whole field) and its severity.

    - ``area_fraction`` (0..1): marked pixels in the region over the region's pixels.
    - ``line_fraction`` (0..1, motion only): share of the region's scan lines (image rows: the fast axis is horizontal)
      that are hit.
    - ``severity``: none below 1 %, mild to 10 %, severe above (more than 10 % of B-scans, Kamalipour et al. 2021,
      PMC8463411, Table 1); for motion the larger of both shares counts. Lower is better.

    Raises ValueError where mask and region differ in shape or the region is empty.
    """
    if roi is not None and roi.shape != mask.shape:
        raise ValueError(f"mask is {mask.shape} and region {roi.shape}; both must be of the image's own size")
    size = mask.size if roi is None else np.count_nonzero(roi)
    if size == 0:
        raise ValueError("the region of interest is empty; choose a circle that lies in the field")
    inside = mask if roi is None else mask & roi
    area = np.count_nonzero(inside) / size
    lines = _line_fraction(inside, roi) if artifact is ArtifactType.MOTION else None
    return ArtifactScore(artifact, area, lines, thresholds.severity(max(area, lines or 0.0)), mask)


def scores_in_region(
    scores: Iterable[ArtifactScore], roi: Mask, thresholds: SeverityThresholds = CONTRACT_THRESHOLDS
) -> tuple[ArtifactScore, ...]:
    """The same artifacts judged again in a protocol's region and by its thresholds; the masks stay whole."""
    return tuple(artifact_score(score.type, score.mask, roi, thresholds) for score in scores)


def _line_fraction(inside: Mask, roi: Mask | None) -> float:
    in_line = np.full(len(inside), inside.shape[1]) if roi is None else np.count_nonzero(roi, axis=1)
    lines = in_line > 0
    hit = np.count_nonzero(inside, axis=1)[lines] >= LINE_HIT_SHARE * in_line[lines]
    return float(hit.mean())
