"""The evaluation of any model as one value: figures, curves, comparison, and which cases went worst. Becomes JSON.

What a report of one recipe holds is put together where its cases are judged; the page is made from this alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.scoring.published import Comparison
from core.training.evaluation.agreement import Agreement
from core.training.evaluation.classes import ClassCurves

N_WORST = 8

INTERVALS = (
    "95 % intervals. Means, kappas and areas under a curve: bootstrap over groups of images that belong together "
    "(one subject, near duplicates), expanded percentiles. Shares: exact where every image is a group of its own. "
    "“No spread” says that every resample gave the same value: too few images to tell."
)


def began_with(init_sha256: str | None) -> str:
    """What the weights of a training began as, in words."""
    return "at random" if init_sha256 is None else f"with the weights of sha256 {init_sha256}"


def judged_words(split: str, n_judged: int, n_left_out: int, *, what: str = "images", note: str = "") -> str:
    """How parts were made, and how many were judged."""
    return f"{split} {n_judged} {what} judged, {n_left_out} left out. {note}".rstrip()


class Identity(BaseModel):
    """Which weights were evaluated, and under which split."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    weights_sha256: str
    split_seed: int | None = None
    """None where the images were chosen in another way, which ``split`` says."""
    split: str
    labels: str


class WorstCase(BaseModel):
    """A case that went wrong, by the part of the report and by its key, with what was measured."""

    model_config = ConfigDict(frozen=True)

    topic: str
    key: str
    what: str


class EvaluationReport(Identity):
    """What `octaudit evaluate --report` writes as JSON."""

    intervals: str = INTERVALS
    parts: dict[str, dict[str, int]]
    """Images and groups per set that was measured on."""
    metrics: tuple[ReportedMetric, ...]
    headline: tuple[ReportedMetric, ...] = ()
    """What a reader asks for first."""
    titles: dict[str, str] = {}
    """Of topics whose usual title does not fit this model."""
    notes: dict[str, str] = {}
    """What to know of a topic's figures, by topic, beside or instead of the usual words."""
    class_curves: tuple[ClassCurves, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    differences: dict[str, str] = {}
    """Why a task's published figures are no like-for-like comparison, by task."""
    starting_point: str = ""
    """With which weights the published networks began, and these."""
    worst: tuple[WorstCase, ...] = ()

    def of_topic(self, topic: str) -> list[ReportedMetric]:
        """The figures of one part of the report."""
        return [metric for metric in self.metrics if metric.topic == topic]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a model, and its worst cases as pictures (PNG), by topic and key."""

    report: EvaluationReport
    pictures: Mapping[tuple[str, str], bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """A worst case before it is written down: its words and its picture (PNG)."""

    topic: str
    key: str
    what: str
    picture: bytes


def illustrated(report: EvaluationReport, shown: Sequence[Shown]) -> Evaluation:
    """The report with its worst cases."""
    worst = tuple(WorstCase(topic=case.topic, key=case.key, what=case.what) for case in shown)
    pictures = {(case.topic, case.key): case.picture for case in shown}
    return Evaluation(report.model_copy(update={"worst": worst}), pictures)


def sets_of(metrics: Sequence[ReportedMetric]) -> dict[str, dict[str, int]]:
    """Images and groups of every set that has figures: those of the figure that rests on most."""
    found: dict[str, dict[str, int]] = {}
    for metric in metrics:
        size = {"images": metric.n_images, "groups": metric.n_subjects}
        found[metric.set] = max(size, found.get(metric.set, size), key=lambda each: each["images"])
    return found
