"""How well one mask covers another, and how far their boundaries lie apart. Pure; masks are bool (height, width)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HAUSDORFF_PERCENTILE = 95

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MaskOverlap:
    """A predicted mask against the true one.

    Attributes
    ----------
    dice, jaccard : 0..1, higher is better; 1 where both masks are empty
    precision, recall : 0..1; None where nothing was predicted, or nothing is there
    mean_surface_px, hausdorff95_px : pixels, >= 0, lower is better; None where either mask is empty
    """

    dice: float
    jaccard: float
    precision: float | None
    recall: float | None
    mean_surface_px: float | None
    hausdorff95_px: float | None


def mask_overlap(predicted: Mask, truth: Mask) -> MaskOverlap:
    """All figures of one pair; ValueError where the shapes differ."""
    if predicted.shape != truth.shape:
        raise ValueError(f"masks of {predicted.shape} and {truth.shape} pixels cannot be compared; scale one first")
    both, said, true = int((predicted & truth).sum()), int(predicted.sum()), int(truth.sum())
    distances = boundary_distances_px(predicted, truth)
    return MaskOverlap(
        dice=dice(predicted, truth),
        jaccard=both / (said + true - both) if said + true else 1.0,
        precision=both / said if said else None,
        recall=both / true if true else None,
        mean_surface_px=None if distances is None else distances[0],
        hausdorff95_px=None if distances is None else distances[1],
    )


def dice(predicted: Mask, truth: Mask) -> float:
    """Overlap 2 |A and B| / (|A| + |B|) in [0, 1] (Dice 1945, doi:10.2307/1932409); 1 where both are empty."""
    both = int(predicted.sum()) + int(truth.sum())
    return 1.0 if both == 0 else 2 * float((predicted & truth).sum()) / both


def boundary_distances_px(predicted: Mask, truth: Mask) -> tuple[float, float] | None:
    """Mean surface distance and 95th-percentile Hausdorff distance, both symmetric, in pixels; None where one is empty.

    The boundary is the mask's outermost pixels (4 neighbours; the picture's border counts as outside). Every boundary
    pixel of one mask has its distance to the nearest of the other; the mean is over both directions' pixels together,
    HD95 the larger of the two directions' 95th percentiles (Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z,
    metrics ASSD and HD95).
    """
    if not (predicted.any() and truth.any()):
        return None
    rows, columns = ndimage.find_objects((predicted | truth).astype(np.uint8))[0]
    one, other = _boundary(predicted[rows, columns]), _boundary(truth[rows, columns])
    there = np.asarray(ndimage.distance_transform_edt(~other))[one]
    back = np.asarray(ndimage.distance_transform_edt(~one))[other]
    mean = float((there.sum() + back.sum()) / (len(there) + len(back)))
    worst = max(float(np.percentile(part, HAUSDORFF_PERCENTILE)) for part in (there, back))
    return mean, worst


def _boundary(mask: Mask) -> Mask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask), np.bool_)
