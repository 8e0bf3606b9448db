"""Makes samples for the second look at the FAZ: regions around drawn zones, moved, turned and varied.

The network's coarse map is shown as it is, changed at random, or not at all, so that the refiner neither ignores nor
copies it. A batch is a pure function of (scans, plan, seed, step).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from core.scoring.lanes.canvas import MEAN
from core.scoring.lanes.faz_region import SMALLEST_REGION_PX, FazRegion, as_input, cut
from core.training.recipe import RefinerPlan

Values = NDArray[np.float32]
Rng = np.random.Generator

KINDS = ("faz", "phantoms")


@dataclass(frozen=True, slots=True)
class ZonedScan:
    """A scan with its FAZ as drawn and as first seen."""

    image: NDArray[np.uint8]  # (height, width)
    zone: NDArray[np.bool_]  # (height, width), not empty
    coarse: NDArray[np.uint8]  # (height, width), 0 to 255


@dataclass(frozen=True, slots=True)
class RegionBatch:
    """Arrays of one step; B samples of the plan's region size."""

    regions: Values  # (B, 2, size, size)
    zones: Values  # (B, size, size), share of the pixel that is FAZ


def draw_regions(
    real: Sequence[ZonedScan],
    phantoms: Sequence[ZonedScan],
    shares: Mapping[str, int],
    plan: RefinerPlan,
    *,
    seed: int,
    step: int,
) -> RegionBatch:
    """The batch of this step; ``shares``: samples per kind. Where one kind is missing the other takes its place."""
    rng = np.random.default_rng([seed, step])
    scans = dict(zip(KINDS, (real or phantoms, phantoms or real), strict=True))
    samples = [
        _sample(scans[kind][int(rng.integers(len(scans[kind])))], plan, plan.wide_shares.get(kind, 0.0), rng)
        for kind in KINDS
        for _ in range(shares[kind])
    ]
    regions, zones = zip(*samples, strict=True)
    return RegionBatch(np.stack(regions), np.stack(zones))


def _sample(scan: ZonedScan, plan: RefinerPlan, wide_share: float, rng: Rng) -> tuple[Values, Values]:
    """A region as it might be looked at, turned and mirrored, with its truth."""
    is_wide = bool(wide_share) and rng.random() < wide_share
    region = _central(scan, rng) if is_wide else _as_first_placed(scan, plan, rng)
    turn = _any_turn(rng) if plan.is_varied_more else _turn(rng.normal(0, 25), rng)

    def seen(plane: NDArray[np.uint8], fill: int = 0) -> Values:
        return cut(plane, region, size_px=plan.region_px, turn=turn, fill=fill).astype(np.float32) / np.float32(255)

    planes = [seen(scan.image, round(MEAN * 255)), seen(scan.coarse), seen(scan.zone.astype(np.uint8) * 255)]
    if not plan.is_varied_more:
        values, coarse, zone = planes
        return as_input(_vary(values, rng), _changed(coarse, rng)), zone
    values, coarse, zone = _bent(planes, rng)
    return as_input(_vary_more(values, rng), _changed_more(coarse, rng)), zone


def _as_first_placed(scan: ZonedScan, plan: RefinerPlan, rng: Rng) -> FazRegion:
    """Around the zone, placed and sized as the first look might."""
    rows, columns = np.nonzero(scan.zone)
    diameter = 2 * np.sqrt(len(rows) / np.pi)
    x_px, y_px = (
        columns.mean() + 0.5 + rng.normal(0, plan.offset_spread) * diameter,
        rows.mean() + 0.5 + rng.normal(0, plan.offset_spread) * diameter,
    )
    return FazRegion(x_px, y_px, FazRegion.side_of(float(diameter * np.exp(rng.normal(0, plan.size_spread)))))


def _central(scan: ZonedScan, rng: Rng) -> FazRegion:
    """The middle of the scan, more or less of it, moved a little."""
    height, width = scan.image.shape
    longer = max(height, width)
    side = longer * rng.uniform(0.4, 0.85)
    x_px, y_px = width / 2 + rng.normal(0, 0.04) * longer, height / 2 + rng.normal(0, 0.04) * longer
    return FazRegion(x_px, y_px, max(SMALLEST_REGION_PX, side))


def _turn(angle_deg: float, rng: Rng) -> NDArray[np.float64]:
    angle, flips = np.deg2rad(angle_deg), rng.choice([-1.0, 1.0], 2)
    return np.asarray(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * flips, np.float64)


def _any_turn(rng: Rng) -> NDArray[np.float64]:
    """Turned by any angle and stretched along one axis."""
    stretch = np.exp(rng.normal(0, 0.06))
    return np.asarray(_turn(rng.uniform(-180, 180), rng) @ np.diag([stretch, 1 / stretch]), np.float64)


def _bent(planes: Sequence[Values], rng: Rng) -> list[Values]:
    """Half of the samples under one smooth displacement of up to 2 % of the region's side."""
    if rng.random() < 0.5:  # noqa: PLR2004 - half as they are
        return list(planes)
    size_px, n_hills = len(planes[0]), int(rng.integers(4, 8))
    most = rng.uniform(0, 0.022) * size_px
    rows, columns = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    places = np.stack([rows + most * _hills(size_px, n_hills, rng), columns + most * _hills(size_px, n_hills, rng)])
    return [np.asarray(map_coordinates(plane, places, order=1, mode="nearest"), np.float32) for plane in planes]


def _hills(size_px: int, n_hills: int, rng: Rng) -> Values:
    """Smooth noise (size, size) of about unit spread with so many hills across."""
    coarse = Image.fromarray(rng.normal(size=(n_hills, n_hills)).astype(np.float32))
    return np.asarray(coarse.resize((size_px, size_px), Image.Resampling.BICUBIC), np.float32)


def _changed(coarse: Values, rng: Rng) -> Values:
    """The coarse map as it is, with its edge moved to and fro, or nothing."""
    chance = rng.random()
    if chance < 0.35:  # noqa: PLR2004 - a third without
        return np.zeros_like(coarse)
    if chance < 0.7:  # noqa: PLR2004 - a third changed
        hills = gaussian_filter(rng.normal(size=coarse.shape), len(coarse) / 10)
        edge = 4 * coarse * (1 - coarse) + 0.1
        return np.asarray(np.clip(coarse + 0.35 * hills / hills.std() * edge, 0, 1), np.float32)
    return coarse


def _changed_more(coarse: Values, rng: Rng) -> Values:
    """A quarter left out, some moved elsewhere, the rest as in ``_changed``: together half without."""
    chance = rng.random()
    if chance < 0.25:  # noqa: PLR2004 - a quarter without
        return np.zeros_like(coarse)
    if chance < 0.34:  # noqa: PLR2004 - a twelfth in a wrong place
        most = len(coarse) // 3
        return np.roll(coarse, tuple(int(rng.integers(-most, most)) for _ in range(2)), (0, 1))
    return _changed(coarse, rng)


def _vary(values: Values, rng: Rng) -> Values:
    """Sharpness, tone, broad shade and grain."""
    if rng.random() < 0.5:  # noqa: PLR2004 - half get another spectrum
        values = values + np.float32(rng.uniform(-0.5, 0.9)) * (gaussian_filter(values, 0.8) - values)
    values = np.clip(values, 0, 1) ** rng.uniform(0.75, 1.3) * rng.uniform(0.8, 1.25) + rng.uniform(-0.04, 0.04)
    if rng.random() < 0.15:  # noqa: PLR2004 - now and then
        shade = gaussian_filter(rng.normal(size=values.shape), len(values) / 5)
        values = values * np.exp(0.4 * shade / shade.std())
    return np.asarray(values + rng.normal(0, rng.uniform(0, 0.04), values.shape), np.float32)


def _vary_more(values: Values, rng: Rng) -> Values:
    """The same more widely, lines of other brightness or lost, grain that is soft or grows with the signal."""
    size_px = len(values)
    if rng.random() < 0.6:  # noqa: PLR2004 - more than half get another spectrum
        smooth = gaussian_filter(values, rng.uniform(0.6, 1.4))
        values = values + np.float32(rng.uniform(-0.8, 1.0)) * (smooth - values)
    values = np.clip(values, 0, 1) ** rng.uniform(0.65, 1.45) * rng.uniform(0.7, 1.35) + rng.uniform(-0.06, 0.06)
    if rng.random() < 0.3:  # noqa: PLR2004 - a third under a shade
        values = values * np.exp(rng.uniform(0.1, 0.4) * _hills(size_px, int(rng.integers(3, 6)), rng))
    if rng.random() < 0.15:  # noqa: PLR2004 - lines of other brightness
        values = values * np.exp(rng.normal(0, rng.uniform(0.02, 0.12), (size_px, 1)))
    if rng.random() < 0.1:  # noqa: PLR2004 - lines that were lost
        first = int(rng.integers(0, size_px))
        values = np.array(values)
        values[first : first + int(rng.integers(1, 6))] = rng.uniform(0, 0.8)
    grain = rng.normal(size=values.shape) * rng.uniform(0, 0.07)
    if rng.random() < 0.4:  # noqa: PLR2004 - soft grain
        grain = gaussian_filter(grain, 0.7) * 1.8
    if rng.random() < 0.3:  # noqa: PLR2004 - grain that grows with the signal
        grain = grain * (0.3 + 2 * np.clip(values, 0, 1))
    return np.asarray(values + grain, np.float32)
