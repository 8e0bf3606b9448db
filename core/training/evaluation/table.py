"""The figures of an evaluation as tables: one per topic, sets down the side, for a terminal and for a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from core.scoring.card import ReportedMetric
from core.training.evaluation.figures import Topic, interval_text
from core.training.evaluation.report import EvaluationReport


@dataclass(frozen=True, slots=True)
class SetFigures:
    """The figures of one named set; ``size`` says how many images of how many groups."""

    label: str
    size: str
    figures: tuple[ReportedMetric, ...]


def by_set(metrics: Sequence[ReportedMetric]) -> list[SetFigures]:
    """Figures gathered by set, in the order in which the sets come."""
    gathered: dict[str, list[ReportedMetric]] = {}
    for metric in metrics:
        gathered.setdefault(metric.set, []).append(metric)
    return [SetFigures(label, size_text(found), tuple(found)) for label, found in gathered.items()]


def size_text(metrics: Sequence[ReportedMetric]) -> str:
    """Images and groups of a set: those of the figure that rests on most."""
    widest = max(metrics, key=lambda metric: metric.n_images)
    if widest.n_images == widest.n_subjects:
        return f"{widest.n_images} images, each a group of its own"
    return f"{widest.n_images} images in {widest.n_subjects} groups"


def figure_tables(report: EvaluationReport) -> Iterator[Table]:
    """A table per topic for the terminal, then the published figures beside ours."""
    for topic in Topic:
        metrics = report.of_topic(topic)
        if metrics:
            yield _topic_table(topic, metrics)
    compared = Table("task", "system", "figure", "published", "this model", title="Published figures of the same tasks")
    for row in report.comparisons:
        if row.ours is not None:
            figure = row.published
            ours = interval_text(row.ours)
            compared.add_row(figure.task, figure.system, figure.figure, f"{figure.published:.2f}", ours)
    if compared.row_count:
        yield compared


def _topic_table(topic: Topic, metrics: Sequence[ReportedMetric]) -> Table:
    table = Table("set", "figure", "value (95 % interval)", "images", "groups", title=topic.value, title_style="bold")
    for gathered in by_set(metrics):
        for position, metric in enumerate(gathered.figures):
            name = gathered.label if position == 0 else ""
            is_last = position == len(gathered.figures) - 1
            counts = (str(metric.n_images), str(metric.n_subjects))
            table.add_row(name, metric.name, interval_text(metric), *counts, end_section=is_last)
    return table
