"""The figures of an evaluation as tables for a terminal: one per topic, sets down the side."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from core.scoring.card import ReportedMetric
from core.training.evaluation.asked import asked_rows
from core.training.evaluation.figures import Topic, by_set, interval_text
from core.training.evaluation.report import EvaluationReport


def figure_tables(report: EvaluationReport) -> Iterator[Table]:
    """A table per topic for the terminal, then the published figures beside ours, last what was asked."""
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
    asked = Table("asked", "limit", "reached (95 % interval)", "met", title="What was asked", title_style="bold")
    for words, limit, reached, met in asked_rows(report.metrics):
        asked.add_row(words, limit, reached, met.strip("*"))
    if asked.row_count:
        yield asked


def _topic_table(topic: Topic, metrics: Sequence[ReportedMetric]) -> Table:
    table = Table("set", "figure", "value (95 % interval)", "images", "groups", title=topic.value, title_style="bold")
    for gathered in by_set(metrics):
        for position, metric in enumerate(gathered.figures):
            name = gathered.label if position == 0 else ""
            is_last = position == len(gathered.figures) - 1
            counts = (str(metric.n_images), str(metric.n_subjects))
            table.add_row(name, metric.name, interval_text(metric), *counts, end_section=is_last)
    return table
