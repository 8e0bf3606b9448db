"""Published figures of the same tasks beside ours, with what makes them no like-for-like comparison."""

import csv
from collections.abc import Sequence
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.scoring.published_bscan import DIFFERENCE as BSCAN_DIFFERENCE
from core.scoring.published_bscan import PublishedRow, published_rows

STARTING_POINT = (
    "The published networks began with ImageNet weights; the weights measured here were trained from scratch, "
    "because no pretrained weights can be bundled."
)

LAYERS_DIFFERENCE = (
    "Published: 1,058 B-scans of one clinic (Spectralis), 800 or 600 of them trained on, split by image and not by "
    "subject; five classes with a transition that no public set has, here seven layers. Its accuracies of the whole "
    "retina lie below its IoU, which cannot be of the same pixels. Here: subjects that no training saw. No "
    "like-for-like comparison."
)

DIFFERENCES = {
    "B-scan": BSCAN_DIFFERENCE,
    "whole retina": LAYERS_DIFFERENCE,
    "five classes": LAYERS_DIFFERENCE,
    "grade": (
        "Published: 10,480 images of 3 mm and 14,042 of 6 mm (Table 3), superficial slab, one device model (Topcon DRI "
        "Triton), graded by ophthalmologists; each figure is the mean over a testing, an internal and an external set. "
        "Here: a small set of mixed sources, slabs and fields together, graded by readers who are not clinicians. Ours "
        "are unweighted means over the classes; the paper does not say how it averaged."
    ),
    "FAZ superficial": (
        "Published: 708 images trained on and 304 tested (Table 4), from the authors' own collection. Here: the small "
        "public part of the same collection, resampled to 512 pixels, split by subject."
    ),
    "ONH": (
        "Published: 1,291 images of 6 x 6 mm of one device model (Zeiss PlexElite), graded by people, 193 of them for "
        "testing; networks that began with weights from photographs. Its Table 1 compares two systems that differ in "
        "encoder and task at once. Ours are unweighted means over the classes; the poster names no average. "
        "On phantoms the grade follows from a rule, so the figures say only that the rule was learned."
    ),
    "FAZ deep": (
        "Published: 800 images trained on and 343 tested (Table 4). Here: the small public part of the same "
        "collection. Sources disagree whether these images show 3 or 6 mm, so there is no area in mm²."
    ),
}


OCTA_TASKS = ("grade", "FAZ")
"""How the tasks of OCTA en-face images begin."""

BSCAN_TASKS = {"Table 2": ("B-scan class", "Class of B-scans"), "Table 3": ("B-scan lesion", "Lesions in B-scans")}
"""The tables of paper 003 on data set I, whose classes are nearest to ours: what they are of, and our topic."""


class PublishedFigure(BaseModel):
    """One published figure and where it stands; ``our_set`` and ``our_figure`` name its counterpart here."""

    model_config = ConfigDict(frozen=True)

    task: str
    system: str
    figure: str
    published: float
    paper: str
    place: str
    data_set: str
    our_set: str
    """How the counterpart's set begins, up to the comma before its protocol."""
    our_figure: str


class Comparison(BaseModel):
    """A published figure, and ours where the evaluated folder allows one."""

    model_config = ConfigDict(frozen=True)

    published: PublishedFigure
    ours: ReportedMetric | None


def published_figures(table: str = "published") -> tuple[PublishedFigure, ...]:
    """Every row of published.csv, or of another table beside it."""
    text = files("core.scoring").joinpath(f"{table}.csv").read_text(encoding="utf-8")
    return tuple(PublishedFigure.model_validate(row) for row in csv.DictReader(text.splitlines()))


def difference_of(task: str) -> str:
    """Why the published figure of a task and ours are not the same measurement."""
    return next(text for start, text in DIFFERENCES.items() if task.startswith(start))


def compare(metrics: Sequence[ReportedMetric]) -> list[Comparison]:
    """Each published figure of OCTA en-face images beside the first of ours that answers to it."""
    figures = [figure for figure in published_figures() if figure.task.startswith(OCTA_TASKS)]
    return [Comparison(published=figure, ours=_counterpart(figure, metrics)) for figure in figures]


def compare_layers(metrics: Sequence[ReportedMetric]) -> list[Comparison]:
    """The thesis's IoU of the retina and its layers beside ours; its accuracies are of other classes."""
    figures = [figure for figure in published_figures("published_layers") if figure.figure == "IoU"]
    return [Comparison(published=figure, ours=_counterpart(figure, metrics)) for figure in figures]


def compare_onh(metrics: Sequence[ReportedMetric]) -> list[Comparison]:
    """The poster's figures beside ours on the same grouping of grades, which our set's name ends with."""
    figures = [figure for figure in published_figures() if figure.task.startswith("ONH")]

    def ours(figure: PublishedFigure) -> ReportedMetric | None:
        found = (each for each in metrics if each.name == figure.our_figure and each.set.endswith(f" {figure.our_set}"))
        return next(found, None)

    return [Comparison(published=figure, ours=ours(figure)) for figure in figures]


def compare_bscans(metrics: Sequence[ReportedMetric]) -> list[Comparison]:
    """Paper 003's figures beside ours of the same name, on the set of ours that has most images."""
    by_size = sorted(metrics, key=lambda each: each.n_images)
    ours = {(metric.topic, metric.name): metric for metric in by_size}
    rows = [(row, *BSCAN_TASKS[row.table]) for row in published_rows() if row.table in BSCAN_TASKS]
    return [Comparison(published=_of_bscans(row, task), ours=ours.get((topic, row.name))) for row, task, topic in rows]


def _of_bscans(row: PublishedRow, task: str) -> PublishedFigure:
    return PublishedFigure(
        task=task,
        system=row.system,
        figure=row.name,
        published=row.value,
        paper="Diao et al. 2023",
        place=row.table,
        data_set="macular B-scans (CNV, drusen, normal)",
        our_set="",
        our_figure=row.name,
    )


def _counterpart(figure: PublishedFigure, metrics: Sequence[ReportedMetric]) -> ReportedMetric | None:
    return next(
        (metric for metric in metrics if metric.name == figure.our_figure and metric.set.startswith(figure.our_set)),
        None,
    )
