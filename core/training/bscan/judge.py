"""Judges B-scan networks on scans they have not seen: the figures of paper 003's tables, each with an interval.

Phantoms, real scans with simulated lesions and real scans are never pooled: each source has figures of its own, with
its own numbers. Where lesions lie is known of so few real scans of a source that those of all real sources are also
taken together, named as such.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from core.measures.retina_band import retina_band
from core.scoring.card import ReportedMetric
from core.scoring.lanes.bscan import BscanOutput, without_speckle
from core.statistics.agreement import cohen_kappa
from core.statistics.classification import accuracy, area_under_roc, confusion_matrix
from core.training.bscan.label import record_of
from core.training.bscan.recipe import BscanRecipe
from core.training.bscan.samples import BscanSamples
from core.training.evaluation.figures import Sample, Topic
from core.training.supervised.parts import Placed
from core.training.supervised.samples import Draw

BATCH = 8
MET_FROM = 0.2
"""A drawn lesion is met where the mask covers at least this share of it."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class JudgedBscan:
    """One scan: what was said, and what is true."""

    group: str
    source: str
    probabilities: NDArray[np.float64]  # (K,)
    possible: NDArray[np.bool_]  # (K,) classes that are right
    predicted: Mask  # (S, S), all lesions as one
    truth: Mask | None  # (S, S); None: nobody drew it
    retina_share: float  # of the picture, as core.measures.retina_band finds it; 0 where it finds none

    @property
    def chosen(self) -> int:
        """The likeliest class."""
        return int(self.probabilities.argmax())

    @property
    def is_right(self) -> bool:
        """Whether it is among the possible ones."""
        return bool(self.possible[self.chosen])

    @property
    def is_certain(self) -> bool:
        """Whether one class only is right."""
        return int(self.possible.sum()) == 1


Ask = Callable[[NDArray[np.uint8]], list[BscanOutput]]
"""Networks as the scorer asks them: canvases (n, S, S) to outputs."""


def judge(
    ask: Ask,
    placed: Sequence[Placed],
    recipe: BscanRecipe,
    classes: Sequence[str],
    *,
    threshold: float = 0.5,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[JudgedBscan]:
    """What the networks say of these scans, on the square that they see (the paper's figures are of 512 x 512 too)."""
    pictures = [item.picture for item in placed]
    samples = BscanSamples(pictures, recipe, classes)
    judged: list[JudgedBscan] = []
    for start in range(0, len(placed), BATCH):
        batch = range(start, min(start + BATCH, len(placed)))
        read = [samples[Draw(index)] for index in batch]
        canvases = np.stack([_levels(image) for image, _ in read])
        for index, (_, label), output in zip(batch, read, ask(canvases), strict=True):
            record = record_of(pictures[index])
            judged.append(
                JudgedBscan(
                    group=placed[index].group,
                    source=record.source,
                    probabilities=output.probabilities.astype(np.float64),
                    possible=label.possible.numpy() > 0,
                    predicted=without_speckle(output.lesions.max(axis=0) >= threshold),
                    truth=label.masks.numpy().max(axis=0) > 0 if record.is_mask_known else None,
                    retina_share=float(retina_band(canvases[index - start]).mean()),
                )
            )
        on_done(len(judged))
    return judged


def figures(judged: Sequence[JudgedBscan], classes: Sequence[str], name: str) -> list[ReportedMetric]:
    """Every figure, source by source."""
    found: list[ReportedMetric] = []
    for source in sorted({item.source for item in judged}):
        own = [item for item in judged if item.source == source]
        label = f"{name}, {source or 'no source named'}"
        found += class_figures_of(own, classes, label)
        found += lesion_figures_of(own, label)
    real = [item for item in judged if not is_simulated(item.source)]
    if len({item.source for item in real}) > 1:
        found += lesion_figures_of(real, f"{name}, all real sources")
    return found


def is_simulated(source: str) -> bool:
    """Whether the lesions, or the whole scans, of a source are simulated, by its name."""
    return "phantom" in source or "simulated" in source


def class_figures_of(judged: Sequence[JudgedBscan], classes: Sequence[str], label: str) -> list[ReportedMetric]:
    """Share of right classes; of scans with one true class accuracy, kappa and each class against the rest."""
    everyone = Sample(Topic.BSCAN_CLASS, label, tuple(item.group for item in judged))
    right = np.array([item.is_right for item in judged], bool)
    found = everyone.share("class among the possible ones", right, min_images=1)
    certain = [item for item in judged if item.is_certain]
    if not certain:
        return found
    truth = np.array([int(item.possible.argmax()) for item in certain], np.int64)
    probabilities = np.stack([item.probabilities for item in certain])

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        return class_statistics(truth[index], probabilities[index], classes)

    return found + Sample(Topic.BSCAN_CLASS, label, tuple(item.group for item in certain)).figures(statistic)


def class_statistics(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> dict[str, float | None]:
    """The figures of Tables 2, 5 and 7 from true classes (n,) and probabilities (n, K)."""
    chosen = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, chosen, len(classes))
    found: dict[str, float | None] = {
        "accuracy": accuracy(confusion),
        "kappa": cohen_kappa(truth, chosen, len(classes)),
    }
    for place, name in enumerate(classes):
        is_it, said = truth == place, chosen == place
        found |= {
            f"{name}: AUC": area_under_roc(probabilities[:, place], is_it),
            f"{name}: sensitivity": _share(said, is_it),
            f"{name}: specificity": _share(~said, ~is_it),
            f"{name}: accuracy of the class": float((said == is_it).mean()),
        }
    return found


def lesion_figures_of(judged: Sequence[JudgedBscan], label: str) -> list[ReportedMetric]:
    """Tables 3, 6 and 8 on pathological scans whose lesions are drawn; and what is marked on normal and other scans."""
    drawn = [item for item in judged if item.truth is not None and item.truth.any()]
    normal = [item for item in judged if item.truth is not None and not item.truth.any()]
    found: list[ReportedMetric] = []
    if drawn:
        columns = lesion_columns(drawn) | {
            "share of the drawn lesions that are met": [share_met(item) for item in drawn],
            "marked area over the retina's, scans with a lesion": [_of_retina(item) for item in drawn],
        }
        found = Sample(Topic.BSCAN_LESION, label, tuple(item.group for item in drawn)).means(columns)
    if normal:
        marked = {
            "marked area on normal scans, whatever their class": [float(item.predicted.mean()) for item in normal],
            "marked area on normal scans, as shown": [
                float(item.predicted.mean()) if item.chosen else 0.0 for item in normal
            ],
            "marked area over the retina's, normal scans": [_of_retina(item) for item in normal],
        }
        found += Sample(Topic.BSCAN_LESION, label, tuple(item.group for item in normal)).means(marked)
    return found


def share_met(item: JudgedBscan) -> float:
    """Share (0..1) of a scan's drawn lesions, each a connected region, that the mask covers to a fifth or more."""
    assert item.truth is not None, "asked only where lesions are drawn"
    labels, n_lesions = ndimage.label(item.truth)
    covered = ndimage.mean(item.predicted, labels, np.arange(1, n_lesions + 1))
    return float((np.asarray(covered) >= MET_FROM).mean())


def _of_retina(item: JudgedBscan) -> float:
    """The mask's area over the retina's; over the picture's where no retina was found."""
    return float(item.predicted.mean()) / (item.retina_share or 1.0)


def lesion_columns(drawn: Sequence[JudgedBscan]) -> dict[str, list[float]]:
    """Dice, IoU, sensitivity, specificity and pixel accuracy of each scan."""
    rows = [_overlap(item.predicted, item.truth) for item in drawn if item.truth is not None]
    names = ("Dice", "IoU", "pixel sensitivity", "pixel specificity", "pixel accuracy")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _overlap(predicted: Mask, truth: Mask) -> tuple[float, float, float, float, float]:
    both, either = float((predicted & truth).sum()), float((predicted | truth).sum())
    neither = truth.size - either
    return (
        2 * both / float(predicted.sum() + truth.sum()),
        both / either,
        both / float(truth.sum()),
        neither / float((~truth).sum()),
        (both + neither) / truth.size,
    )


def _share(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    return float(hit[among].mean()) if among.any() else None


def _levels(image: torch.Tensor) -> NDArray[np.uint8]:
    """A sample (1, S, S) back as grey levels: exact, for it was divided by 255 and nothing else."""
    return np.asarray(np.rint(image[0].numpy() * 255), np.uint8)
