"""Figures of an ONH model on labelled images: F1 of the grades and of every grouping, Dice of each mask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from core.phantom.onh_spec import ONH_CLASSES
from core.scoring.card import ReportedMetric
from core.scoring.lanes.onh_enface import DISC, OnhNetworkOutput, label_map
from core.scoring.lanes.onh_input import Grouping
from core.statistics.agreement import quadratic_kappa
from core.statistics.classification import (
    area_under_roc,
    class_figures,
    confusion_matrix,
    expected_calibration_error,
    macro_figures,
)
from core.statistics.overlap import boundary_distances_px
from core.training.evaluation.agreement import agreement_figures
from core.training.evaluation.classes import class_statistics
from core.training.evaluation.figures import Sample, Topic
from core.training.supervised.parts import Placed
from core.training.supervised.picture import read_grey_levels, read_labels

BATCH = 8
DISC_AREA = "nerve head area"

Forward = Callable[[Sequence[NDArray[np.uint8]]], list[OnhNetworkOutput]]


@dataclass(frozen=True, slots=True)
class OnhJudged:
    """What a network said of images that it had not seen, beside the truth.

    Attributes
    ----------
    grouping : the classes of the network's grade
    truth : int (n,), grades 0 to 3
    logits : float (n, classes)
    pixels : int (n, 5, 3) or None
        Pixels of each class found and drawn at once, found, drawn; None: the network draws no masks.
    groups : the group of each image; images of one group are not independent
    distances_px : float (n, 5, 2) or None
        Mean surface distance and HD95 of each class, in pixels; NaN where it was not drawn or not found.
    """

    grouping: Grouping
    truth: NDArray[np.int64]
    logits: NDArray[np.float64]
    pixels: NDArray[np.int64] | None
    groups: tuple[str, ...]
    distances_px: NDArray[np.float64] | None = None

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Of the network's classes, (n, classes)."""
        return np.asarray(softmax(self.logits / temperature, axis=1), np.float64)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The true class of each image, (n,)."""
        return np.asarray(np.array(self.grouping.class_of)[self.truth], np.int64)


def judge(
    forward: Forward,
    placed: Sequence[Placed],
    grouping: Grouping,
    report: Callable[[int], None] = lambda _: None,
) -> OnhJudged:
    """What a network says of these images; masks are compared at each image's own size."""
    logits: list[NDArray[np.float32]] = []
    pixels: list[NDArray[np.int64]] = []
    distances: list[NDArray[np.float64]] = []
    for start in range(0, len(placed), BATCH):
        records = [item.picture.record for item in placed[start : start + BATCH]]
        outputs = forward([read_grey_levels(record.path) for record in records])
        for record, output in zip(records, outputs, strict=True):
            assert record.mask_path is not None  # the manifest was checked
            logits.append(output.grade_logits)
            if len(output.mask_logits):
                truth = read_labels(record.mask_path)
                found = label_map(output.mask_logits, *truth.shape)
                pixels.append(_overlap(found, truth))
                distances.append(_distances_px(found, truth))
        report(start + len(records))
    return OnhJudged(
        grouping=grouping,
        truth=np.array([int(item.picture.record.grade or 0) for item in placed], np.int64),
        logits=np.stack(logits).astype(np.float64),
        pixels=np.stack(pixels) if pixels else None,
        groups=tuple(item.group for item in placed),
        distances_px=np.stack(distances) if distances else None,
    )


def _overlap(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    kinds = range(len(ONH_CLASSES))
    return np.array([[np.sum((found == k) & (truth == k)), np.sum(found == k), np.sum(truth == k)] for k in kinds])


def _distances_px(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    both = [boundary_distances_px(found == k, truth == k) for k in range(len(ONH_CLASSES))]
    return np.array([(np.nan, np.nan) if pair is None else pair for pair in both], np.float64)


def onh_figures(judged: OnhJudged, name: str, temperature: float) -> list[ReportedMetric]:
    """Every figure: the network's own classes, each coarser grouping by adding probabilities up, and the masks."""
    metrics: list[ReportedMetric] = []
    for grouping in coarser(judged.grouping):
        sample = Sample(Topic.GRADE, f"{name}, grades {grouping.name}", judged.groups)
        truth = np.array(grouping.class_of)[judged.truth]
        merged = regrouped(judged.probabilities(temperature), judged.grouping, grouping)
        metrics += sample.share("grade accuracy", merged.argmax(axis=1) == truth)
        is_own = grouping == judged.grouping
        metrics += sample.figures(_grade_statistic(truth, merged, grouping, is_whole=is_own))
    return [*metrics, *_mask_figures(judged, name)]


def coarser(grouping: Grouping) -> list[Grouping]:
    """The grouping itself and every coarser one that it holds, finest first."""
    found = [other for other in Grouping.every() if _holds(grouping, other)]
    return sorted(found, key=lambda other: -other.n_classes)


def _holds(fine: Grouping, coarse: Grouping) -> bool:
    pairs = set(zip(fine.class_of, coarse.class_of, strict=True))
    return len({one for one, _ in pairs}) == len(pairs)


def regrouped(probabilities: NDArray[np.float64], fine: Grouping, coarse: Grouping) -> NDArray[np.float64]:
    """Probabilities (n, classes) of a grouping from those of a finer one."""
    of = dict(zip(fine.class_of, coarse.class_of, strict=True))
    columns = [[k for k in range(fine.n_classes) if of[k] == index] for index in range(coarse.n_classes)]
    return np.stack([probabilities[:, members].sum(axis=1) for members in columns], axis=1)


def _grade_statistic(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], grouping: Grouping, *, is_whole: bool
) -> Callable[[NDArray[np.intp]], dict[str, float | None]]:
    """Every figure of the classes where ``is_whole``; else F1, kappa, calibration error and the best class's area."""
    n, labels = grouping.n_classes, grade_labels(grouping)

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        true, said = truth[index], probabilities[index]
        predicted = said.argmax(axis=1)
        if is_whole:
            found = class_statistics(true, said, predicted, labels, "grade")
        else:
            confusion = confusion_matrix(true, predicted, n)
            found = {"grade F1, macro": macro_figures(confusion).f1}
            found["grade ECE"] = expected_calibration_error(said.max(axis=1), predicted == true)
            found |= {f"{name}: F1": class_figures(confusion, place).f1 for place, name in enumerate(labels)}
        found["grade quadratic kappa"] = quadratic_kappa(predicted, true, n)
        return found | {"AUC of the best class": area_under_roc(said[:, -1], true == n - 1)}

    return statistic


def grade_labels(grouping: Grouping) -> tuple[str, ...]:
    """What each class of a grouping is called."""
    return tuple(f"grade {name}" for name in grouping.class_names)


def macro_f1(truth: NDArray[np.int64], probabilities: NDArray[np.float64], n_classes: int) -> float | None:
    """Unweighted mean of the classes' F1, 0..1; None without images."""
    return macro_figures(confusion_matrix(truth, probabilities.argmax(axis=1), n_classes)).f1


def _mask_figures(judged: OnhJudged, name: str) -> list[ReportedMetric]:
    """Overlap where the class is drawn, found area where it is not: there a Dice would be 1 or 0."""
    if judged.pixels is None:
        return []
    metrics: list[ReportedMetric] = []
    n_pixels = judged.pixels[:, :, 2].sum(axis=1)
    for label, what in enumerate(ONH_CLASSES):
        both, found, drawn = judged.pixels[:, label].T
        columns = {
            "Dice": 2 * both / np.maximum(found + drawn, 1),
            "Jaccard": both / np.maximum(found + drawn - both, 1),
            "precision": both / np.maximum(found, 1),
            "recall": both / np.maximum(drawn, 1),
        }
        metrics += _of_those(judged, drawn > 0, f"{name}, with {what}", columns)
        metrics += _distance_figures(judged, label, f"{name}, with {what}")
        if label:
            metrics += _of_those(judged, drawn == 0, f"{name}, without {what}", {"area marked": found / n_pixels})
    return [*metrics, *agreement_figures(*disc_areas(judged, name), DISC_AREA, "%")]


def _distance_figures(judged: OnhJudged, label: int, name: str) -> list[ReportedMetric]:
    """Distances of the boundaries in pixels, where the class was drawn and found."""
    if judged.distances_px is None:
        return []
    mean, worst = judged.distances_px[:, label].T
    return _of_those(judged, np.isfinite(mean), name, {"mean surface distance": mean, "HD95": worst}, unit="px")


def disc_areas(judged: OnhJudged, name: str) -> tuple[Sample, NDArray[np.float64]]:
    """The images with a drawn nerve head, and its area (n, 2) as found and as drawn, in % of the image."""
    assert judged.pixels is not None  # asked of networks that draw masks
    _, found, drawn = judged.pixels[:, DISC].T
    index = np.flatnonzero(drawn > 0)
    sample = Sample(Topic.ARTIFACT_MASKS, f"{name}, with {ONH_CLASSES[DISC]}", judged.groups)
    n_pixels = judged.pixels[index, :, 2].sum(axis=1)
    return sample.only(index), 100 * np.stack([found[index], drawn[index]], axis=1) / n_pixels[:, None]


def _of_those(
    judged: OnhJudged,
    chosen: NDArray[np.bool_],
    label: str,
    columns: dict[str, NDArray[np.float64]],
    *,
    unit: str = "",
) -> list[ReportedMetric]:
    index = np.flatnonzero(chosen)
    sample = Sample(Topic.ARTIFACT_MASKS, label, judged.groups).only(index)
    return sample.means({what: values[index] for what, values in columns.items()}, dict.fromkeys(columns, unit))


def fitted_temperature(judged: OnhJudged) -> float:
    """The temperature (0.25 to 4) of least negative log likelihood (Guo et al. 2017, arXiv:1706.04599)."""
    rows = np.arange(len(judged.truth))
    candidates = np.geomspace(0.25, 4.0, 81)
    losses = [-np.log(np.maximum(judged.probabilities(t)[rows, judged.classes], 1e-12)).mean() for t in candidates]
    return round(float(candidates[int(np.argmin(losses))]), 4)
