"""Fits the joint OCTA en-face network: seeded, resumable, with a moving average of the weights."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from core.errors import UsageError
from core.networks.octa_enface import OctaEnfaceNetwork, OctaEnfaceOutput, build_octa_enface
from core.scoring.lanes.scan_heads import PREFIX
from core.training.checkpoint import Saved, load_checkpoint, save_checkpoint
from core.training.losses import joint_loss
from core.training.progress import Progress
from core.training.pseudo_labels import PSEUDO_LABELS_NAME, label_pool, restore_labels, store_labels
from core.training.recipe import Recipe
from core.training.samples import Bank, Batch, draw_batch
from core.training.watch import Watch, watched_batches

CHECKPOINT_NAME = "checkpoint.safetensors"
LOG_NAME = "losses.csv"
TUNING_SEED_STEP = 3
"""Added to the recipe's seed for what watches a training; one and two are those of the calibration."""
_LOG_EVERY = 20
_LOSSES = ("total", "grade", "artifacts", "faz", "large_vessels", "modality")


def cosine_rate(step: int, n_steps: int, *, peak: float, warmup: int) -> float:
    """Linear warm-up, then a cosine to a hundredth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, n_steps - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def fit(
    bank: Bank,
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    fingerprint: str,
    resume: bool = False,
    start_from: Path | None = None,
    watch: Watch | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> OctaEnfaceNetwork:
    """Train to the recipe's last step, or as long as ``watch`` lets it; return the averaged network in eval mode.

    Batches are drawn one step ahead in a thread. ``out`` gets the checkpoint and a CSV of losses. Watched, every
    stretch of the training (half size, full size, with drawn labels) may end early, and the best weights are returned.
    """
    torch.manual_seed(recipe.seed)
    network = build_octa_enface().to(device)
    if start_from is not None:
        load_initial_weights(network, start_from)
    average = AveragedModel(network, multi_avg_fn=moving_average(recipe.average_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.peak_learning_rate, weight_decay=recipe.weight_decay)
    state = {"fingerprint": fingerprint, "network": network, "average": average, "optimizer": optimizer}
    checkpoint, first = out / CHECKPOINT_NAME, 0
    if resume and checkpoint.is_file():
        first = resumed(load_checkpoint(checkpoint, **state), watch)  # type: ignore[arg-type]
    if recipe.pseudo_labels_at is not None and first > recipe.pseudo_labels_at:
        restore_labels(bank.pool, out / PSEUDO_LABELS_NAME)

    def draw(step: int) -> Batch:
        return draw_batch(bank, recipe.shares, seed=recipe.seed, step=step)

    network.train()
    peak, warmup = recipe.peak_learning_rate, recipe.warmup_steps
    borders = (0, recipe.n_steps) if watch is None else recipe.borders
    with loss_log(out / LOG_NAME, _LOSSES, resumed=first > 0) as log:
        for step, batch in watched_batches(draw, first, borders, watch, waited_for=recipe.pseudo_labels_at):
            if step == recipe.pseudo_labels_at and bank.pool:
                label_pool(averaged(average), bank.pool, device=device)
                store_labels(bank.pool, out / PSEUDO_LABELS_NAME)
            tensors = _tensors(batch, device, halve=step < recipe.n_half_size_steps)
            rate = cosine_rate(step, recipe.n_steps, peak=peak, warmup=warmup)
            losses = _step(network, optimizer, tensors, rate, in_bf16=recipe.in_bf16)
            average.update_parameters(network)
            if step % _LOG_EVERY == 0 or step + 1 == recipe.n_steps:
                log((step, *(f"{losses[name]:.5f}" for name in _LOSSES)))
                report(Progress("Network", step + 1, recipe.n_steps, f"loss {losses['total']:.3f}"))
            if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == recipe.n_steps:
                keep(checkpoint, step + 1, state, watch)
    if watch is not None:
        watch.restore(average.module)
    return averaged(average)


def keep(checkpoint: Path, step: int, state: Mapping[str, Any], watch: Watch | None) -> None:
    """Write the state after so many steps, and what the tuning part says of it."""
    if watch is not None:
        watch.look(state["average"].module, step)
    save_checkpoint(checkpoint, step=step, checks=() if watch is None else watch.checks, **state)


def resumed(saved: Saved, watch: Watch | None) -> int:
    """The steps done, after the watch was told what it had said until then."""
    if watch is not None:
        watch.checks[:] = saved.checks
    return saved.step


def network_measure(
    bank: Bank, recipe: Recipe, device: torch.device, *, n_batches: int
) -> Callable[[OctaEnfaceNetwork, int], float]:
    """The loss over a few batches that never change, drawn from the tuning part as training batches are from theirs.

    Pictures that are no scans stay out: the photographs among them are the ones that are trained on.
    """
    shares = {kind: count for kind, count in recipe.shares.items() if kind != "strangers"}
    seed = recipe.seed + TUNING_SEED_STEP
    batches = [draw_batch(bank, shares, seed=seed, step=step) for step in range(n_batches)]

    def measure(network: OctaEnfaceNetwork, step: int) -> float:
        losses = []
        for batch in batches:
            tensors = _tensors(batch, device, halve=step <= recipe.n_half_size_steps)
            with torch.inference_mode():
                losses.append(float(joint_loss(network(tensors["image"]), tensors)["total"]))
        return sum(losses) / len(losses)

    return measure


@contextmanager
def loss_log(path: Path, columns: Sequence[str], *, resumed: bool) -> Iterator[Callable[[Sequence[object]], None]]:
    """Writes rows of losses, each at once on the disk."""
    with path.open("a" if resumed else "w", newline="") as file:
        rows = csv.writer(file)
        if not resumed:
            rows.writerow(("step", *columns))

        def log(row: Sequence[object]) -> None:
            rows.writerow(row)
            file.flush()

        yield log


def load_initial_weights(network: OctaEnfaceNetwork, path: Path) -> None:
    """Begin with the network of a file that an earlier training wrote; what lies on it is fitted anew."""
    beside = (PREFIX, "faz_refiner.", "faz_finder.")
    stored = {name: value for name, value in load_file(path).items() if not name.startswith(beside)}
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{path.name} holds another network.", remedy="Start from weights that the same recipe wrote."
        ) from error


def moving_average(decay: float) -> Callable[..., None]:
    """The rule by which averaged weights follow the newest ones."""
    average: Callable[..., None] = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return average


def averaged(average: nn.Module) -> OctaEnfaceNetwork:
    """The network inside the moving average, ready to score."""
    inner = average.module
    assert isinstance(inner, OctaEnfaceNetwork)
    return inner.eval()


def _step(
    network: OctaEnfaceNetwork, optimizer: torch.optim.AdamW, tensors: dict[str, Tensor], rate: float, *, in_bf16: bool
) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = rate
    with torch.autocast(tensors["image"].device.type, torch.bfloat16, enabled=in_bf16):
        output = network(tensors["image"])
    losses = joint_loss(OctaEnfaceOutput(*(part.float() for part in output)), tensors)
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def _tensors(batch: Batch, device: torch.device, *, halve: bool) -> dict[str, Tensor]:
    """The batch on the device; halved: planes averaged over 2 x 2 cells."""
    names = ("image", "masks", "weights", "grade", "is_octa")
    tensors = {name: torch.from_numpy(getattr(batch, name)).to(device) for name in names}
    if halve:
        tensors |= {name: avg_pool2d(tensors[name], 2) for name in ("image", "masks", "weights")}
    tensors["image"] = tensors["image"].contiguous(memory_format=torch.channels_last)
    return tensors
