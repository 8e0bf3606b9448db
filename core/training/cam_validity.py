"""Whether Grad-CAM means something: does it lie where the fault is, and does it depend on what was learned.

Two checks that a published heat map should pass: localisation on phantoms with one artifact in a known place, against
chance; and the randomisation of weights of Adebayo et al. 2018, arXiv:1810.03292, section 3: a map that stays alike
when the head or the encoder is drawn anew shows the image's edges, not the model's reasons.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap, rankdata

from core.networks.octa_enface import OctaEnfaceNetwork
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom, OctaPhantomSpec
from core.scoring.lanes.canvas import place
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade

LEAST_AREA, MOST_AREA = 0.04, 0.5
"""A mask smaller than this has no whole cell of an 8 x 8 map; one larger leaves no room to miss it."""

CAM_STREAM = 7
"""Second word of the phantoms' seeds: no other use draws the same eyes."""

_TRIES_PER_PHANTOM = 12


@dataclass(frozen=True, slots=True)
class Localisation:
    """How much of one map's positive energy lies inside the true mask, 0..1, beside the mask's share of the field.

    The share of the field is chance: what a map that knows nothing would put there. ``energy_fraction`` is None where
    no cell speaks for the class.
    """

    kind: ArtifactType
    energy_fraction: float | None
    area_fraction: float


@dataclass(frozen=True, slots=True)
class EnergyRatio:
    """Mean energy inside the mask over the mean of chance, with a 95 % bootstrap interval over phantoms; chance is 1.

    ``n_without_evidence`` maps had no positive cell and are left out.
    """

    value: float
    low: float
    high: float
    n: int
    n_without_evidence: int


@dataclass(frozen=True, slots=True)
class Randomisation:
    """Rank correlation of maps before and after a part was drawn anew: mean over images and draws, and its 95 % range.

    1: the map did not notice. 0: what chance gives.
    """

    part: str
    mean: float
    low: float
    high: float
    n_maps: int


def one_artifact_phantoms(kind: ArtifactType, count: int, *, seed: int) -> Iterator[OctaPhantom]:
    """Phantoms whose only artifact is of this kind and covers between 4 and 50 % of the field.

    Raises ValueError where the phantoms' artifacts of this kind are hardly ever of such a size.
    """
    found = 0
    for draw in range(count * _TRIES_PER_PHANTOM):
        rng = np.random.default_rng([seed, CAM_STREAM, list(OCTA_ARTIFACTS).index(kind), draw])
        strength: dict[str, Any] = {kind.value: float(rng.uniform(0.5, 0.95))}
        phantom = render_octa(OctaPhantomSpec(size_px=256, **strength), int(rng.integers(2**31)))
        if LEAST_AREA <= phantom.artifact_masks[kind].mean() <= MOST_AREA:
            found += 1
            yield phantom
        if found == count:
            return
    raise ValueError(f"only {found} of {count} phantoms with {kind.value} on 4 to 50 % of the field could be drawn")


def localise(scorer: OctaEnfaceScorer, phantoms: Sequence[OctaPhantom], kind: ArtifactType) -> list[Localisation]:
    """Where the map of *ungradable* lies on each phantom, judged at the map's own stride."""
    canvases = np.stack([place(phantom.image)[0] for phantom in phantoms])
    return [
        energy_inside(cam, phantom.artifact_masks[kind], kind)
        for cam, phantom in zip(ungradable_maps(scorer, canvases), phantoms, strict=True)
    ]


def energy_inside(cam: NDArray[np.float64], mask: NDArray[np.bool_], kind: ArtifactType) -> Localisation:
    """Energy of a map's positive part inside a mask.

    Parameters
    ----------
    cam : float array (cells, cells)
        The class's map on the canvas, before clipping at zero.
    mask : bool array (height, width)
        The truth at the image's own size.
    """
    cells = len(cam)
    covered, inside = _cover(mask, cells), _cover(np.ones_like(mask), cells)
    positive = np.maximum(cam, 0.0)
    energy = float((positive * inside).sum())
    share = float((positive * covered).sum()) / energy if energy > 0 else None
    return Localisation(kind, share, float(covered.sum() / inside.sum()))


def energy_ratio(found: Sequence[Localisation], *, seed: int = 0, n_resamples: int = 2000) -> EnergyRatio:
    """Mean energy over mean chance of these maps, with its interval. Needs two maps with evidence (ValueError)."""
    pairs = [(item.energy_fraction, item.area_fraction) for item in found if item.energy_fraction is not None]
    if len(pairs) < 2:  # noqa: PLR2004 - one map has no interval
        raise ValueError(f"{len(pairs)} of {len(found)} maps have a positive cell; two are the least")
    energy, area = np.array(pairs, np.float64).T

    def ratio(inside: NDArray[np.float64], chance: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray(inside.mean(axis=axis) / chance.mean(axis=axis), np.float64)

    interval = bootstrap(
        (energy, area), ratio, paired=True, method="percentile", n_resamples=n_resamples, rng=seed
    ).confidence_interval
    value = float(ratio(energy, area))
    return EnergyRatio(value, float(interval.low), float(interval.high), len(pairs), len(found) - len(pairs))


def randomisation_check(
    scorer: OctaEnfaceScorer, canvases: NDArray[np.uint8], part: str, *, n_draws: int = 4, seed: int = 0
) -> Randomisation:
    """How alike the maps of *ungradable* stay when a part of the network is drawn anew.

    Parameters
    ----------
    canvases : uint8 array (B, 256, 256)
    part : str
        A submodule of the network: "grade_head" or "encoder".
    """
    before = ungradable_maps(scorer, canvases)
    found = []
    for draw in range(n_draws):
        other = scorer.with_network(randomised(scorer.network, part, seed=seed + draw))
        after = ungradable_maps(other, canvases)
        found += [rank_correlation(one, two) for one, two in zip(before, after, strict=True)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Randomisation(part, float(np.mean(found)), float(low), float(high), len(found))


def randomised(network: OctaEnfaceNetwork, part: str, *, seed: int) -> OctaEnfaceNetwork:
    """A copy of the network with one part initialised anew, as before any training; the caller's generator is kept."""
    copy = deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in copy.get_submodule(part).modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return copy.eval()


def ungradable_maps(scorer: OctaEnfaceScorer, canvases: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The maps (B, cells, cells) of *ungradable*, as the product computes them, before clipping at zero."""
    outputs = [output for first in range(0, len(canvases), 8) for output in scorer.forward(canvases[first : first + 8])]
    return np.stack([output.class_maps[CoipsGrade.UNGRADABLE] for output in outputs]).astype(np.float64)


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's correlation of two maps, -1..1; 0 where one of them is flat and so says nothing."""
    first, second = rankdata(one.ravel()), rankdata(other.ravel())
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _cover(mask: NDArray[np.bool_], cells: int) -> NDArray[np.float64]:
    """The share of each cell (cells, cells) of the canvas that a mask covers; the padding is covered by none."""
    canvas, at = place(mask.astype(np.uint8) * np.uint8(255))
    placed = np.zeros(canvas.shape)
    rows = slice(at.top_px, at.top_px + at.inner_height_px)
    columns = slice(at.left_px, at.left_px + at.inner_width_px)
    placed[rows, columns] = canvas[rows, columns] / 255.0
    side = len(canvas) // cells
    return np.asarray(placed.reshape(cells, side, cells, side).mean(axis=(1, 3)), np.float64)
