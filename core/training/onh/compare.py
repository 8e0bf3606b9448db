"""Is grading helped by drawing masks? Joint against single task over several seeds, with the same encoder or not."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import t
from torch import nn

from core.networks.onh_enface import OnhNetwork
from core.scoring.lanes.onh_input import Grouping
from core.scoring.torch_backend.onh_enface import OnhForward
from core.statistics.resampling import bootstrap_by_subject
from core.training.onh.figures import OnhJudged, coarser, judge, macro_f1, regrouped
from core.training.onh.folder import read_onh_folder
from core.training.onh.recipe import OnhRecipe
from core.training.onh.run import fit_onh
from core.training.onh.samples import Held
from core.training.progress import Progress
from core.training.supervised.fit import Machine
from core.training.supervised.parts import Placed, place
from core.training.supervised.record import Part

COMPARISON_NAME = "comparison.json"
POSTER_SINGLE, POSTER_JOINT = "efficientnet-b0", "resnext101_32x8d"
"""The encoders of the poster's Table 1: it compares two systems that differ in more than the task."""


class TaskComparison(BaseModel):
    """Joint minus single task in macro F1, on the same test images with the same seeds."""

    model_config = ConfigDict(frozen=True)

    grouping: str
    joint: str
    single: str
    seeds: tuple[int, ...]
    joint_f1: tuple[float, ...]
    """One per seed."""
    single_f1: tuple[float, ...]
    difference: float
    """Mean over the seeds."""
    over_seeds: tuple[float, float]
    """95 % interval of Student's t over the paired differences: another training on the same images."""
    over_images: tuple[float, float]
    """95 % bootstrap interval by subject of the mean difference: other test images, the same trainings."""
    n_images: int

    @property
    def verdict(self) -> str:
        """What the intervals allow to say."""
        low, high = min(self.over_seeds[0], self.over_images[0]), max(self.over_seeds[1], self.over_images[1])
        if low > 0:
            return "joint training is better"
        return "single-task training is better" if high < 0 else "no difference is shown"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two recipes that are compared."""

    joint: OnhRecipe
    single: OnhRecipe

    @classmethod
    def same_encoder(cls, recipe: OnhRecipe) -> "Pair":
        """The recipe, and its encoder with the classification head alone: only the task differs."""
        return cls(recipe, recipe.changed({"architecture": "classifier"}))

    @classmethod
    def poster(cls, recipe: OnhRecipe) -> "Pair":
        """The poster's: FPN on ResNeXt-101 against EfficientNet-B0."""
        plain = recipe.changed({"encoder_channels": ()})
        joint = plain.changed({"architecture": "fpn", "encoder": POSTER_JOINT})
        return cls(joint, plain.changed({"architecture": "classifier", "encoder": POSTER_SINGLE}))


def compare_tasks(
    pair: Pair,
    data: Path,
    out: Path,
    *,
    seeds: Sequence[int],
    machine: Machine,
    report: Callable[[Progress], None] = lambda _: None,
) -> list[TaskComparison]:
    """Train both recipes once per seed on the same parts and compare them on the test part, per grouping.

    A training that ``out`` already holds is not repeated, so a comparison that was stopped goes on.
    """
    placed = place(read_onh_folder(data, report=report), pair.joint)
    held: Held = {}
    joint: list[OnhJudged] = []
    single: list[OnhJudged] = []
    for number, seed in enumerate(seeds):
        for recipe, found in ((pair.joint, joint), (pair.single, single)):
            say = _numbered(report, f"seed {number + 1} of {len(seeds)}, {name_of(recipe)}")
            folder = out / f"{recipe.architecture}-{recipe.encoder}-seed-{seed}"
            network = fit_onh(recipe.changed({"seed": seed}), placed, folder, machine, held=held, report=say).network
            found.append(_judged(network, placed, recipe.groups))
    return [
        _compared(grouping, (name_of(pair.joint), name_of(pair.single)), tuple(seeds), joint, single)
        for grouping in coarser(pair.joint.groups)
    ]


def name_of(recipe: OnhRecipe) -> str:
    """A system as the poster's table calls it: "FPN + resnext101_32x8d"."""
    decoders = {"fpn": "FPN + ", "unet": "U-Net + ", "classifier": ""}
    narrow = " " + "-".join(str(n) for n in recipe.encoder_channels) if recipe.encoder_channels else ""
    return f"{decoders[recipe.architecture]}{recipe.encoder}{narrow}"


def _judged(network: nn.Module, placed: Sequence[Placed], grouping: Grouping) -> OnhJudged:
    assert isinstance(network, OnhNetwork)
    test = [item for item in placed if item.part is Part.TEST]
    return judge(OnhForward(network, torch.device("cpu")), test, grouping)


def _numbered(report: Callable[[Progress], None], stage: str) -> Callable[[Progress], None]:
    return lambda progress: report(Progress(f"Training, {stage}", progress.done, progress.total, progress.caption))


def _compared(
    grouping: Grouping,
    names: tuple[str, str],
    seeds: tuple[int, ...],
    joint: Sequence[OnhJudged],
    single: Sequence[OnhJudged],
) -> TaskComparison:
    truth = np.array(grouping.class_of)[joint[0].truth]
    said = [[regrouped(one.probabilities(), one.grouping, grouping) for one in side] for side in (joint, single)]

    def scores_on(index: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        found = [[macro_f1(truth[index], one[index], grouping.n_classes) or 0.0 for one in side] for side in said]
        return np.array(found[0]), np.array(found[1])

    def mean_difference(index: NDArray[np.intp]) -> float:
        of_joint, of_single = scores_on(index)
        return float((of_joint - of_single).mean())

    everything = np.arange(len(truth))
    scores, difference = scores_on(everything), mean_difference(everything)
    images = bootstrap_by_subject(mean_difference, joint[0].groups)
    return TaskComparison(
        grouping=grouping.name,
        joint=names[0],
        single=names[1],
        seeds=seeds,
        joint_f1=tuple(round(value, 4) for value in scores[0]),
        single_f1=tuple(round(value, 4) for value in scores[1]),
        difference=round(difference, 4),
        over_seeds=_t_interval(scores[0] - scores[1]),
        over_images=(difference, difference) if images is None else (round(images.low, 4), round(images.high, 4)),
        n_images=len(truth),
    )


def _t_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the mean of paired differences (n,)."""
    n = len(differences)
    half = float(t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    mean = float(differences.mean())
    return round(mean - half, 4), round(mean + half, 4)


def write_comparison(found: Sequence[TaskComparison], path: Path) -> None:
    """Every grouping's comparison as JSON."""
    document = {"comparisons": [{**one.model_dump(mode="json"), "verdict": one.verdict} for one in found]}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def comparison_lines(found: Sequence[TaskComparison]) -> list[str]:
    """What the command prints: F1 of both and the difference with its two intervals, a grouping a line."""
    first = found[0]
    where = f"{first.n_images} test images, {len(first.seeds)} seeds"
    lines = [f"Macro F1 on {where}: {first.joint} (joint) minus {first.single} (single task)"]
    for one in found:
        joint, single = np.mean(one.joint_f1), np.mean(one.single_f1)
        lines.append(
            f"  grades {one.grouping}: {joint:.3f} - {single:.3f} = {one.difference:+.3f}, over seeds "
            f"{one.over_seeds[0]:+.3f} to {one.over_seeds[1]:+.3f}, over images {one.over_images[0]:+.3f} to "
            f"{one.over_images[1]:+.3f}: {one.verdict}"
        )
    return lines


def comparison_table(found: Sequence[TaskComparison]) -> str:
    """The comparisons as a Markdown table: F1 of both, their difference, both intervals, what they allow to say."""
    rows = ["| grades | joint | single | difference | over seeds | over images | |", "|---|---|---|---|---|---|---|"]
    for one in found:
        joint, single = np.mean(one.joint_f1), np.mean(one.single_f1)
        seeds, images = (f"{low:+.3f} to {high:+.3f}" for low, high in (one.over_seeds, one.over_images))
        name = one.grouping.replace("|", " / ")
        f1 = f"{joint:.3f} | {single:.3f} | {one.difference:+.3f}"
        rows.append(f"| {name} | {f1} | {seeds} | {images} | {one.verdict} |")
    return "\n".join(rows)


def read_comparison(path: Path) -> list[TaskComparison]:
    """What ``write_comparison`` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return [TaskComparison.model_validate(one) for one in document["comparisons"]]
