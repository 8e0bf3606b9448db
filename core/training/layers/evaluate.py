"""Evaluates a layer model on B-scans it has not seen and on phantoms, beside the thesis's figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.scoring.lanes.layer_scheme import CLASS_NAMES
from core.scoring.layers_card import LayersCard
from core.scoring.published import LAYERS_DIFFERENCE, PublishedFigure, published_figures
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.layers import LayerSegmenter
from core.training.layers.data import read_layer_folder
from core.training.layers.publish import judge_layers, judge_phantoms
from core.training.supervised.evaluate import unseen_of
from core.training.supervised.parts import Placed
from core.training.supervised.record import NOT_STATED
from core.vocabulary import LayerScheme, ScanKind

TABLE = "published_layers"


class LayersEvaluation(BaseModel):
    """What `octaudit evaluate layers` writes."""

    model_config = ConfigDict(frozen=True)

    model: str
    scheme: LayerScheme
    network: str
    weights_sha256: str
    n_images: int
    n_left_out: int
    """Images of persons (or near duplicates of images) that the model was trained with."""
    metrics: tuple[ReportedMetric, ...]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Pixels by true class (rows) and found class (columns)."""
    published: tuple[PublishedFigure, ...]
    difference: str


@dataclass(frozen=True, slots=True)
class EvaluatedLayers:
    """The figures of a model, the images that they are of, and what finds their layers."""

    found: LayersEvaluation
    segmenter: LayerSegmenter
    placed: Sequence[Placed]


def evaluate_layers(data: Path, *, model: str = "bundled", device: str = "auto") -> LayersEvaluation:
    """The figures alone; parameters and errors as of ``evaluated_layers``."""
    return evaluated_layers(data, model=model, device=device).found


def evaluated_layers(
    data: Path,
    *,
    model: str = "bundled",
    device: str = "auto",
    report: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> EvaluatedLayers:
    """The figures of a model on the images of a folder that it has not seen, and on phantoms.

    Where the manifest has a ``split`` column only its test rows count, and a row of a person whom the model was
    trained with is refused by name. ``report`` takes a stage, the images done and their number.

    Raises
    ------
    UsageError
        Model or folder cannot be used, test rows were trained with, or no unseen image is left.
    """
    weights = weights_path(ScanKind.VOLUME, model)
    card = LayersCard.beside(weights)
    limit_threads()
    pictures = read_layer_folder(
        data, card.scheme, licence=NOT_STATED, on_read=lambda done, n: report("Checking the images", done, n)
    )
    unseen = unseen_of(pictures, set(card.seen_pixels), float(str(card.recipe["near_duplicate_correlation"])))
    segmenter = LayerSegmenter.load(weights, card, choose_device(device))
    judged = judge_layers(segmenter, unseen, data, "unseen images", lambda done, n: report("Judging", done, n))
    found = LayersEvaluation(
        model=card.name,
        scheme=card.scheme,
        network=str(card.network["network"]),
        weights_sha256=card.weights_sha256,
        n_images=len(unseen),
        n_left_out=len(pictures) - len(unseen),
        metrics=(*judged.metrics, *judge_phantoms(segmenter)),
        classes=CLASS_NAMES[card.scheme],
        confusion=judged.confusion,
        published=published_beside(card),
        difference=LAYERS_DIFFERENCE,
    )
    return EvaluatedLayers(found, segmenter, unseen)


def published_beside(card: LayersCard) -> tuple[PublishedFigure, ...]:
    """The thesis's figures to print beside a model's: of the whole retina, and of layers where it has layers."""
    figures = published_figures(TABLE)
    if card.scheme is LayerScheme.RETINA:
        return tuple(figure for figure in figures if figure.task == "whole retina")
    return figures
