"""Which way of looking at the FAZ again draws it best: the kept one beside others, on what is not kept aside.

Training and tuning parts and phantoms only: the held-out part is reported on once, with the way that was kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.measures.faz import faz_component
from core.scoring.card import ModelCard
from core.scoring.contract import ScanInput
from core.scoring.lanes.faz_looks import See, SeenScan, WideLook, second_looks
from core.scoring.lanes.faz_region import FazDetail, FazRegion, cut, likeliest_zone, put_back, region_input
from core.scoring.lanes.octa_enface import coarse_faz_of, prepare
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer, load_network
from core.statistics.overlap import dice
from core.training.evaluation.cases import evaluation_phantoms
from core.training.folder import read_folder
from core.training.splits import Part, split
from core.vocabulary import ScanKind

N_PHANTOMS, PHANTOM_SEED_STEP = 60, 77
"""Phantoms of a stream that neither training nor evaluation draws."""
THRESHOLD = 0.5
ASIDE = 1e-2
"""Of a region's weight at its very edge: outside nothing was seen."""
Mask = NDArray[np.bool_]
Flips = tuple[tuple[int, int], ...]
AS_IT_IS: Flips = ((1, 1),)
FOUR_FLIPS: Flips = ((1, 1), (1, -1), (-1, 1), (-1, -1))
SCALES = (0.85, 1.0, 1.18)
Where = Literal["first look", "scorer", "told", "drawn"]
DRAWN = "the drawn zone itself, through the region"


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A scan with its drawn FAZ and the network's first look; all (height, width)."""

    set: str
    image: NDArray[np.uint8]
    truth: Mask
    coarse: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Way:
    """The mean of looks around the first look's zone at some sizes, in mirrored views; without any, the first look."""

    sizes: tuple[float, ...]
    flips: Flips = AS_IT_IS
    where: Where = "first look"
    """Around which zone: the first look's, as the scorer looks (at the middle of the scan first where there is a
    finder), or the drawn one; "drawn" is the drawn zone itself, brought to the region and back."""


WAYS: Mapping[str, Way] = {
    "first look alone": Way(()),
    "kept: as the scorer looks": Way((), where="scorer"),
    "a second look around it": Way((1.0,)),
    "four mirrored second looks": Way((1.0,), FOUR_FLIPS),
    "second looks at three sizes": Way(SCALES),
    "three sizes, four mirrored each": Way(SCALES, FOUR_FLIPS),
    "a region half as wide again": Way((1.5,)),
    "three sizes and the wider region": Way((*SCALES, 1.5)),
    "told where the zone is": Way((1.0,), where="told"),
    DRAWN: Way((1.0,), where="drawn"),
}


def compare_zones(
    data: Path, *, model: str, recipe_seed: int, split_seed: int, device: str = "auto"
) -> list[dict[str, Any]]:
    """Mean Dice of every way, per part and slab; ``scans`` holds their numbers."""
    weights = weights_path(ScanKind.OCTA_ENFACE, model)
    card = ModelCard.beside(weights)
    limit_threads()
    chosen = choose_device(device)
    network = load_network(weights, card, chosen)
    scorer = OctaEnfaceScorer(network, card, chosen)
    images = split(read_folder(data), seed=split_seed)
    drawn = [
        (f"{item.part.value}, {item.image.slab}", item.image.pixels(), zone)
        for item in images
        if item.part is not Part.HELD_OUT
        and item.image.key.startswith("faz_")
        and (zone := item.image.faz()) is not None
    ]
    phantoms = evaluation_phantoms(N_PHANTOMS, seed=recipe_seed + PHANTOM_SEED_STEP)
    drawn += [
        (f"phantoms, {phantom.spec.field_mm:g} mm", phantom.image, phantom.faz_mask)
        for phantom in phantoms
        if phantom.spec.has_faz
    ]
    refiner, finder = network.faz_refiner, network.faz_finder
    assert refiner is not None
    wide = None if finder is None else WideLook(seeing(finder), network.shape.finder_px)
    return zone_rows(seeing(refiner), [_first_look(scorer, *one) for one in drawn], wide)


def seeing(network: nn.Module) -> See:
    """A refiner or finder as what the ways look with."""

    def see(views: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(torch.sigmoid(network(torch.from_numpy(views))).numpy(), np.float32)

    return see


def zone_rows(see: See, scans: Sequence[LookedAt], wide: WideLook | None) -> list[dict[str, Any]]:
    """A row per way: mean Dice per set."""
    rows: list[dict[str, Any]] = [{"way": name} for name in WAYS]
    for name in sorted({scan.set for scan in scans}):
        found = [list(_overlaps(see, scan, wide)) for scan in scans if scan.set == name]
        for row, mean in zip(rows, np.mean(found, axis=0), strict=True):
            row[f"{name} ({len(found)})"] = round(float(mean), 4)
    return rows


def zones_table(record: Sequence[dict[str, Any]]) -> str:
    """The record as a table of the documentation."""
    names = [name for name in record[0] if name != "way"]
    lines = [f"| FAZ Dice | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    lines += [f"| {row['way']} | " + " | ".join(f"{row[name]:.3f}" for name in names) + " |" for row in record]
    return "\n".join(lines)


def _first_look(scorer: OctaEnfaceScorer, name: str, image: NDArray[np.uint8], truth: Mask) -> LookedAt:
    prepared = prepare(ScanInput(name, image, None))
    output = scorer.forward(prepared.canvas[None])[0]
    coarse = np.rint(255 * coarse_faz_of(output, prepared.placement)).astype(np.uint8)
    return LookedAt(name, image, faz_component(truth), coarse)


def _overlaps(see: See, scan: LookedAt, wide: WideLook | None) -> Iterator[float]:
    """The Dice of each way, in the order of WAYS; where a second look leaves nothing, the first stands."""
    first = likeliest_zone(scan.coarse > 127)  # noqa: PLR2004 - likelier than not
    around_first, around_truth = FazRegion.around(first), FazRegion.around(scan.truth)
    for way in WAYS.values():
        found = np.zeros_like(first)
        region = around_first if way.where == "first look" else around_truth
        if way.where == "scorer":
            detail = second_looks([SeenScan(scan.image, scan.coarse)], see, wide)[0]
            if detail is not None:
                found = put_back(detail, first.shape) >= THRESHOLD
        elif region is not None and way.where == "drawn":
            found = put_back(_drawn(scan.truth, region), first.shape) >= THRESHOLD
        elif region is not None and way.sizes:
            found = _mean_of_looks(see, scan, region, way) >= THRESHOLD
        yield dice(faz_component(found) if found.any() else first, scan.truth)


def _drawn(truth: Mask, region: FazRegion) -> FazDetail:
    seen = cut(truth.astype(np.uint8) * 255, region)
    return FazDetail(region, seen.astype(np.float32) / np.float32(255))


def _mean_of_looks(see: See, scan: LookedAt, region: FazRegion, way: Way) -> NDArray[np.float32]:
    """The mean probability (height, width) over the way's looks, each where it saw anything."""
    total, weight = np.zeros(scan.image.shape, np.float32), np.zeros(scan.image.shape, np.float32)
    for size in way.sizes:
        seen = FazRegion(region.x_px, region.y_px, size * region.side_px)
        view = region_input(scan.image, scan.coarse, seen)
        for probability in _looks(see, view, way.flips):
            total += put_back(FazDetail(seen, probability), scan.image.shape)
            weight += put_back(FazDetail(seen, np.ones_like(probability)), scan.image.shape)
    return np.where(weight > ASIDE, total / np.maximum(weight, ASIDE), np.float32(0))


def _looks(see: See, view: NDArray[np.float32], flips: Flips) -> list[NDArray[np.float32]]:
    found = see(np.stack([view[:, ::down, ::across] for down, across in flips]))
    return [np.ascontiguousarray(plane[::down, ::across]) for plane, (down, across) in zip(found, flips, strict=True)]
