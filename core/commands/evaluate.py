"""`octaudit evaluate`: the figures of a model on the held-out part of a folder, with intervals over subjects."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.errors import UsageError
from core.figures_file import write_figures

if TYPE_CHECKING:
    from core.training.evaluation.report import Evaluation

TABLE_WIDTH = 140
"""Columns of the tables where stdout is no terminal: names of sets are long."""


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of labelled images.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option(
    "--report", "folder", type=click.Path(path_type=Path), help="Write report.html and report.json into this folder."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option(
    "--folds",
    type=click.Choice(["best", "all"]),
    help="coips-faz: the best fold as in the paper, or the mean of all, mirrored. Unset: both.",
)
@click.option("--fonts", type=click.Path(path_type=Path), help="text-detector: folder of .ttf files for the captions.")
def command(
    *,
    recipe: str,
    data: Path,
    model: str,
    json_path: Path | None,
    folder: Path | None,
    device: str,
    folds: str | None,
    fonts: Path | None,
) -> None:
    """Evaluate a model of RECIPE on images that its training did not see, and print every figure with its interval.

    RECIPE and what --data holds (docs/training.md shows each folder):

    \b
      octa-enface     the sets it is trained on; judged on phantoms and pictures that are no OCTA, too
      onh-enface      manifest.csv with grades and masks of the optic nerve head
      bscan           manifest.csv with classes and lesion masks of B-scans
      layers          B-scans of volumes with label maps
      coips-quality   manifest.csv with grades (train a model first: none is bundled)
      coips-faz       manifest.csv with FAZ masks (likewise)
      qunet           manifest.csv, or images/ and masks/ (likewise)
      text-detector   clean scans; captions are drawn into them

    What was trained with is left out or, where the folder says that it tests, refused. The published figures of the
    same task stand beside ours with what differs between the data.

    \b
    Examples:
      octaudit evaluate octa-enface --data ../shared/data --model bundled --report runs/evaluation
      octaudit evaluate text-detector --data ../shared/data --fonts ~/.fonts --json figures.json
      octaudit evaluate layers --data ../shared/data/layers_duke_dme --json layers.json
      octaudit evaluate coips-faz --data faz/ --model runs/faz/coips-faz.safetensors --folds all
      octaudit evaluate onh-enface --data phantoms/training --model bundled
      octaudit evaluate bscan --data bscans/training --json bscan.json
    """
    if recipe not in EVALUATORS:
        known = ", ".join(sorted(EVALUATORS))
        raise UsageError(f"There is no recipe {recipe!r}.", remedy=f"Choose one of: {known}.")
    _refuse_others(recipe, {"report": folder, "folds": folds, "fonts": fonts})
    EVALUATORS[recipe](Asked(recipe, data, model, device, json_path, folder, folds, fonts))


_OPTIONS_OF = {
    "report": ("octa-enface", "coips-quality", "coips-faz", "onh-enface", "bscan", "layers", "qunet"),
    "folds": ("coips-faz",),
    "fonts": ("text-detector",),
}
"""Options that not every recipe has, and those that have them."""


def _refuse_others(recipe: str, given: Mapping[str, object]) -> None:
    """UsageError where an option was given that would change nothing."""
    for name, value in given.items():
        if value is not None and recipe not in _OPTIONS_OF[name]:
            known = ", ".join(_OPTIONS_OF[name])
            raise UsageError(f"{recipe} has no --{name}.", remedy=f"Leave it out; it is for {known}.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given: see its options. ``folder`` is where a report goes."""

    recipe: str
    data: Path
    model: str
    device: str
    json_path: Path | None
    folder: Path | None
    folds: str | None
    fonts: Path | None


def _evaluate_octa_enface(asked: Asked) -> None:
    from rich.console import Console

    from core.training.evaluation.table import figure_tables
    from core.training.recipe import recipe_named
    from core.training.train import evaluate_model

    evaluation = evaluate_model(recipe_named(asked.recipe), asked.data, model=asked.model, device=asked.device)
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    for table in figure_tables(evaluation.report):
        console.print(table)
    click.echo(f"{evaluation.report.intervals}\n{evaluation.report.labels}")
    write_figures(asked.json_path, evaluation.report)
    _write_report(asked.folder, lambda: evaluation)


def _write_report(folder: Path | None, make: Callable[[], "Evaluation"]) -> None:
    """Write report.json and report.html into the folder; nothing where none was asked for."""
    from core.training.evaluation.page import write_page

    if folder is None:
        return
    evaluation = make()
    write_figures(folder / "report.json", evaluation.report)
    click.echo(f"Report: {write_page(evaluation, folder / 'report.html')}")


def _evaluate_onh(asked: Asked) -> None:
    from rich.console import Console

    from core.training.evaluation.figures import by_set, interval_text
    from core.training.onh.evaluate import evaluate_onh
    from core.training.onh.report import onh_report
    from core.training.onh.table import table_1

    evaluated = evaluate_onh(asked.data, asked.model, device=asked.device)
    found = evaluated.found
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table_1(found))
    for gathered in by_set(found.metrics):
        click.echo(f"{gathered.label}: {gathered.size}")
        for metric in gathered.figures:
            click.echo(f"  {metric.name} {interval_text(metric)}")
    click.echo(f"{found.difference}\n{found.n_left_out} images left out. {found.note}")
    write_figures(asked.json_path, found)
    _write_report(asked.folder, lambda: onh_report(evaluated))


def _evaluate_text_detector(asked: Asked) -> None:
    from core.intake.burned_in_text import WEIGHTS_FILE
    from core.training.text_detector_figures import evaluate_text_detector

    fonts = asked.fonts
    weights = WEIGHTS_FILE if asked.model == "bundled" else Path(asked.model)
    faces = sorted(fonts.rglob("*.ttf")) if fonts is not None else ()
    figures = evaluate_text_detector(asked.data, weights=weights, fonts=faces)
    for figure in figures:
        click.echo(
            f"{figure.set}: {figure.name} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}), "
            f"{figure.k} of {figure.n}"
        )
    write_figures(asked.json_path, {"figures": [figure.model_dump() for figure in figures]})


def _evaluate_coips(asked: Asked) -> None:
    from core.scoring.torch_backend.coips import Folds
    from core.training.evaluation.figures import TOO_FEW, by_set, interval_text
    from core.training.supervised.evaluate import evaluate_coips
    from core.training.supervised.report import coips_report

    recipe = asked.recipe
    if asked.model == "bundled":
        raise UsageError(f"No {recipe} model is bundled.", remedy="Train one, and give its file with --model.")
    chosen = tuple(Folds) if asked.folds is None else (Folds(asked.folds),)
    evaluated = evaluate_coips(asked.data, Path(asked.model), recipe=recipe, device=asked.device, folds=chosen)
    found = evaluated.found
    if not found.metrics:
        click.echo(f"There are no figures of {found.n_images} images: {TOO_FEW}")
    for gathered in by_set(found.metrics):
        click.echo(f"{gathered.label}: {gathered.size}")
        for metric in gathered.figures:
            click.echo(f"  {metric.name} {interval_text(metric)}")
    for figure in found.published:
        click.echo(
            f"published, {figure.task}, {figure.system}: {figure.figure} {figure.published:.2f} ({figure.place})"
        )
    click.echo(f"{found.difference}\n{found.n_left_out} images left out. {found.note}")
    write_figures(asked.json_path, found)
    _write_report(asked.folder, lambda: coips_report(evaluated))


def _evaluate_layers(asked: Asked) -> None:
    from rich.console import Console

    from core.training.evaluation.figures import by_set, interval_text
    from core.training.layers.evaluate import evaluated_layers
    from core.training.layers.report import layers_report
    from core.training.layers.table import layer_tables

    evaluated = evaluated_layers(asked.data, model=asked.model, device=asked.device)
    found = evaluated.found
    for gathered in by_set(found.metrics):
        click.echo(f"{gathered.label}: {gathered.size}")
        for metric in gathered.figures:
            click.echo(f"  {metric.name} {interval_text(metric)}")
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    for table in layer_tables(found):
        console.print(table)
    click.echo(f"{found.difference}\n{found.n_left_out} images left out: the model was trained with their subjects.")
    write_figures(asked.json_path, found)
    _write_report(asked.folder, lambda: layers_report(evaluated))


def _evaluate_bscan(asked: Asked) -> None:
    from rich.console import Console

    from core.training.bscan.evaluate import evaluated_bscans
    from core.training.bscan.report import bscan_report
    from core.training.bscan.table import evaluation_table
    from core.training.evaluation.figures import by_set, interval_text

    evaluated = evaluated_bscans(asked.data, asked.model, device=asked.device)
    found = evaluated.found
    for gathered in by_set(found.metrics):
        click.echo(f"{gathered.label}: {gathered.size}")
        for metric in gathered.figures:
            click.echo(f"  {metric.name} {interval_text(metric)}")
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(evaluation_table(found))
    click.echo(f"{found.difference}\n{found.n_left_out} scans left out. {found.note}")
    write_figures(asked.json_path, found)
    _write_report(asked.folder, lambda: bscan_report(evaluated))


def _evaluate_qunet(asked: Asked) -> None:
    from core.training.evaluation.figures import by_set, interval_text
    from core.training.qunet.evaluate import evaluate_qunet
    from core.training.qunet.report import qunet_report

    if asked.model == "bundled":
        raise UsageError("No qunet model is bundled.", remedy="Train one, and give its file with --model.")
    evaluated = evaluate_qunet(asked.data, Path(asked.model), device=asked.device)
    found = evaluated.found
    for gathered in by_set(found.metrics):
        click.echo(f"{gathered.label}: {gathered.size}")
        for metric in gathered.figures:
            click.echo(f"  {metric.name} {interval_text(metric)}")
    click.echo(f"{found.published}\n{found.n_left_out} images left out. {found.note}")
    write_figures(asked.json_path, found)
    _write_report(asked.folder, lambda: qunet_report(evaluated))


EVALUATORS: dict[str, Callable[[Asked], None]] = {
    "octa-enface": _evaluate_octa_enface,
    "text-detector": _evaluate_text_detector,
    "coips-quality": _evaluate_coips,
    "coips-faz": _evaluate_coips,
    "layers": _evaluate_layers,
    "onh-enface": _evaluate_onh,
    "bscan": _evaluate_bscan,
    "qunet": _evaluate_qunet,
}
"""Every recipe with what evaluates it."""
