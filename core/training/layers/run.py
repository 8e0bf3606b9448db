"""The whole way from a folder of B-scans with label maps to layer weights: check, parts, fit, write."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from core.errors import UsageError
from core.networks.layers import N_POOLINGS
from core.training.layers.data import read_layer_folder
from core.training.layers.recipe import LayersRecipe
from core.training.layers.samples import LayerSamples, draw_phantoms
from core.training.layers.task import LayersTask
from core.training.progress import Progress
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fit, Fitted
from core.training.supervised.history import CURVES_NAME, draw_curves
from core.training.supervised.parts import Placed, place
from core.training.supervised.recipe import fingerprint
from core.training.supervised.record import Part
from core.training.supervised.run import Request, begin_with, machine_for, open_run, placed_lines, with_start


@dataclass(frozen=True, slots=True)
class FittedLayers:
    """A finished fit with its weights' file and the parts it was made of."""

    weights: Path
    fitted: Fitted
    placed: list[Placed]


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
    pictures = read_layer_folder(
        request.data,
        recipe.scheme,
        licence=request.licence,
        on_read=lambda done, total: report(Progress("Checking the images", done, total)),
    )
    placed = place(pictures, recipe)
    open_run(request.out, recipe, placed, resume=request.resume)
    train, watching = ([item for item in placed if item.part is part] for part in (Part.TRAIN, Part.VALIDATION))
    task = LayersTask(recipe)
    network = task.build()
    if init is not None:
        begin_with(network, init)
    total = recipe.epochs * (recipe.batches_per_epoch or max(len(train) // recipe.batch_size, 1))
    report(Progress("Drawing phantoms", 0, recipe.n_phantoms))
    fit = Fit(
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
    fitted = fit.run(network)
    fitted.network.cpu()
    weights = request.out / f"{recipe.name}.safetensors"
    write_tensors(weights, {name: _stored(value) for name, value in fitted.network.state_dict().items()})
    draw_curves(request.out / CURVES_NAME, {"": fitted.history}, recipe.name)
    return FittedLayers(weights, fitted, placed)


def _stored(value: Tensor) -> Tensor:
    """Weights are kept in half precision: the outputs' changes lie far below a cell (tests/core/training/layers)."""
    return value.half() if value.is_floating_point() else value


def _refuse_wide_crops(recipe: LayersRecipe) -> None:
    """A crop must fit the canvas, and the U-Net's poolings must divide it."""
    for name, crop, stride in (("columns", recipe.crop_columns, recipe.column_stride), ("rows", recipe.crop_rows, 1)):
        step = 2**N_POOLINGS * stride if recipe.network in {"unet", "qunet"} else 1
        if crop is not None and (crop > recipe.image_px or crop % step):
            raise UsageError(
                f"Crops of {crop} {name} do not fit a canvas of {recipe.image_px} px or are no multiple of {step}.",
                remedy=f"Give another --set crop_{name}=, or none to take all.",
            )
