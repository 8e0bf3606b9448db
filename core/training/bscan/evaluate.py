"""Evaluates a trained B-scan model on labelled scans it has not seen, beside the published figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.errors import UsageError
from core.scoring.bscan_card import BscanCard
from core.scoring.card import ReportedMetric
from core.scoring.published_bscan import DIFFERENCE, PublishedRow, published_rows
from core.scoring.registry import weights_path
from core.scoring.torch_backend.bscan import BscanScorer
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.training.bscan.judge import JudgedBscan, figures, judge
from core.training.bscan.label import read_bscans, record_of
from core.training.bscan.recipe import BSCAN, BscanRecipe
from core.training.supervised.parts import Placed, grouped, near_duplicates
from core.training.supervised.picture import Picture
from core.training.supervised.record import Part
from core.vocabulary import ScanKind

OWN_TABLES = {"Table 2": "CM-CNN", "Table 3": "CAM-UNet", "Table 7": "CM-CNN", "Table 8": "CAM-UNet"}
"""The rows of the paper's own networks."""

UNSEEN = "unseen scans"
"""What the judged scans are called in the names of sets."""

NOTE = (
    "Scans that the model's card lists as trained with, and those of the same subject or near duplicates of them in "
    "this folder, were left out."
)


class BscanEvaluation(BaseModel):
    """What `octaudit evaluate bscan` writes."""

    model_config = ConfigDict(frozen=True)

    weights_sha256: str
    n_images: int
    n_left_out: int
    """Scans that the model was trained with, and their subjects' or near duplicates."""
    note: str
    metrics: tuple[ReportedMetric, ...]
    published: tuple[PublishedRow, ...]
    difference: str


@dataclass(frozen=True, slots=True)
class EvaluatedBscans:
    """The figures of a model, and what it said of every scan."""

    found: BscanEvaluation
    card: BscanCard
    recipe: BscanRecipe
    placed: Sequence[Placed]
    judged: Sequence[JudgedBscan]


def evaluate_bscan(data: Path, model: str, *, device: str = "auto") -> BscanEvaluation:
    """The figures alone; parameters and errors as of ``evaluated_bscans``."""
    return evaluated_bscans(data, model, device=device).found


def evaluated_bscans(
    data: Path,
    model: str,
    *,
    device: str = "auto",
    report: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> EvaluatedBscans:
    """The figures of a model (a path, or "bundled") on the scans of a folder that it has not seen.

    Raises
    ------
    UsageError
        Model or folder cannot be used, the folder names classes that the model does not know, or no scan is left.
    """
    weights = weights_path(ScanKind.BSCAN, model)
    card = BscanCard.beside(weights)
    limit_threads()
    pictures = read_bscans(data, on_read=lambda done, total: report("Checking the images", done, total))
    _refuse_other_classes(pictures, card)
    recipe = BscanRecipe.model_validate(BSCAN.model_dump() | card.recipe)
    groups = grouped(pictures, near_duplicates(pictures, recipe.near_duplicate_correlation))
    seen = set(card.trained_with)
    tainted = {group for p, group in zip(pictures, groups, strict=True) if p.pixel_sha256[:16] in seen}
    unseen = [
        Placed(picture, group, Part.TEST)
        for picture, group in zip(pictures, groups, strict=True)
        if group not in tainted and picture.record.split in {None, Part.TEST}
    ]
    if not unseen:
        raise UsageError(
            f"Of {len(pictures)} scans none is left that the model has not seen.",
            remedy="Give a folder with scans of other subjects.",
        )
    scorer = BscanScorer.load(weights, card, choose_device(device))
    judged = judge(
        scorer.outputs,
        unseen,
        recipe,
        card.classes,
        threshold=card.lesion_threshold,
        on_done=lambda done: report("Judging", done, len(unseen)),
    )
    own = tuple(row for row in published_rows() if OWN_TABLES.get(row.table) == row.system)
    found = BscanEvaluation(
        weights_sha256=card.weights_sha256,
        n_images=len(unseen),
        n_left_out=len(pictures) - len(unseen),
        note=NOTE,
        metrics=tuple(figures(judged, card.classes, UNSEEN)),
        published=own,
        difference=DIFFERENCE,
    )
    return EvaluatedBscans(found, card, recipe, unseen, judged)


def _refuse_other_classes(pictures: Sequence[Picture], card: BscanCard) -> None:
    strange = sorted({name for picture in pictures for name in record_of(picture).classes} - set(card.classes))
    if strange:
        raise UsageError(
            f"The manifest names {', '.join(strange)}; the model knows {', '.join(card.classes)}.",
            remedy="Name the classes as the model does, or leave those scans out.",
        )
