"""The whole way from a folder of labelled B-scans to weights with a card: check, parts, both stages, judge, write."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.scoring.bscan_card import BscanCard
from core.training.bscan.label import class_names, read_bscans
from core.training.bscan.publish import write_card
from core.training.bscan.recipe import NAME, BscanRecipe
from core.training.bscan.stages import Stages
from core.training.progress import Progress
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fitted
from core.training.supervised.history import CURVES_NAME, METRICS_NAME, draw_curves, write_metrics
from core.training.supervised.parts import Placed, place
from core.training.supervised.run import Request, machine_for, open_run, with_start


@dataclass(frozen=True, slots=True)
class TrainedBscan:
    """What a training wrote and how good it is."""

    weights: Path
    card: BscanCard


def train_bscan(request: Request, report: Callable[[Progress], None] = lambda _: None) -> TrainedBscan:
    """Run the recipe; ``out`` gets weights, card, splits, each stage's metrics and curves, and what resuming needs.

    Raises
    ------
    UsageError
        The folder has faults, its split leaks, classes or lesions are missing, or ``out`` holds another training.
    """
    machine = machine_for(request)
    started, init = with_start(request)
    assert isinstance(started, BscanRecipe)
    placed = read_and_place(request, started, report)
    classes = class_names([item.picture for item in placed])
    open_run(request.out, started, placed, resume=request.resume)
    stages = Stages(placed, classes, started, request.out, machine, init, report)
    fits = stages.fit()
    weights = request.out / f"{NAME}.safetensors"
    write_networks(weights, fits, half=started.half_precision_weights)
    card = write_card(weights, started, fits, stages, report=report)
    return TrainedBscan(weights, card)


def read_and_place(request: Request, recipe: BscanRecipe, report: Callable[[Progress], None]) -> list[Placed]:
    """The folder's scans in their parts; near duplicates are looked for as everywhere."""
    stage = "Checking the images"
    pictures = read_bscans(
        request.data, licence=request.licence, on_read=lambda done, total: report(Progress(stage, done, total))
    )
    return place(pictures, recipe)


def write_networks(weights: Path, fits: dict[str, Fitted], *, half: bool) -> None:
    """All networks in one file, and each one's figures and curves in its folder."""
    tensors = {
        f"{name}.{key}": _stored(value, half=half)
        for name, fitted in fits.items()
        for key, value in fitted.network.state_dict().items()
    }
    write_tensors(weights, tensors)
    for name, fitted in fits.items():
        write_metrics(weights.parent / name / METRICS_NAME, fitted.history)
        draw_curves(weights.parent / name / CURVES_NAME, {"": fitted.history}, name)


def _stored(value: Tensor, *, half: bool) -> Tensor:
    return value.to(torch.float16) if half and value.is_floating_point() else value
