"""Judges an ONH en-face model on a folder of images it has not seen, and prints the poster's Table 1 beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import UsageError
from core.scoring.card import ReportedMetric
from core.scoring.lanes.onh_input import Grouping
from core.scoring.onh_card import OnhCard
from core.scoring.published import PublishedFigure, difference_of, published_figures
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.onh_enface import OnhForward, load_network
from core.training.onh.figures import OnhJudged, coarser, judge, onh_figures
from core.training.onh.folder import read_onh_folder
from core.training.onh.publish import what_of
from core.training.onh.recipe import NAME
from core.training.progress import Progress
from core.training.supervised.evaluate import trained_with_beside, unseen_of
from core.training.supervised.parts import Placed
from core.vocabulary import ScanKind

TASK = "ONH"
"""How its tasks in published.csv begin."""
F1 = "grade F1, macro"


class TableRow(BaseModel):
    """A row of Table 1, published or ours."""

    model_config = ConfigDict(frozen=True)

    grouping: str
    system: str
    published: float | None
    ours: ReportedMetric | None


class OnhEvaluation(BaseModel):
    """What `octaudit evaluate onh-enface` writes."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    weights_sha256: str
    n_images: int
    n_left_out: int
    """Images of persons (or near duplicates of images) that the model was trained with."""
    note: str
    """What could be checked of that."""
    table: tuple[TableRow, ...]
    """Table 1: F1 by grouping of the grades."""
    metrics: tuple[ReportedMetric, ...]
    difference: str
    """Why the published figures are not the same measurement."""


@dataclass(frozen=True, slots=True)
class EvaluatedOnh:
    """The figures of a model, and what it said of every image."""

    found: OnhEvaluation
    card: OnhCard
    name: str
    """What the judged images are called in the names of sets."""
    placed: Sequence[Placed]
    judged: OnhJudged
    forward: OnhForward


def evaluate_onh(
    data: Path, model: str, *, device: str = "auto", report: Callable[[Progress], None] = lambda _: None
) -> EvaluatedOnh:
    """The figures of a model on the images of a folder that it has not seen.

    Where the manifest has a ``split`` column only its test rows count, and a row that the model was trained with is
    refused by name.

    Raises
    ------
    UsageError
        Model or folder cannot be used, test rows were trained with, or no unseen image is left.
    """
    weights = weights_path(ScanKind.ONH_ENFACE, model)
    card = OnhCard.beside(weights)
    if card.kind is not ScanKind.ONH_ENFACE:
        raise UsageError(f"{weights.name} scores {card.kind.value}.", remedy=f"Give a model of {NAME}.")
    limit_threads()
    pictures = read_onh_folder(data, report=report)
    seen, note = trained_with_beside(weights)
    correlation = card.recipe["near_duplicate_correlation"]
    assert isinstance(correlation, float)
    placed = unseen_of(pictures, seen, correlation)
    chosen = choose_device(device)
    forward = OnhForward(load_network(weights, card, chosen), chosen)
    grouping = Grouping.named(card.grouping)
    judged = judge(forward, placed, grouping, lambda done: report(Progress("Judging", done, len(placed))))
    name = f"{what_of(placed)}, unseen"
    metrics = onh_figures(judged, name, card.temperature)
    found = OnhEvaluation(
        model=card.name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        n_images=len(placed),
        n_left_out=len(pictures) - len(placed),
        note=note,
        table=tuple(table_rows(_system(card), grouping, metrics)),
        metrics=tuple(metrics),
        difference=difference_of(TASK),
    )
    return EvaluatedOnh(found, card, name, placed, judged, forward)


def table_rows(system: str, grouping: Grouping, metrics: list[ReportedMetric]) -> list[TableRow]:
    """The poster's rows, each followed by ours for the same grouping; then ours for the groupings it does not print."""
    ours = {coarse.name: _f1(metrics, coarse) for coarse in coarser(grouping)}
    rows = [
        TableRow(grouping=figure.our_set, system=figure.system, published=figure.published, ours=None)
        for figure in onh_published()
    ]
    printed = {row.grouping for row in rows}
    groupings = sorted(ours, key=lambda name: (name not in printed, -len(name)))
    return rows + [TableRow(grouping=name, system=system, published=None, ours=ours[name]) for name in groupings]


def onh_published() -> list[PublishedFigure]:
    """The rows of Table 1; ``our_set`` holds the grouping."""
    return [figure for figure in published_figures() if figure.task.startswith(TASK)]


def _f1(metrics: list[ReportedMetric], grouping: Grouping) -> ReportedMetric | None:
    return next((m for m in metrics if m.name == F1 and m.set.endswith(f"grades {grouping.name}")), None)


def _system(card: OnhCard) -> str:
    decoder = {"fpn": "FPN + ", "unet": "U-Net + "}.get(str(card.network["architecture"]), "")
    return f"{decoder}{card.network['encoder']} ({card.name} {card.version})"
