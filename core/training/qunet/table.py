"""Chosen against random slices, summed up: figures per arm, differences with intervals by subject, the curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.statistics.resampling import bootstrap_by_subject
from core.training.evaluation.figures import Sample, Topic, interval_text
from core.training.qunet.experiment import (
    ARMS,
    CHOSEN,
    CHOSEN_FIRST,
    HELD_OUT,
    RANDOM,
    RANDOM_AS_MANY,
    RANDOM_UNET,
    REMAINING,
    Outcome,
)

CURVE_NAME = "dice_by_share.png"
TABLE_NAME = "comparison.json"
MARGIN = -0.02
"""What is asked of the lower 95 % limit of chosen minus random (our own requirement; the paper gives no interval)."""
FIGURES = ("dice", "jaccard", "precision", "recall", "accuracy")
BASELINES = (RANDOM, RANDOM_UNET, RANDOM_AS_MANY)


class ArmFigures(BaseModel):
    """One arm on one kind of images: its share of the pool that is annotated, and its figures."""

    model_config = ConfigDict(frozen=True)

    arm: str
    on: str
    share: float
    n_annotated: float
    """Mean over runs."""
    metrics: tuple[ReportedMetric, ...]


class DiceDifference(BaseModel):
    """Dice of the chosen slices minus that of a baseline, paired by run and image; interval over subjects."""

    model_config = ConfigDict(frozen=True)

    baseline: str
    on: str
    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The difference, and whether it keeps the margin."""
        kept = "keeps" if self.low > MARGIN else "does not keep"
        return (
            f"{CHOSEN} minus {self.baseline}, {self.on}: Dice {self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}); "
            f"{kept} the margin of {MARGIN:+.2f}."
        )


class Comparison(BaseModel):
    """What a comparison found; ``n_runs`` says on how many runs it rests."""

    model_config = ConfigDict(frozen=True)

    n_runs: int
    n_subjects: int
    arms: tuple[ArmFigures, ...]
    differences: tuple[DiceDifference, ...]
    published: str = (
        "Published (Roychowdhury 2021, abstract and section III): Dice 0.56 to 0.72 on cysts and ground-glass opacity "
        "with 8 to 15 % of the slices annotated. Other images and other classes: no like-for-like comparison."
    )

    @property
    def lines(self) -> list[str]:
        """The comparison as it is printed."""
        return [
            f"{self.n_runs} runs, {self.n_subjects} subjects; intervals are over subjects.",
            *(line for arm in self.arms for line in _arm_lines(arm)),
            *(difference.words for difference in self.differences),
            self.published,
        ]


def sum_up(outcomes: Sequence[Outcome]) -> Comparison:
    """All figures of these runs.

    An image's figures are averaged over the runs in which it was judged before anything is resampled: twenty runs on
    eight subjects are eight independent observations, not 160.
    """
    arms = [_arm(outcomes, arm, on) for on in (HELD_OUT, REMAINING) for arm in ARMS]
    found = [_difference(outcomes, baseline, on) for on in (HELD_OUT, REMAINING) for baseline in BASELINES]
    return Comparison(
        n_runs=len({outcome.run for outcome in outcomes}),
        n_subjects=len({outcome.subject for outcome in outcomes}),
        arms=tuple(arm for arm in arms if arm is not None),
        differences=tuple(difference for difference in found if difference is not None),
    )


def write_comparison(comparison: Comparison, out: Path) -> None:
    """Write comparison.json and dice_by_share.png into ``out``."""
    (out / TABLE_NAME).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draw_curve(comparison, out / CURVE_NAME)


def comparison_table(comparison: Comparison) -> str:
    """A row per arm with its Dice on both kinds of images, then a row per difference, as the documentation shows it."""
    found = {(arm.arm, arm.on): arm for arm in comparison.arms}
    rows = [
        f"| {name} | {found[name, HELD_OUT].n_annotated:.0f} ({found[name, HELD_OUT].share:.0%}) | "
        f"{_dice_text(found[name, HELD_OUT])} | {_dice_text(found[name, REMAINING])} |"
        for name in ARMS
        if (name, HELD_OUT) in found and (name, REMAINING) in found
    ]
    by_baseline = {(each.baseline, each.on): each for each in comparison.differences}
    rows += [
        f"| chosen minus {name} | | {_difference_text(by_baseline[name, HELD_OUT])} | "
        f"{_difference_text(by_baseline[name, REMAINING])} |"
        for name in BASELINES
        if (name, HELD_OUT) in by_baseline and (name, REMAINING) in by_baseline
    ]
    return "\n".join([f"| | slices annotated | Dice, {HELD_OUT} | Dice, {REMAINING} |", "|---|---|---|---|", *rows])


def _dice_text(arm: ArmFigures) -> str:
    return interval_text(next(metric for metric in arm.metrics if metric.name == FIGURES[0]))


def _difference_text(difference: DiceDifference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def draw_curve(comparison: Comparison, path: Path) -> None:
    """Dice against the share of slices annotated: a line through the chosen sets, a mark per baseline."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, on in zip(axes, (HELD_OUT, REMAINING), strict=True):
        points = {arm.arm: _point(arm) for arm in comparison.arms if arm.on == on and arm.metrics}
        line = [points[arm] for arm in (CHOSEN_FIRST, CHOSEN) if arm in points]
        axis.errorbar(*_columns(line), fmt="o-", capsize=3, label="QU-Net++, chosen")
        for arm, mark in ((RANDOM_AS_MANY, "^"), (RANDOM, "s"), (RANDOM_UNET, "D")):
            if arm in points:
                axis.errorbar(*_columns([points[arm]]), fmt=mark, capsize=3, label=arm)
        axis.set_title(on, fontsize="medium")
        axis.set_xlabel("slices annotated, % of the pool")
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("Dice")
    axes[0].legend(fontsize="x-small")
    figure.suptitle(f"{comparison.n_runs} runs; bars: 95 % intervals over subjects")
    figure.savefig(path, dpi=120)


@dataclass(frozen=True, slots=True)
class _Point:
    share_percent: float
    dice: float
    below: float
    above: float


def _point(arm: ArmFigures) -> _Point:
    metric = next(metric for metric in arm.metrics if metric.name == FIGURES[0])
    return _Point(100 * arm.share, metric.value, metric.value - metric.low, metric.high - metric.value)


def _columns(points: Sequence[_Point]) -> tuple[list[float], list[float], list[list[float]]]:
    bars = [[point.below for point in points], [point.above for point in points]]
    return [point.share_percent for point in points], [point.dice for point in points], bars


def _arm(outcomes: Sequence[Outcome], arm: str, on: str) -> ArmFigures | None:
    mine = [outcome for outcome in outcomes if outcome.arm == arm and outcome.on == on]
    if not mine:
        return None
    files, values = _means_by_file(mine)
    columns = dict(zip(FIGURES, np.array(values).T, strict=True))
    sample = Sample(Topic.SELECTION, f"{arm}, {on}", tuple(subject for subject, _ in files))
    return ArmFigures(
        arm=arm,
        on=on,
        share=float(np.mean([outcome.n_annotated / outcome.n_pool for outcome in mine])),
        n_annotated=float(np.mean([outcome.n_annotated for outcome in mine])),
        metrics=tuple(sample.means(columns)),
    )


def _means_by_file(outcomes: Sequence[Outcome]) -> tuple[list[tuple[str, str]], list[list[float]]]:
    """Subject and file of each image, and its figures averaged over the runs."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.subject, outcome.file))
    files, values = [], []
    for key, group in groupby(ordered, key=lambda outcome: (outcome.subject, outcome.file)):
        rows = [[getattr(outcome, name) for name in FIGURES] for outcome in group]
        files.append(key)
        values.append([float(value) for value in np.mean(rows, axis=0)])
    return files, values


def _difference(outcomes: Sequence[Outcome], baseline: str, on: str) -> DiceDifference | None:
    def dice(arm: str) -> dict[tuple[int, str, str], float]:
        return {(o.run, o.subject, o.file): o.dice for o in outcomes if o.arm == arm and o.on == on}

    ours, theirs = dice(CHOSEN), dice(baseline)
    pairs = sorted((subject, file, ours[run, subject, file] - theirs[run, subject, file]) for run, subject, file in ours
                   if (run, subject, file) in theirs)  # fmt: skip
    means = [
        (key[0], float(np.mean([difference for *_, difference in group])))
        for key, group in groupby(pairs, key=lambda pair: pair[:2])
    ]
    if not means:
        return None
    values = np.array([value for _, value in means])
    interval = bootstrap_by_subject(lambda index: float(values[index].mean()), [subject for subject, _ in means])
    if interval is None:
        return None
    return DiceDifference(baseline=baseline, on=on, value=interval.value, low=interval.low, high=interval.high)


def _arm_lines(arm: ArmFigures) -> list[str]:
    figures = "; ".join(f"{metric.name} {interval_text(metric)}" for metric in arm.metrics)
    return [f"{arm.arm}, {arm.on}, {arm.n_annotated:.0f} slices ({arm.share:.0%}): {figures}"]
