"""Fits the second look at the FAZ on what the trained network first sees; seeded and resumable like its first part."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from core.networks.faz_refiner import FazRefiner
from core.networks.octa_enface import OctaEnfaceNetwork
from core.phantom.octa import render_octa
from core.phantom.spec import random_spec
from core.scoring.lanes.canvas import logistic, normalise, place, restore
from core.training.checkpoint import load_checkpoint
from core.training.faz_samples import ZonedScan, draw_regions
from core.training.fit import TUNING_SEED_STEP, cosine_rate, keep, loss_log, moving_average, resumed
from core.training.progress import Progress
from core.training.recipe import Recipe, RefinerPlan
from core.training.samples import FAZ_CHANNEL, Canvas
from core.training.splits import Part, SplitImage
from core.training.watch import Watch, watched_batches

REFINER_PHANTOM_STREAM = 7
"""Second word of the phantoms' seed: none of the network's training, of an evaluation or of a comparison."""
Zoned = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""An image and its FAZ, both (height, width)."""
REFINER, FINDER = "faz_refiner", "faz_finder"
STAGES = {REFINER: "Second look at the FAZ", FINDER: "Finder of the FAZ"}
"""What each fit is called where a person reads of it."""
_LOG_EVERY = 20
_FORWARD = 16
_MIN_ZONE_PX = 60
"""Smaller zones of phantoms are left out: their outline is all there is of them."""


def fit_refiner(
    real: Sequence[ZonedScan],
    phantoms: Sequence[ZonedScan],
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    fingerprint: str,
    called: str = REFINER,
    resume: bool = False,
    watch: Watch | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> FazRefiner | None:
    """Train to the recipe's last step, or as long as ``watch`` lets it; return the averaged refiner in eval mode.

    None without any scan.

    ``out`` gets its checkpoint and a CSV of losses, by the name it is ``called``.
    """
    if not real and not phantoms:
        return None
    torch.manual_seed(recipe.seed)
    plan = recipe.refiner
    refiner = FazRefiner(plan.channels, plan.fold).to(device)
    refiner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(refiner, multi_avg_fn=moving_average(recipe.refiner_average_decay), use_buffers=True)
    rate = recipe.refiner_peak_learning_rate
    optimizer = torch.optim.AdamW(refiner.parameters(), lr=rate, weight_decay=recipe.weight_decay)
    checkpoint, first = checkpoint_of(out, called), 0
    state = {"fingerprint": fingerprint, "network": refiner, "average": average, "optimizer": optimizer}
    if resume and checkpoint.is_file():
        first = resumed(load_checkpoint(checkpoint, **state), watch)  # type: ignore[arg-type]
    n_steps = recipe.n_refiner_steps

    def draw(step: int) -> tuple[Tensor, Tensor]:
        batch = draw_regions(real, phantoms, recipe.refiner_shares, plan, seed=recipe.seed, step=step)
        regions = torch.from_numpy(batch.regions).to(device, memory_format=torch.channels_last)
        return regions, torch.from_numpy(batch.zones).to(device)

    refiner.train()
    with loss_log(out / log_of(called), ("loss",), resumed=first > 0) as log:
        for step, (regions, zones) in watched_batches(draw, first, (0, n_steps), watch):
            for group in optimizer.param_groups:
                group["lr"] = cosine_rate(step, n_steps, peak=rate, warmup=recipe.refiner_warmup_steps)
            loss = _step(refiner, optimizer, regions, zones, in_bf16=plan.in_bf16)
            average.update_parameters(refiner)
            if step % _LOG_EVERY == 0 or step + 1 == n_steps:
                log((step, f"{loss:.5f}"))
                report(Progress(STAGES[called], step + 1, n_steps, f"loss {loss:.3f}"))
            if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == n_steps:
                keep(checkpoint, step + 1, state, watch)
    inner = average.module
    assert isinstance(inner, FazRefiner)
    if watch is not None:
        watch.restore(inner)
    return inner.eval()


def _step(refiner: FazRefiner, optimizer: torch.optim.AdamW, regions: Tensor, zones: Tensor, *, in_bf16: bool) -> float:
    """One step of the optimiser; gives the loss before it."""
    with torch.autocast(regions.device.type, torch.bfloat16, enabled=in_bf16):
        logits = refiner(regions)
    loss = zone_loss(logits.float(), zones)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(refiner.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def refiner_measure(
    real: Sequence[ZonedScan],
    phantoms: Sequence[ZonedScan],
    recipe: Recipe,
    device: torch.device,
    *,
    n_batches: int,
) -> Callable[[FazRefiner, int], float]:
    """The loss over a few batches of regions that never change; the scans are those of the tuning part."""
    seed, shares = recipe.seed + TUNING_SEED_STEP, recipe.refiner_shares
    drawn = [
        draw_regions(real, phantoms, shares, recipe.refiner, seed=seed, step=step)
        for step in range(n_batches if real or phantoms else 0)
    ]

    def measure(refiner: FazRefiner, _step: int) -> float:
        losses = []
        for batch in drawn:
            with torch.inference_mode():
                logits = refiner(torch.from_numpy(batch.regions).to(device))
                losses.append(float(zone_loss(logits, torch.from_numpy(batch.zones).to(device))))
        return sum(losses) / max(len(losses), 1)

    return measure


def log_of(called: str) -> str:
    """Name of the CSV of a fit's losses."""
    return f"{called}_losses.csv"


def checkpoint_of(out: Path, called: str) -> Path:
    """Where the state of an unfinished fit lies."""
    return out / f"{called}.checkpoint.safetensors"


def zone_loss(logits: Tensor, zones: Tensor) -> Tensor:
    """Binary cross entropy plus the mean of each region's soft Dice loss; both (B, H, W)."""
    probability = torch.sigmoid(logits)
    overlap = 2 * (probability * zones).sum((1, 2)) + 1
    both = (probability + zones).sum((1, 2)) + 1
    return functional.binary_cross_entropy_with_logits(logits, zones) + (1 - overlap / both).mean()


def zoned_scans(
    network: OctaEnfaceNetwork,
    images: Sequence[SplitImage],
    phantoms: Sequence[Zoned],
    device: torch.device,
    *,
    part: Part = Part.TRAIN,
) -> tuple[list[ZonedScan], list[ZonedScan]]:
    """A part's scans with a drawn FAZ, at their own size, and the phantoms (image, zone) with a large one.

    The coarse maps are the trained network's own.
    """
    drawn = [
        (item.image.pixels(), zone)
        for item in images
        if item.part is part and item.image.is_octa and (zone := item.image.faz()) is not None and zone.any()
    ]
    large = [(image, zone) for image, zone in phantoms if np.count_nonzero(zone) >= _MIN_ZONE_PX]
    return list(_with_coarse(network, drawn, device)), list(_with_coarse(network, large, device))


def zoned_phantoms(plan: RefinerPlan, canvases: Sequence[Canvas], *, seed: int) -> list[Zoned]:
    """The phantoms of a plan: rendered at their own size, or those on the canvas that the network was trained on."""
    if plan.n_phantoms is None:
        return [(canvas.image, canvas.masks[FAZ_CHANNEL] > 127) for canvas in canvases]  # noqa: PLR2004 - half covered
    found = []
    for index in range(plan.n_phantoms):
        rng = np.random.default_rng([seed, REFINER_PHANTOM_STREAM, index])
        phantom = render_octa(random_spec(rng), int(rng.integers(2**31)))
        found.append((phantom.image, phantom.faz_mask))
    return found


def _with_coarse(network: OctaEnfaceNetwork, scans: Sequence[Zoned], device: torch.device) -> Iterator[ZonedScan]:
    network.eval()
    for first in range(0, len(scans), _FORWARD):
        chunk = scans[first : first + _FORWARD]
        canvases, placements = zip(*(place(image) for image, _ in chunk), strict=True)
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalise(np.stack(canvases))[:, None]).to(device)).faz.cpu().numpy()
        for (image, zone), placement, found in zip(chunk, placements, logits, strict=True):
            coarse = np.rint(255 * restore(logistic(found), placement)).astype(np.uint8)
            yield ZonedScan(image, zone, coarse)
