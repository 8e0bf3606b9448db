"""The way from a folder of graded and labelled ONH en-face images to weights with a card."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from core.networks.onh_enface import OnhNetwork
from core.scoring.onh_card import OnhCard
from core.training.onh.folder import read_onh_folder
from core.training.onh.publish import write_card, write_weights
from core.training.onh.recipe import OnhRecipe
from core.training.onh.samples import Held, OnhSamples
from core.training.onh.task import OnhTask
from core.training.progress import Progress
from core.training.supervised.fit import Fit, Fitted, Machine
from core.training.supervised.history import CURVES_NAME, draw_curves
from core.training.supervised.parts import Placed, place
from core.training.supervised.recipe import fingerprint
from core.training.supervised.record import Part
from core.training.supervised.run import Request, begin_with, machine_for, open_run, placed_lines, with_start


@dataclass(frozen=True, slots=True)
class OnhTrained:
    """What a training wrote and how good it is."""

    weights: Path
    card: OnhCard


def train_onh(request: Request, report: Callable[[Progress], None] = lambda _: None) -> OnhTrained:
    """Run the recipe; ``out`` gets weights, card, splits, metrics, curves and what resuming needs.

    Raises
    ------
    UsageError
        The folder has faults, its split leaks, or ``out`` holds another training.
    """
    machine = machine_for(request)
    recipe, init = with_start(request)
    assert isinstance(recipe, OnhRecipe)
    placed = place(read_onh_folder(request.data, request.licence, report), recipe)
    open_run(request.out, recipe, placed, resume=request.resume)
    fitted = fit_onh(recipe, placed, request.out, machine, init=init, report=report)
    weights = write_weights(fitted.network, request.out / f"{recipe.name}.safetensors")
    draw_curves(request.out / CURVES_NAME, {"": fitted.history}, recipe.name)
    card = write_card(weights, recipe, fitted, placed, has_init=request.init is not None, report=report)
    return OnhTrained(weights, card)


def fit_onh(
    recipe: OnhRecipe,
    placed: Sequence[Placed],
    out: Path,
    machine: Machine,
    *,
    init: dict[str, Tensor] | None = None,
    held: Held | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Fitted:
    """Fit the recipe's network on the training part while the validation part watches."""
    train, watching = ([item for item in placed if item.part is part] for part in (Part.TRAIN, Part.VALIDATION))
    fit = Fit(
        task=OnhTask(recipe),
        recipe=recipe,
        train=[item.picture for item in train],
        validation=[item.picture for item in watching],
        folder=out,
        fingerprint=fingerprint(recipe, placed_lines([*train, *watching])),
        machine=machine,
        samples=partial(OnhSamples, held={} if held is None else held),
    )
    network = fit.task.build()
    if init is not None:
        _begin(network, init)
    total = recipe.epochs * fit.batches_per_epoch
    fit = replace(fit, report=lambda done, text: report(Progress("Training", done, total, text)))
    fitted = fit.run(network)
    fitted.network.to(torch.device("cpu"))
    return fitted


def _begin(network: torch.nn.Module, tensors: dict[str, Tensor]) -> None:
    """Weights of the same recipe begin the whole network, those of an encoder the encoder."""
    assert isinstance(network, OnhNetwork)
    if tensors.keys() >= network.state_dict().keys():
        begin_with(network, {name: value.float() for name, value in tensors.items()})
    else:
        network.load_encoder(tensors)
