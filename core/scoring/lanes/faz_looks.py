"""The second look at the FAZ: which regions are looked at, and which of them is believed. NumPy and Pillow only.

A finder looks at the middle of the scan as a whole, without being told what the first look found; the zone it sees
there, and where that is another one also the first look's, are then looked at closely by the refiner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.measures.faz import faz_component
from core.scoring.lanes.faz_region import (
    FazDetail,
    FazRegion,
    central_region,
    likeliest_zone,
    put_back,
    region_input,
)
from core.statistics.overlap import dice

SAME_ZONE_DICE = 0.5
"""Zones that overlap by less are two opinions of where the FAZ is, and both are looked at."""
CLAIM_SPREAD = 0.2
"""Of the image's side: how fast the claim of a zone falls with its distance from the middle; wider than at the first
look, for here the refiner's own certainty speaks too. Chosen on phantoms that neither training nor evaluation draws."""
LIKELIER_THAN_NOT = 0.5

Plane = NDArray[np.uint8]
See = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A refiner or finder: views (n, 2, s, s) to probabilities (n, s, s)."""


@dataclass(frozen=True, slots=True)
class WideLook:
    """What finds the FAZ in the middle of a scan."""

    see: See
    size_px: int


@dataclass(frozen=True, slots=True)
class SeenScan:
    """A scan and what the first look made of it, both (height, width)."""

    image: Plane
    coarse: Plane  # probability of FAZ, 0 to 255


def second_looks(scans: Sequence[SeenScan], see: See, wide: WideLook | None = None) -> list[FazDetail | None]:
    """What a closer look says of each scan; None where nothing was found to look at."""
    zones = [likeliest_zone(scan.coarse > 127) for scan in scans]  # noqa: PLR2004 - likelier than not
    regions = [[region] if (region := FazRegion.around(zone)) else [] for zone in zones]
    if wide is not None:
        for index, found in enumerate(_wide_zones(scans, wide)):
            region = FazRegion.around(found)
            if region is not None:
                is_same = dice(found, zones[index]) >= SAME_ZONE_DICE
                regions[index] = [region] if is_same else [*regions[index], region]
    asked = [(index, region) for index, those in enumerate(regions) for region in those]
    best: list[FazDetail | None] = [None] * len(scans)
    claims = [-1.0] * len(scans)
    views = [region_input(scans[index].image, scans[index].coarse, region) for index, region in asked]
    for (index, region), probability in zip(asked, _seen(views, see), strict=True):
        detail = FazDetail(region, probability)
        claim = claim_of(detail, scans[index].image.shape)
        if claim > claims[index]:
            best[index], claims[index] = detail, claim
    return best


def claim_of(detail: FazDetail, shape: tuple[int, ...]) -> float:
    """How much speaks for a region: the mean probability inside the zone seen there, weighed by its place in the scan.

    0 where no zone is seen; 1 for a certain one in the very middle of a scan of this shape (height, width).
    """
    inside = detail.probability >= LIKELIER_THAN_NOT
    if not inside.any():
        return 0.0
    offset = np.hypot(detail.region.x_px / shape[1] - 0.5, detail.region.y_px / shape[0] - 0.5)
    return float(detail.probability[inside].mean() * np.exp(-((offset / CLAIM_SPREAD) ** 2) / 2))


def _wide_zones(scans: Sequence[SeenScan], wide: WideLook) -> list[NDArray[np.bool_]]:
    """The zone (height, width) that is seen in the middle of each scan, the first look unknown."""
    middles = [central_region(scan.image.shape) for scan in scans]
    views = [
        region_input(scan.image, np.zeros_like(scan.coarse), region, wide.size_px)
        for scan, region in zip(scans, middles, strict=True)
    ]
    return [
        faz_component(put_back(FazDetail(region, found), scan.image.shape) >= LIKELIER_THAN_NOT)
        for scan, region, found in zip(scans, middles, _seen(views, wide.see), strict=True)
    ]


def _seen(views: Sequence[NDArray[np.float32]], see: See) -> Sequence[NDArray[np.float32]]:
    return list(see(np.stack(views))) if views else []
