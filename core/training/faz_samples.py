"""Makes samples for the second look at the FAZ: regions around drawn zones, moved, turned and varied.

The network's coarse map is shown as it is, changed at random, or not at all, so that the refiner neither ignores nor
copies it. A batch is a pure function of (scans, seed, step).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.scoring.lanes.canvas import MEAN
from core.scoring.lanes.faz_region import REGION_PX, FazRegion, as_input, cut

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ZonedScan:
    """A scan with its FAZ as drawn and as first seen."""

    image: NDArray[np.uint8]  # (height, width)
    zone: NDArray[np.bool_]  # (height, width), not empty
    coarse: NDArray[np.uint8]  # (height, width), 0 to 255


@dataclass(frozen=True, slots=True)
class RegionBatch:
    """Arrays of one step; B samples."""

    regions: Values  # (B, 2, 96, 96)
    zones: Values  # (B, 96, 96), share of the pixel that is FAZ


def draw_regions(
    real: Sequence[ZonedScan], phantoms: Sequence[ZonedScan], *, n_real: int, n_phantoms: int, seed: int, step: int
) -> RegionBatch:
    """The batch of this step; where one kind is missing the other takes its place."""
    rng = np.random.default_rng([seed, step])
    sources = [real or phantoms] * n_real + [phantoms or real] * n_phantoms
    samples = [_sample(scans[int(rng.integers(len(scans)))], rng) for scans in sources]
    regions, zones = zip(*samples, strict=True)
    return RegionBatch(np.stack(regions), np.stack(zones))


def _sample(scan: ZonedScan, rng: np.random.Generator) -> tuple[Values, Values]:
    """A region as the first look might have placed it, turned and mirrored, with its truth."""
    rows, columns = np.nonzero(scan.zone)
    diameter = 2 * np.sqrt(len(rows) / np.pi)
    x_px, y_px = (
        columns.mean() + 0.5 + rng.normal(0, 0.12) * diameter,
        rows.mean() + 0.5 + rng.normal(0, 0.12) * diameter,
    )
    region = FazRegion(x_px, y_px, FazRegion.side_of(float(diameter * np.exp(rng.normal(0, 0.15)))))
    angle_deg, flips = float(rng.normal(0, 25)), (float(rng.choice([-1.0, 1.0])), float(rng.choice([-1.0, 1.0])))

    def seen(plane: NDArray[np.uint8], fill: int = 0) -> Values:
        return cut(plane, region, angle_deg=angle_deg, flips=flips, fill=fill).astype(np.float32) / np.float32(255)

    values = _vary(seen(scan.image, round(MEAN * 255)), rng)
    return as_input(values, _changed(seen(scan.coarse), rng)), seen(scan.zone.astype(np.uint8) * 255)


def _changed(coarse: Values, rng: np.random.Generator) -> Values:
    """The coarse map as it is, with its edge moved to and fro, or nothing."""
    chance = rng.random()
    if chance < 0.35:  # noqa: PLR2004 - a third without
        return np.zeros_like(coarse)
    if chance < 0.7:  # noqa: PLR2004 - a third changed
        hills = gaussian_filter(rng.normal(size=coarse.shape), REGION_PX / 10)
        edge = 4 * coarse * (1 - coarse) + 0.1
        return np.asarray(np.clip(coarse + 0.35 * hills / hills.std() * edge, 0, 1), np.float32)
    return coarse


def _vary(values: Values, rng: np.random.Generator) -> Values:
    """Sharpness, tone, broad shade and grain."""
    if rng.random() < 0.5:  # noqa: PLR2004 - half get another spectrum
        values = values + np.float32(rng.uniform(-0.5, 0.9)) * (gaussian_filter(values, 0.8) - values)
    values = np.clip(values, 0, 1) ** rng.uniform(0.75, 1.3) * rng.uniform(0.8, 1.25) + rng.uniform(-0.04, 0.04)
    if rng.random() < 0.15:  # noqa: PLR2004 - now and then
        shade = gaussian_filter(rng.normal(size=values.shape), REGION_PX / 5)
        values = values * np.exp(0.4 * shade / shade.std())
    return np.asarray(values + rng.normal(0, rng.uniform(0, 0.04), values.shape), np.float32)
