"""Evaluates a trained QU-Net++ on annotated images that it has not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import UsageError
from core.scoring.card import ReportedMetric
from core.scoring.qunet_card import QuNetCard
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.qunet import LevelReader
from core.training.qunet.publish import judge
from core.training.qunet.slices import read_slices
from core.training.supervised.evaluate import trained_with_beside, unseen_of
from core.training.supervised.parts import Placed


class QuNetEvaluation(BaseModel):
    """What `octaudit evaluate qunet` writes."""

    model_config = ConfigDict(frozen=True)

    weights_sha256: str
    n_images: int
    n_left_out: int
    """Images of persons (or near duplicates of images) that the model was trained with."""
    note: str
    metrics: tuple[ReportedMetric, ...]
    published: str = (
        "Published (Roychowdhury 2021): Dice 0.56 to 0.72 on cysts and ground-glass opacity. Other images and other "
        "classes: no like-for-like comparison."
    )


@dataclass(frozen=True, slots=True)
class EvaluatedQuNet:
    """The figures of a model, the images that they are of, and what reads them."""

    found: QuNetEvaluation
    card: QuNetCard
    reader: LevelReader
    placed: Sequence[Placed]


def evaluate_qunet(
    data: Path,
    model: Path,
    *,
    device: str = "auto",
    report: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> EvaluatedQuNet:
    """Overlap and Q on the images of a folder that the model has not seen.

    Raises
    ------
    UsageError
        Model or folder cannot be used, its masks have other grey levels, or no unseen image is left.
    """
    card = QuNetCard.beside(model)
    limit_threads()
    folder = read_slices(data, lambda done, total: report("Checking the images", done, total))
    if not set(folder.levels) <= set(card.mask_levels):
        raise UsageError(
            f"The masks of {data} hold the grey levels {_listed(folder.levels)}, the model knows "
            f"{_listed(card.mask_levels)}.",
            remedy="Give masks with the grey levels that the model was trained with.",
        )
    annotated = folder.annotated
    if not annotated:
        raise UsageError(f"No image in {data} has a mask.", remedy="Give a folder in which some have one.")
    seen, note = trained_with_beside(model)
    unseen = unseen_of(annotated, seen, float(card.recipe["near_duplicate_correlation"]))
    reader = LevelReader.load(model, card, choose_device(device))
    found = QuNetEvaluation(
        weights_sha256=card.weights_sha256,
        n_images=len(unseen),
        n_left_out=len(annotated) - len(unseen),
        note=note,
        metrics=tuple(judge(reader, unseen, card.mask_levels)),
    )
    return EvaluatedQuNet(found, card, reader, unseen)


def _listed(levels: tuple[int, ...]) -> str:
    return ", ".join(str(level) for level in levels) or "none"
