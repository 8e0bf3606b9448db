"""`octaudit train`: fit a recipe on a folder of images and write weights with their model card."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from core.errors import UsageError

OCTA_ENFACE = "octa-enface"
TABLE_WIDTH = 140
"""Columns of the tables where stdout is no terminal."""


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of training images.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for weights, card and figures.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the --out folder.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed than the recipe's.")
@click.option(
    "--init", "--from", "start_from", type=click.Path(path_type=Path), help="Begin with these weights (.safetensors)."
)
@click.option(
    "--keep-network",
    is_flag=True,
    help="octa-enface with --init (a file, or bundled): fit scan heads, calibration and figures alone, in minutes. "
    "layers: fit the levels alone.",
)
@click.option(
    "--second-look",
    is_flag=True,
    help="octa-enface with --keep-network: train second look and finder of the FAZ on that network first.",
)
@click.option("--steps", type=click.IntRange(min=1), help="octa-enface: fewer or more steps than the recipe has.")
@click.option("--epochs", type=click.IntRange(min=1), help="All but octa-enface: at most so many epochs.")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Stop early: after so many epochs (octa-enface: steps) without a lower validation loss.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="All but octa-enface: images per batch.")
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), help="All but octa-enface: first learning rate."
)
@click.option("--image-size", type=click.IntRange(min=32), help="All but octa-enface: size of the input in pixels.")
@click.option("--backbone", help="coips-quality: a published backbone or any other name that timm knows.")
@click.option("--folds", type=click.IntRange(min=2), help="coips-faz: number of folds of the cross-validation.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting; repeatable.")
@click.option("--licence", help="Licence of the images whose rows name none; goes into the model card.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), help="Auto is bf16 on CUDA, fp32 on a CPU.")
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    help="onh-enface: no model, but joint and single task trained with so many seeds and compared. bscan-tables: so "
    "many trainings of every row. qunet-tables: so many runs (20).",
)
@click.option(
    "--pair",
    type=click.Choice(["same-encoder", "poster"]),
    help="onh-enface with --seeds: what is compared. [default: same-encoder]",
)
@click.option("--workers", type=click.IntRange(min=0), help="Processes that read images.")
def command(recipe: str, **options: Any) -> None:
    """Train RECIPE and write its weights (.safetensors), model card (.json), metrics (.csv) and curves (.png).

    RECIPE, and what --data holds (docs/training.md shows each folder and lists the settings):

    \b
      octa-enface     OCTA en face, the joint network: sets with FAZ masks or grades, and pools
                      (octa-enface-2.2, -2.4, -2.5: as that version is made)
      coips-quality   grade, any timm backbone: manifest.csv with file, subject, grade
      coips-faz       FAZ, U-Net in five folds: manifest.csv with file, subject, mask
      onh-enface      optic nerve head, grade and masks: manifest.csv with both
      bscan           class and lesions of B-scans: manifest.csv with class and masks
      layers          retinal layers: manifest.csv, or images/ and masks/
      qunet           which images to annotate next: the same, few masks are enough
      bscan-tables, qunet-tables   no model, but the papers' comparisons trained and printed

    The folder is checked first and every fault named. Parts are made by subject and near-duplicate group; the
    figures in the card are those of the part that nothing else touched. A training that was stopped, even killed, goes
    on with --resume and ends in the same weights.

    Published backbones: ResNet-101, Inception-V3, EfficientNet-B7, SE-ResNeXt-101, Swin-L. As published their last
    layer alone is trained, on weights that you give with --init; nothing is ever downloaded. Without such weights
    train every layer: --set trained_layers=all.

    \b
    Examples:
      octaudit train octa-enface --data ../shared/data --out runs/octa-enface
      octaudit train octa-enface --data ../shared/data --out runs/octa-enface --resume
      octaudit train octa-enface --data graded/ --out runs/own-grades --init bundled --keep-network
      octaudit train octa-enface --data DIR --out runs/own-zones --init bundled --keep-network --second-look
      octaudit train octa-enface-2.2 --data ../shared/data --out runs/2.2 --init bundled --keep-network
      octaudit train coips-quality --data scans/ --out runs/quality --backbone Swin-L --init swin.safetensors
      octaudit train coips-quality --data scans/ --out runs/small --backbone resnet18 --set trained_layers=all
      octaudit train layers --data bscans/ --out runs/layers --set network=fcn_resnet101 --set scheme=five
      octaudit train layers --data bscans/ --out runs/levels --init runs/layers/layers.safetensors --keep-network
      octaudit train onh-enface --data onh/ --out runs/onh --set architecture=unet --set encoder=efficientnet-b0
      octaudit train onh-enface --data onh/ --out runs/table-1 --seeds 5
      octaudit train bscan --data bscans/training --out runs/bscan --set networks=end-to-end
      octaudit train bscan-tables --data bscans/training --out runs/tables --seeds 5
      octaudit train qunet --data bscans/ --out runs/qunet
      octaudit train qunet-tables --data bscans/ --out runs/qunet-tables --seeds 20
      octaudit train coips-faz --data faz/ --out runs/faz --batch-size 8 --epochs 100 --licence "CC BY 4.0"
    """
    given = {name: value for name, value in options.items() if value not in (None, ()) and value is not False}
    if recipe not in TRAINERS:
        known = ", ".join(sorted(TRAINERS))
        raise UsageError(f"There is no recipe {recipe!r}.", remedy=f"Choose one of: {known}.")
    TRAINERS[recipe](recipe, given)


def _train_octa_enface(recipe: str, given: dict[str, Any]) -> None:
    from core.scoring.torch_backend.device import choose_device, wants_bf16
    from core.training.recipe import recipe_named
    from core.training.train import refit, train

    if "keep_network" in given:
        with_look = {"second_look", "resume", "patience"} if "second_look" in given else {"second_look"}
        _refuse_others(recipe, given, {"data", "out", "device", "start_from", "keep_network"} | with_look)
        if "start_from" not in given:
            raise UsageError("--keep-network keeps the network of --init.", remedy="Add --init FILE or --init bundled.")
        with _bars() as report:
            written = refit(
                recipe_named(recipe).changed(patience=given.get("patience")),
                given["data"],
                given["out"],
                start_from=str(given["start_from"]),
                second_look="second_look" in given,
                device=given["device"],
                resume=given.get("resume", False),
                report=report,
            )
        _say_written(written.weights, written.card.metrics)
        return
    known = {"data", "out", "resume", "device", "seed", "start_from", "steps", "precision", "patience"}
    _refuse_others(recipe, given, known)
    in_bf16 = wants_bf16(given["precision"], choose_device(given["device"])) if "precision" in given else None
    changes = {"n_steps": given.get("steps"), "seed": given.get("seed"), "patience": given.get("patience")}
    chosen = recipe_named(recipe).changed(**changes, in_bf16=in_bf16)
    with _bars() as report:
        written = train(
            chosen,
            given["data"],
            given["out"],
            device=given["device"],
            resume=given.get("resume", False),
            start_from=given.get("start_from"),
            report=report,
        )
    _say_written(written.weights, written.card.metrics)


_SETTINGS = {
    "seed": "seed",
    "epochs": "epochs",
    "patience": "patience",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "image_size": "image_px",
    "backbone": "backbone",
    "folds": "n_folds",
}
"""Options that stand for a setting of the recipe."""


def _train_coips(recipe: str, given: dict[str, Any]) -> None:
    from core.training.supervised.recipe import supervised_recipe
    from core.training.supervised.run import train_supervised

    _train_supervised(recipe, given, partial(supervised_recipe, recipe), train_supervised)


def _train_layers(recipe: str, given: dict[str, Any]) -> None:
    from core.scoring.registry import weights_path
    from core.training.layers.recipe import layers_recipe
    from core.training.layers.train import add_levels, levels_recipe, train_layers
    from core.vocabulary import ScanKind

    if "keep_network" not in given:
        _train_supervised(recipe, given, layers_recipe, train_layers)
        return
    if "start_from" not in given:
        raise UsageError("--keep-network keeps the network of --init.", remedy="Add --init FILE or --init bundled.")
    weights = weights_path(ScanKind.VOLUME, str(given["start_from"]))
    kept = {name: value for name, value in given.items() if name != "keep_network"} | {"start_from": weights}
    _train_supervised(recipe, kept, partial(levels_recipe, weights), add_levels)


def _train_onh(recipe: str, given: dict[str, Any]) -> None:
    from core.training.onh.recipe import onh_recipe
    from core.training.onh.run import train_onh

    if "seeds" in given:
        _compare_onh(given)
    else:
        _train_supervised(recipe, given, onh_recipe, train_onh)


def _train_bscan(recipe: str, given: dict[str, Any]) -> None:
    from core.training.bscan.recipe import BSCAN
    from core.training.bscan.run import train_bscan

    _train_supervised(recipe, given, BSCAN.changed, train_bscan)


def _train_bscan_tables(recipe: str, given: dict[str, Any]) -> None:
    """Every row of paper 003's tables that can be trained: no card, but tables and differences."""
    from rich.console import Console

    from core.training.bscan.table import comparison_tables
    from core.training.bscan.tables import BSCAN_TABLES, train_tables
    from core.training.supervised.run import Request

    _refuse_others(recipe, given, set(given) - {"steps", "keep_network", "pair", "start_from", "licence"})
    settings = _given_settings(given) | ({"n_seeds": given["seeds"]} if "seeds" in given else {})
    request = Request(
        BSCAN_TABLES.changed(settings),
        given["data"],
        given["out"],
        device=given["device"],
        resume=given.get("resume", False),
        **_machine_settings(given),
    )
    with _bars() as report:
        found = train_tables(request, report)
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    for table in comparison_tables(found):
        console.print(table)
    click.echo(f"{found.n_test} test scans in {found.n_test_groups} groups, of {', '.join(found.sources)}.")
    for difference in found.differences:
        click.echo(difference.words)
    click.echo(found.published)


def _train_qunet(recipe: str, given: dict[str, Any]) -> None:
    from core.training.qunet.recipe import qunet_recipe
    from core.training.qunet.run import train_qunet

    _train_supervised(recipe, given, qunet_recipe, train_qunet)


def _train_qunet_tables(recipe: str, given: dict[str, Any]) -> None:
    """Chosen against random slices, run after run: no card, but a table, differences and a curve."""
    from core.training.qunet.run import compare_choices
    from core.training.qunet.table import CURVE_NAME

    known = {"data", "out", "resume", "device", "settings", "seeds", "precision", "workers", *_SETTINGS} - {"folds"}
    _refuse_others(recipe, given, known)
    settings = _given_settings(given)
    machine = {"device": given["device"], **_machine_settings(given)}
    with _bars() as report:
        found = compare_choices(
            settings, given["data"], given["out"], n_runs=given.get("seeds", 20), report=report, **machine
        )
    for line in found.lines:
        click.echo(line)
    click.echo(f"Curve: {given['out'] / CURVE_NAME}")


def _compare_onh(given: dict[str, Any]) -> None:
    """Joint against single task: needs no card, and prints the differences."""
    from core.training.onh.compare import COMPARISON_NAME, Pair, compare_tasks, comparison_lines, write_comparison
    from core.training.onh.recipe import onh_recipe
    from core.training.supervised.run import Request, machine_for

    recipe = onh_recipe(_given_settings(given))
    pair = Pair.poster(recipe) if given.get("pair") == "poster" else Pair.same_encoder(recipe)
    machine = machine_for(
        Request(recipe, given["data"], given["out"], device=given["device"], **_machine_settings(given))
    )
    seeds = tuple(range(1, given["seeds"] + 1))
    with _bars() as report:
        found = compare_tasks(pair, given["data"], given["out"], seeds=seeds, machine=machine, report=report)
    write_comparison(found, given["out"] / COMPARISON_NAME)
    for line in comparison_lines(found):
        click.echo(line)


_OF_COMPARISON = ("seeds", "pair")
"""Options of onh-enface alone."""


def _given_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The recipe's settings among the options."""
    settings: dict[str, Any] = dict(_key_and_value(text) for text in given.get("settings", ()))
    return settings | {setting: given[option] for option, setting in _SETTINGS.items() if option in given}


def _machine_settings(given: dict[str, Any]) -> dict[str, Any]:
    """How precisely and with how many reading processes, where the user says so."""
    options = {"precision": "precision", "workers": "n_workers"}
    return {field: given[option] for option, field in options.items() if option in given}


def _train_supervised(
    recipe: str, given: dict[str, Any], make: Callable[[dict[str, Any]], Any], train: Callable[..., Any]
) -> None:
    """Train a recipe of the general trainer: ``make`` takes its settings, ``train`` a Request and a report."""
    from core.training.supervised.record import NOT_STATED
    from core.training.supervised.run import Request

    _refuse_others(recipe, given, set(given) - {"steps", "keep_network", *_OF_COMPARISON})
    optional = {"licence": "licence", "start_from": "init"}
    request = Request(
        make(_given_settings(given)),
        given["data"],
        given["out"],
        device=given["device"],
        resume=given.get("resume", False),
        **_machine_settings(given),
        **{field: given[option] for option, field in optional.items() if option in given},
    )
    with _bars() as report:
        written = train(request, report)
    if any(data.licence == NOT_STATED for data in written.card.data):
        click.echo("The licence of the images is not stated, and the card says so; state it with --licence.", err=True)
    _say_written(written.weights, written.card.metrics)


def _key_and_value(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set {text} has no value.", remedy="Write --set KEY=VALUE, for example --set patience=40.")
    return key.strip().replace("-", "_"), value.strip()


def _refuse_others(recipe: str, given: dict[str, Any], known: set[str]) -> None:
    names = {"settings": "set", "start_from": "init"}
    others = [f"--{names.get(name, name).replace('_', '-')}" for name in sorted(set(given) - known)]
    if others:
        raise UsageError(
            f"{recipe} has no {', '.join(others)}.", remedy="octaudit train --help says which options are whose."
        )


def _say_written(weights: Path, metrics: Any) -> None:
    from core.training.evaluation.figures import TOO_FEW

    click.echo(f"Wrote {weights} and its card.")
    if not metrics:
        click.echo(f"The card holds no figures: {TOO_FEW}")
    for metric in metrics:
        click.echo(f"  {metric.set}: {metric.name} {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})")


@contextmanager
def _bars() -> Iterator[Callable[[Any], None]]:
    """A bar per stage on stderr; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("{task.fields[caption]}"), console=Console(stderr=True), disable=not sys.stderr.isatty()
    ) as bars:
        stages: dict[str, Any] = {}

        def report(progress: Any) -> None:
            if progress.stage not in stages:
                stages[progress.stage] = bars.add_task(progress.stage, total=progress.total, caption="")
            bars.update(stages[progress.stage], completed=progress.done, caption=progress.caption)

        yield report


TRAINERS: dict[str, Callable[[str, dict[str, Any]], None]] = {
    OCTA_ENFACE: _train_octa_enface,
    "octa-enface-2.5": _train_octa_enface,
    "octa-enface-2.4": _train_octa_enface,
    "octa-enface-2.2": _train_octa_enface,
    "coips-quality": _train_coips,
    "coips-faz": _train_coips,
    "layers": _train_layers,
    "onh-enface": _train_onh,
    "bscan": _train_bscan,
    "bscan-tables": _train_bscan_tables,
    "qunet": _train_qunet,
    "qunet-tables": _train_qunet_tables,
}
"""Every recipe with what trains it; takes the recipe's name and the options that were given."""
