"""`octaudit select`: the smallest set of images to annotate next (QU-Net++), as a CSV."""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import UsageError

if TYPE_CHECKING:
    from core.training.qunet.run import Selection
    from core.training.qunet.select import Candidate
    from core.values import Measure

COLUMNS = (
    "rank", "file", "subject", "source", "standing", "q", "blurriness", "psnr_inverse", "cov", "mean", "like", "note",
)  # fmt: skip


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of images, some with a mask.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The list to write, FILE.csv.")
@click.option("--model", type=click.Path(path_type=Path), help="Ask this QU-Net++ instead of training one.")
@click.option("--share", type=click.FloatRange(0, 1, min_open=True), help="Annotate at most this share of all images.")
@click.option("--q0", type=click.FloatRange(0, 1), help="An image whose Q lies below lacks training.  [default: 0.8]")
@click.option("--region", type=click.Choice(["band", "field"]), help="band: B-scans (default); field: en-face images.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another setting of qunet; repeatable.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
def command(
    *,
    data: Path,
    out: Path,
    model: Path | None,
    share: float | None,
    q0: float | None,
    region: str | None,
    settings: tuple[str, ...],
    device: str,
) -> None:
    """Say which images of a folder to annotate next, so that few annotations teach much (QU-Net++, Algorithm 1).

    Where nothing is annotated yet, the first set is chosen by image indices alone: sharp, quiet images that differ
    from each other, fewer than ten per source. Annotate them, put the masks into the folder, and run it again: a
    network is trained on what is annotated, and the images on which its last two levels disagree (Q below --q0) come
    next, the least agreed upon first. A stopped training goes on when it is run again, and with more masks it goes on
    from the weights of the round before. Weights, card and curves lie in FILE-qunet/ beside the list.

    The folder holds a manifest.csv (file, subject; mask where there is one) or images/ and masks/ with the same file
    names. Masks are label maps: 0 background, every other grey level a class. docs/training.md says more.

    \b
    Examples:
      octaudit select --data bscans/ --out next.csv
      octaudit select --data bscans/ --out next.csv --share 0.15 --set image_px=128 --set base_channels=16
      octaudit select --data bscans/ --out next.csv --model runs/qunet/qunet.safetensors
    """
    from core.training.qunet.recipe import qunet_recipe
    from core.training.qunet.run import Order, select_images

    chosen: dict[str, Any] = dict(_key_and_value(text) for text in settings)
    chosen |= {name: value for name, value in (("q0", q0), ("region", region)) if value is not None}
    if out.suffix.lower() != ".csv":
        raise UsageError(f"--out {out} is no .csv file.", remedy="Write --out next.csv.")
    recipe = qunet_recipe(chosen)
    work = out.with_name(f"{out.stem}-qunet")
    with _bars() as report:
        selection = select_images(Order(recipe, data, work, model, share, device), report)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(_row(candidate) for candidate in _in_order(selection))
    click.echo(_summary(selection, out))


def _in_order(selection: "Selection") -> "list[Candidate]":
    """Those to annotate first, in their order; the others as the folder lists them."""
    wanted = selection.wanted
    return [*wanted, *(candidate for candidate in selection.candidates if candidate.rank is None)]


def _row(candidate: "Candidate") -> list[str]:
    record, indices = candidate.picture.record, candidate.indices
    measures = (candidate.q, indices.blurriness, indices.psnr_inverse, indices.cov, indices.mean)
    notes = dict.fromkeys(_reason(measure) for measure in measures if _reason(measure))
    return [
        "" if candidate.rank is None else str(candidate.rank),
        record.file,
        record.subject,
        record.source,
        candidate.standing.value,
        *(_number(measure) for measure in measures),
        "" if candidate.like is None else candidate.like.record.file,
        "; ".join(notes),
    ]


def _number(measure: "Measure") -> str:
    from core.values import Measured

    return f"{measure.value:.6g}" if isinstance(measure, Measured) else ""


def _reason(measure: "Measure") -> str:
    from core.values import NotComputable

    return measure.reason if isinstance(measure, NotComputable) else ""


def _summary(selection: "Selection", out: Path) -> str:
    total, n_wanted, n_annotated = len(selection.candidates), len(selection.wanted), selection.n_annotated
    share = (n_wanted + n_annotated) / total
    if selection.step == 1:
        return (
            f"First set: annotate {n_wanted} of {total} images ({share:.0%}), then run this again. Wrote {out}.\n"
            f"Put each mask into the folder under the name that its manifest (or masks/) gives it."
        )
    if not n_wanted:
        return f"Nothing more to annotate: no image lacks training ({n_annotated} of {total} have a mask). Wrote {out}."
    return (
        f"Annotate {n_wanted} more of {total} images; with the {n_annotated} that have a mask that makes {share:.0%}. "
        f"Wrote {out}, asked {selection.weights}."
    )


def _key_and_value(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--set {text} has no value.", remedy="Write --set KEY=VALUE, for example --set epochs=100.")
    return key.strip().replace("-", "_"), value.strip()


@contextmanager
def _bars() -> "Iterator[Callable[[Any], None]]":
    """A bar per stage on stderr; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bars:
        stages: dict[str, Any] = {}

        def report(progress: Any) -> None:
            if progress.stage not in stages:
                stages[progress.stage] = bars.add_task(progress.stage, total=progress.total)
            bars.update(stages[progress.stage], completed=progress.done)

        yield report
