"""Evaluates a trained COIPS model on labelled images it has not seen, and says which it left out because it has."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import UsageError
from core.scoring.card import ReportedMetric
from core.scoring.coips_card import CoipsCard
from core.scoring.published import PublishedFigure, published_figures
from core.scoring.torch_backend.coips import Folds
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.training.supervised.judge import Judged, judge_model, judged_figures
from core.training.supervised.manifest import read_records
from core.training.supervised.parts import SPLITS_NAME, Placed, grouped, near_duplicates
from core.training.supervised.picture import Picture, read_pictures
from core.training.supervised.recipe import PUBLISHED_BACKBONES
from core.training.supervised.record import Label, Part

MAX_LEAKS_SHOWN = 10
UNSEEN = "unseen images"
"""What the judged images are called in the names of sets."""

_TASKS = {"coips-quality": "grade", "coips-faz": "FAZ"}
"""How the tasks of published.csv begin."""

DIFFERENCES = {
    "coips-quality": (
        "Published: superficial images of one device model (Topcon DRI Triton), graded by ophthalmologists, weights "
        "from ImageNet; each figure is the mean over a testing, an internal and an external set. These images, labels "
        "and parts are others: no like-for-like comparison. Ours are unweighted means over the classes; the paper does "
        "not say how it averaged."
    ),
    "coips-faz": (
        "Published: 708 (superficial) and 800 (deep) images trained on, 304 and 343 tested (Table 4), one device model "
        "(Topcon DRI Triton); the paper contradicts itself on the field of the deep ones. These images, masks and "
        "parts are others: no like-for-like comparison."
    ),
}


class CoipsEvaluation(BaseModel):
    """What `octaudit evaluate` writes for a COIPS model."""

    model_config = ConfigDict(frozen=True)

    recipe: str
    weights_sha256: str
    folds: tuple[Folds, ...]
    n_images: int
    n_left_out: int
    """Images of persons (or near duplicates of images) that the model was trained with."""
    note: str
    """What could be checked of that."""
    metrics: tuple[ReportedMetric, ...]
    published: tuple[PublishedFigure, ...]
    """The paper's own figures of the same task and, where it had this one, of the same backbone."""
    difference: str
    """Why the two are not the same measurement."""


@dataclass(frozen=True, slots=True)
class EvaluatedCoips:
    """The figures of a model, and what it said of every image."""

    found: CoipsEvaluation
    card: CoipsCard
    judged: Judged


def evaluate_coips(
    data: Path,
    model: Path,
    *,
    recipe: str,
    device: str = "auto",
    folds: Sequence[Folds] = tuple(Folds),
    report: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> EvaluatedCoips:
    """The figures of a model on the images of a folder that it has not seen.

    Where the manifest has a ``split`` column only its test rows count, and a row that the model was trained with is
    refused by name. ``report`` takes a stage, the images done and their number.

    Raises
    ------
    UsageError
        Model or folder cannot be used, test rows were trained with, or no unseen image is left.
    """
    card = CoipsCard.beside(model)
    if card.recipe_name != recipe:
        raise UsageError(f"{model.name} was trained by {card.recipe_name}, not by {recipe}.", remedy="Name its recipe.")
    limit_threads()
    records = read_records(data, Label.GRADE if recipe == "coips-quality" else Label.MASK)
    pictures = read_pictures(data, records, on_read=lambda done: report("Checking the images", done, len(records)))
    trained_with, note = trained_with_beside(model)
    unseen = unseen_of(pictures, trained_with, float(card.recipe["near_duplicate_correlation"]))
    judged = judge_model(
        model,
        card,
        unseen,
        choose_device(device),
        folds=folds,
        report=lambda done, total: report("Judging", done, total),
    )
    found = CoipsEvaluation(
        recipe=recipe,
        weights_sha256=card.weights_sha256,
        folds=() if recipe == "coips-quality" else tuple(folds),
        n_images=len(unseen),
        n_left_out=len(pictures) - len(unseen),
        note=note,
        metrics=tuple(judged_figures(judged, UNSEEN)),
        published=published_beside(card),
        difference=DIFFERENCES[recipe],
    )
    return EvaluatedCoips(found, card, judged)


def published_beside(card: CoipsCard) -> tuple[PublishedFigure, ...]:
    """The paper's figures to print beside a model's: those of its backbone, or of all five where it has another."""
    figures = [figure for figure in published_figures() if figure.task.startswith(_TASKS[card.recipe_name])]
    backbone = PUBLISHED_BACKBONES.get(str(card.network.get("backbone")))
    own = [figure for figure in figures if backbone is not None and figure.system == backbone.paper_name]
    return tuple(own or figures)


def trained_with_beside(model: Path) -> tuple[set[str], str]:
    """Pixel hashes of what was trained with or watched, from the splits beside the model; and what that is worth."""
    path = model.with_name(SPLITS_NAME)
    if not path.is_file():
        return set(), f"There is no {SPLITS_NAME} beside the model: images that it was trained with cannot be told."
    with path.open(newline="", encoding="utf-8") as file:
        seen = {row["pixel_sha256"] for row in csv.DictReader(file) if row["part"] != Part.TEST}
    return seen, (
        f"Images that {SPLITS_NAME} lists for training, and those of the same subject or near duplicates of them in "
        "this folder, were left out."
    )


def unseen_of(pictures: Sequence[Picture], trained_with: set[str], correlation: float) -> list[Placed]:
    """The images to judge on, with their groups."""
    groups = grouped(pictures, near_duplicates(pictures, correlation))
    tainted = {group for p, group in zip(pictures, groups, strict=True) if p.pixel_sha256 in trained_with}
    has_split = any(picture.record.split is not None for picture in pictures)
    chosen = [
        Placed(picture, group, Part.TEST)
        for picture, group in zip(pictures, groups, strict=True)
        if not has_split or picture.record.split is Part.TEST
    ]
    if has_split:
        _refuse_trained(chosen, tainted)
    unseen = [item for item in chosen if item.group not in tainted]
    if not unseen:
        raise UsageError(
            f"Of {len(pictures)} images none is left that the model has not seen.",
            remedy="Give a folder with images of other subjects.",
        )
    return unseen


def _refuse_trained(chosen: Sequence[Placed], tainted: set[str]) -> None:
    """Refuse a test row whose subject or picture the model was trained with."""
    leaks = [
        f"{item.picture.record.file} (subject {item.picture.record.subject})"
        for item in chosen
        if item.group in tainted
    ]
    if leaks:
        more = f" and {len(leaks) - MAX_LEAKS_SHOWN} more" if len(leaks) > MAX_LEAKS_SHOWN else ""
        raise UsageError(
            f"The model was trained with these test images, their subjects or near duplicates of them: "
            f"{', '.join(leaks[:MAX_LEAKS_SHOWN])}{more}.",
            remedy="Take them out of the test rows: figures on them would say nothing.",
        )
