"""The whole way from a folder of B-scans with label maps to layer weights: check, parts, fit, write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from core.errors import UsageError
from core.networks.layers import N_POOLINGS
from core.scoring.layers_card import LayersCard
from core.training.layers.data import read_layer_folder
from core.training.layers.levels import HEADS, LevelsTask, level_recipe
from core.training.layers.recipe import LayersRecipe
from core.training.layers.samples import LayerSamples, draw_phantoms
from core.training.layers.task import LayersTask
from core.training.progress import Progress
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fit, Fitted, Machine
from core.training.supervised.history import CURVES_NAME, draw_curves
from core.training.supervised.parts import Placed, place
from core.training.supervised.recipe import fingerprint
from core.training.supervised.record import Part
from core.training.supervised.run import Request, begin_with, machine_for, open_run, placed_lines, with_start

LEVELS_FOLDER = "levels"
"""Of the levels' checkpoint, metrics and best weights, within the run's."""


@dataclass(frozen=True, slots=True)
class FittedLayers:
    """A finished fit with its weights' file and the parts it was made of.

    ``levels`` is the fit of the levels below the answer, where the recipe asks for them. Of a network that was taken
    over as it stood ``fitted`` is that fit, too.
    """

    weights: Path
    fitted: Fitted
    placed: list[Placed]
    levels: Fitted | None = None


def fit_layers(request: Request, report: Callable[[Progress], None] = lambda _: None) -> FittedLayers:
    """Run the recipe and write its weights, splits, metrics and curves into ``request.out``.

    Raises
    ------
    UsageError
        The folder has faults, its split leaks, the recipe cannot learn as asked, or ``out`` holds another training.
    """
    machine = machine_for(request)
    recipe, init = with_start(request)
    assert isinstance(recipe, LayersRecipe)
    _refuse_wide_crops(recipe)
    _refuse_levels(recipe)
    placed = _open(request, recipe, report)
    task = LayersTask(recipe)
    network = task.build()
    if init is not None:
        begin_with(network, {name: value for name, value in init.items() if not name.startswith(HEADS)})
    report(Progress("Drawing phantoms", 0, recipe.n_phantoms))
    fit = _fit(request, task, placed, machine, report)
    fitted = fit.run(network)
    draw_curves(request.out / CURVES_NAME, {"": fitted.history}, recipe.name)
    tensors = {name: _stored(value) for name, value in fitted.network.cpu().state_dict().items()}
    levels = None
    if recipe.level_epochs:
        tensors, levels = _fit_levels(fit, tensors, report)
    weights = request.out / f"{recipe.name}.safetensors"
    write_tensors(weights, tensors)
    return FittedLayers(weights, fitted, placed, levels)


def fit_levels(request: Request, card: LayersCard, report: Callable[[Progress], None] = lambda _: None) -> FittedLayers:
    """Fit levels to the network of ``request.init``, which its ``card`` describes and which stays as it is.

    Raises
    ------
    UsageError
        The folder has faults or is not what the network was trained on, or ``out`` holds another training.
    """
    recipe, init = with_start(request)
    assert isinstance(recipe, LayersRecipe)
    assert init is not None, "the command asks for --init"
    _refuse_levels(recipe)
    placed = _open(request, recipe, report)
    refuse_other_images(card, placed)
    report(Progress("Drawing phantoms", 0, recipe.n_phantoms))
    fit = _fit(request, LayersTask(recipe), placed, machine_for(request), report)
    tensors, levels = _fit_levels(fit, init, report)
    weights = request.out / f"{recipe.name}.safetensors"
    write_tensors(weights, tensors)
    return FittedLayers(weights, levels, placed, levels)


def _open(request: Request, recipe: LayersRecipe, report: Callable[[Progress], None]) -> list[Placed]:
    """The folder's images in their parts; the run's folder is made, or seen to be the same training's."""
    pictures = read_layer_folder(
        request.data,
        recipe.scheme,
        licence=request.licence,
        on_read=lambda done, total: report(Progress("Checking the images", done, total)),
    )
    placed = place(pictures, recipe)
    open_run(request.out, recipe, placed, resume=request.resume)
    return placed


def _fit(
    request: Request, task: LayersTask, placed: list[Placed], machine: Machine, report: Callable[[Progress], None]
) -> Fit:
    """The fit of a recipe on the parts."""
    recipe = task.recipe
    train, watching = ([item for item in placed if item.part is part] for part in (Part.TRAIN, Part.VALIDATION))
    total = recipe.epochs * (recipe.batches_per_epoch or max(len(train) // recipe.batch_size, 1))
    return Fit(
        task=task,
        recipe=recipe,
        train=[item.picture for item in train],
        validation=[item.picture for item in watching],
        folder=request.out,
        fingerprint=fingerprint(recipe, placed_lines([*train, *watching])),
        machine=machine,
        report=lambda done, text: report(Progress("Training", done, total, text)),
        samples=partial(LayerSamples, phantoms=draw_phantoms(recipe)),
    )


def _fit_levels(
    fit: Fit, network: Mapping[str, Tensor], report: Callable[[Progress], None]
) -> tuple[dict[str, Tensor], Fitted]:
    """Heads on the coarser blocks of a network as it is stored; its tensors with theirs, and their fit."""
    assert isinstance(fit.recipe, LayersRecipe)
    recipe = level_recipe(fit.recipe)
    total = recipe.epochs * fit.batches_per_epoch
    task = LevelsTask(recipe, network)
    levels = replace(
        fit,
        task=task,
        recipe=recipe,
        folder=fit.folder / LEVELS_FOLDER,
        report=lambda done, text: report(Progress("Fitting the levels", done, total, text)),
    ).run(task.build())
    own = levels.network.cpu().state_dict()
    heads = {name.removeprefix("network."): value for name, value in own.items() if f".{HEADS}" in name}
    kept = {name: value for name, value in network.items() if not name.startswith(HEADS)}
    return kept | {name: _stored(value) for name, value in heads.items()}, levels


def _stored(value: Tensor) -> Tensor:
    """Weights are kept in half precision: the outputs' changes lie far below a cell (tests/core/training/layers)."""
    return value.half() if value.is_floating_point() else value


def refuse_other_images(card: LayersCard, placed: Sequence[Placed]) -> None:
    """Heads may learn from what the network has seen and from nothing that its figures rest on."""
    learned = {item.picture.pixel_sha256 for item in placed if item.part is not Part.TEST}
    if learned != set(card.seen_pixels):
        raise UsageError(
            f"The folder's images for training are not those that {card.name} {card.version} was trained on: "
            f"{len(learned & set(card.seen_pixels))} of {len(card.seen_pixels)} are there.",
            remedy="Give the folder that it was trained on with --data, with its split as it was.",
        )


def _refuse_levels(recipe: LayersRecipe) -> None:
    """Heads are fitted to the U-Net alone."""
    if recipe.level_epochs and recipe.network != "unet":
        raise UsageError(
            f"Levels are fitted to network=unet, not to {recipe.network}.",
            remedy="Leave level_epochs out; network=qunet trains levels of its own.",
        )


def _refuse_wide_crops(recipe: LayersRecipe) -> None:
    """A crop must fit the canvas, and the U-Net's poolings must divide it."""
    for name, crop, stride in (("columns", recipe.crop_columns, recipe.column_stride), ("rows", recipe.crop_rows, 1)):
        step = 2**N_POOLINGS * stride if recipe.network in {"unet", "qunet"} else 1
        if crop is not None and (crop > recipe.image_px or crop % step):
            raise UsageError(
                f"Crops of {crop} {name} do not fit a canvas of {recipe.image_px} px or are no multiple of {step}.",
                remedy=f"Give another --set crop_{name}=, or none to take all.",
            )
