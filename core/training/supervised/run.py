"""The whole way from a folder of labelled images to weights with a card: check, parts, fit each fold, judge, write."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import UsageError
from core.networks.coips_quality import QualityNetwork
from core.scoring.card import sha256_of
from core.scoring.coips_card import CoipsCard
from core.scoring.torch_backend.device import choose_device, limit_threads, wants_bf16
from core.training.progress import Progress
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fit, Machine
from core.training.supervised.history import CURVES_NAME, METRICS_NAME, draw_curves, write_metrics
from core.training.supervised.manifest import read_records
from core.training.supervised.parts import SPLITS_NAME, Placed, place, write_splits
from core.training.supervised.picture import Picture, read_pictures
from core.training.supervised.publish import FoldFit, write_card
from core.training.supervised.recipe import QualityRecipe, SupervisedRecipe, fingerprint
from core.training.supervised.record import (
    MAX_FAULTS_SHOWN,
    NOT_STATED,
    Label,
    ManifestError,
    Part,
    write_faults,
)
from core.training.supervised.task import task_of

RUN_NAME = "run.json"
FAULTS_NAME = "faults.csv"
_MANY_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Attributes
    ----------
    init : Path or None
        Weights to begin with, .safetensors.
    licence : str
        Of the images whose rows name none.
    precision : str
        "fp32", "bf16", or "auto": bf16 on CUDA devices that have it.
    n_workers : int or None
        Processes that read images; None: none on a CPU, which needs its cores itself, up to 8 beside CUDA.
    """

    recipe: SupervisedRecipe
    data: Path
    out: Path
    init: Path | None = None
    licence: str = NOT_STATED
    device: str = "auto"
    precision: str = "auto"
    n_workers: int | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training wrote and how good it is."""

    weights: Path
    card: CoipsCard


def train_supervised(request: Request, report: Callable[[Progress], None] = lambda _: None) -> Trained:
    """Run the recipe; ``out`` gets weights, card, splits, metrics, curves and what resuming needs.

    Raises
    ------
    UsageError
        The folder has faults, its split leaks, the recipe cannot learn as asked, or ``out`` holds another training.
    """
    refuse_frozen_without_weights(request.recipe, request.init)
    machine = machine_for(request)
    recipe, init = with_start(request)
    placed = place(_checked(request, report), recipe)
    open_run(request.out, recipe, placed, resume=request.resume)
    run = _Run(placed, recipe, request.out, machine, init, report)
    fits = [run.fit(fold) for fold in run.folds]
    weights = request.out / f"{recipe.name}.safetensors"
    _write(weights, fits, request.out)
    card = write_card(
        weights,
        recipe,
        fits,
        placed,
        machine.device,
        has_init=request.init is not None,
        report=lambda done, total: report(Progress("Judging on the test part", done, total)),
    )
    return Trained(weights, card)


def _checked(request: Request, report: Callable[[Progress], None]) -> list[Picture]:
    """The folder's images; where there are more faults than a message holds, all of them are written down."""
    label = Label.GRADE if isinstance(request.recipe, QualityRecipe) else Label.MASK
    try:
        records = read_records(request.data, label)
        records = [replace(r, licence=request.licence) if r.licence == NOT_STATED else r for r in records]
        stage = "Checking the images"
        return read_pictures(request.data, records, on_read=lambda done: report(Progress(stage, done, len(records))))
    except ManifestError as error:
        if len(error.faults) > MAX_FAULTS_SHOWN:
            request.out.mkdir(parents=True, exist_ok=True)
            path = request.out / FAULTS_NAME
            write_faults(error.faults, path)
            error.remedy = f"All of them are in {path}. {error.remedy}"
        raise


def refuse_frozen_without_weights(recipe: SupervisedRecipe, init: Path | None) -> None:
    """A frozen backbone of random weights learns nothing, however long it is trained."""
    if isinstance(recipe, QualityRecipe) and recipe.trained_layers == "last" and init is None:
        raise UsageError(
            f"{recipe.name} trains only the last layer of {recipe.backbone}, as published; without pretrained weights "
            "below it there is nothing to learn from.",
            remedy=f"Give timm's weights of {recipe.backbone} with --init FILE.safetensors (octaudit downloads none), "
            "or train every layer from random weights with --set trained_layers=all.",
        )


def machine_for(request: Request) -> Machine:
    """Device, precision and reading processes."""
    limit_threads()
    device = choose_device(request.device)
    is_cuda = device.type == "cuda"
    n_workers = request.n_workers
    if n_workers is None:
        n_workers = min(_MANY_WORKERS, len(os.sched_getaffinity(0)) - 1) if is_cuda else 0
    return Machine(device, wants_bf16(request.precision, device), n_workers)


def with_start(request: Request) -> tuple[SupervisedRecipe, dict[str, Tensor] | None]:
    """The recipe with the sha256 of the first weights, and those weights."""
    if request.init is None:
        return request.recipe, None
    if request.init.suffix != ".safetensors" or not request.init.is_file():
        raise UsageError(
            f"{request.init} is no .safetensors file.",
            remedy="Convert pickled weights with safetensors.torch.save_file; octaudit unpickles nothing.",
        )
    try:
        tensors = load_file(request.init)
    except SafetensorError as error:
        raise UsageError(f"{request.init} cannot be read: {error}.", remedy="Copy the file again.") from error
    return request.recipe.model_copy(update={"starts_from": sha256_of(request.init)}), tensors


def open_run(out: Path, recipe: SupervisedRecipe, placed: Sequence[Placed], *, resume: bool) -> None:
    """Make the folder, or see that what it holds is the same training."""
    images = hashlib.sha256("\n".join(placed_lines(placed)).encode()).hexdigest()
    path = out / RUN_NAME
    if path.is_file():
        if not resume:
            raise UsageError(
                f"{out} already holds a training.", remedy="Add --resume, or give a new folder with --out."
            )
        _refuse_other_run(path, recipe, images)
        return
    out.mkdir(parents=True, exist_ok=True)
    write_splits(placed, out / SPLITS_NAME)
    document = {"recipe": recipe.model_dump(mode="json"), "images_sha256": images}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - the atomic one


def _refuse_other_run(path: Path, recipe: SupervisedRecipe, images: str) -> None:
    begun: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    changes = recipe.differences(begun["recipe"])
    if begun["images_sha256"] != images:
        changes.append("images, labels, subjects or parts have changed")
    if changes:
        raise UsageError(
            f"{path.parent} holds another training: {'; '.join(changes)}.",
            remedy="Resume with the same options and data, or give a new folder with --out.",
        )


def placed_lines(placed: Sequence[Placed]) -> list[str]:
    """What a training takes from each image, and what the image is used for, as one line."""
    return [f"{item.picture.key} {item.part} {item.fold}" for item in placed]


@dataclass(frozen=True, slots=True)
class _Run:
    """What all folds of a training share."""

    placed: Sequence[Placed]
    recipe: SupervisedRecipe
    out: Path
    machine: Machine
    init: dict[str, Tensor] | None
    report: Callable[[Progress], None]

    @property
    def folds(self) -> list[int | None]:
        """The folds to train; one training without number where there are none."""
        folds: list[int | None] = []
        folds += sorted({item.fold for item in self.placed if item.fold is not None})
        return folds or [None]

    def fit(self, fold: int | None) -> FoldFit:
        """Fit one network: on the training part, or on all folds but one."""
        train, watching = self._parts(fold)
        pictures = [item.picture for item in train]
        fit = Fit(
            task=task_of(self.recipe, pictures),
            recipe=self.recipe,
            train=pictures,
            validation=[item.picture for item in watching],
            folder=self.out if fold is None else self.out / f"fold-{fold}",
            fingerprint=fingerprint(self.recipe, placed_lines([*train, *watching])),
            machine=self.machine,
        )
        total = self.recipe.epochs * fit.batches_per_epoch
        stage = "Training" if fold is None else f"Training fold {fold}"
        network = fit.task.build()
        if self.init is not None:
            begin_with(network, self.init)
        fit = replace(fit, report=lambda done, text: self.report(Progress(stage, done, total, text)))
        fitted = fit.run(network)
        fitted.network.cpu()
        return FoldFit(fold, fitted)

    def _parts(self, fold: int | None) -> tuple[list[Placed], list[Placed]]:
        """What is trained on, and what watches."""
        if fold is None:
            return (
                [item for item in self.placed if item.part is Part.TRAIN],
                [item for item in self.placed if item.part is Part.VALIDATION],
            )
        return (
            [item for item in self.placed if item.fold is not None and item.fold != fold],
            [item for item in self.placed if item.fold == fold],
        )


def begin_with(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Take over pretrained weights: a backbone's in timm's naming, or those of the same recipe."""
    if isinstance(network, QualityNetwork):
        network.load_backbone({name.removeprefix("backbone."): value for name, value in tensors.items()})
        return
    try:
        network.load_state_dict(_plain_or_first_fold(tensors))
    except RuntimeError as error:
        raise UsageError(
            "The weights of --init are of another network.",
            remedy="Give weights that the same recipe wrote with the same sizes, or leave --init out.",
        ) from error


def _plain_or_first_fold(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a single network, or the first of a file of folds."""
    prefix = "fold-0."
    first = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return first or tensors


def _write(weights: Path, fits: Sequence[FoldFit], out: Path) -> None:
    """All networks in one file, and their figures and curves together."""
    tensors = {
        f"{'' if fit.fold is None else f'fold-{fit.fold}.'}{name}": value
        for fit in fits
        for name, value in fit.fitted.network.state_dict().items()
    }
    write_tensors(weights, tensors)
    histories = {("" if fit.fold is None else f"fold {fit.fold}"): fit.fitted.history for fit in fits}
    if len(fits) > 1:
        rows = [{"fold": fit.fold, **row} for fit in fits for row in fit.fitted.history]
        write_metrics(out / METRICS_NAME, rows)
    draw_curves(out / CURVES_NAME, histories, weights.stem)
