"""An evaluation as one HTML file that needs nothing else: tables, plots and worst cases, pictures embedded."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from core.scoring.card import ReportedMetric
from core.training.evaluation.figures import TOO_FEW, SetFigures, Topic, by_set, interval_text
from core.training.evaluation.plots import agreement_plot, class_plot, severity_plot
from core.training.evaluation.report import Evaluation, EvaluationReport

COLUMNS = 6
"""Sets side by side; more would not fit the page."""

_BY_KIND = {Topic.ARTIFACT_MASKS}

NOTES = {
    Topic.GRADE: (
        "Grade and source go together in public sets: a model that recognises the source scores well overall and is "
        "worthless. Read the columns that name a source. Gradable AUC parts ungradable scans from the rest."
    ),
    Topic.ARTIFACT_SEVERITY: (
        "Severity none, mild or severe from the masked share (motion: of the lines, where that is more), against the "
        "readers' consensus. Nobody drew artifacts on real scans, so their masks are judged on phantoms only."
    ),
    Topic.FAZ: (
        "Slabs and fields are never pooled. Distances are between boundaries: mean over both, and the 95th percentile "
        "(HD95), over scans in which a zone was found; “missed” counts the others."
    ),
    Topic.ARTIFACT_MASKS: "Per type and strength: mild covers 1 to 10 % of the field, severe more.",
    Topic.STRANGERS: "A picture is refused where the network or the plain statistics take it for a stranger.",
    Topic.LAYERS: (
        "Overlap of the classes with the label maps; where two graders drew the boundaries, our distance from each "
        "beside theirs from each other."
    ),
    Topic.THICKNESS: "Thickness from the innermost to the outermost boundary on phantoms, whose truth is known.",
    Topic.BSCAN_CLASS: "Each source by itself. A scan with several possible classes counts as right with any of them.",
    Topic.BSCAN_LESION: "All lesions as one mask, on the square that the network sees; each source by itself.",
    Topic.SELECTION: "Q tells what the model lacks; it is no grade of an image.",
}
"""What to know of the figures; a report may say it in its own words."""

WORST_TITLES = {
    Topic.GRADE: "Worst grades: least probability given to the true one",
    Topic.FAZ: "Worst zones: scan, drawn mask, model",
    Topic.BSCAN_CLASS: "Worst classes: least probability given to the true one",
}
_MASKS_TITLE = "Worst masks: scan, drawn, model"


@dataclass(frozen=True, slots=True)
class Pivot:
    """A table of one topic: figures down, sets across; an empty cell where a set does not allow the figure."""

    columns: tuple[tuple[str, str], ...]
    """Name and size of each set."""
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded picture with its title and what stands beneath it."""

    title: str
    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """One topic on the page."""

    title: str
    note: str
    pivots: tuple[Pivot, ...]
    plots: tuple[Picture, ...]
    worst: tuple[Picture, ...]
    worst_title: str


def write_page(evaluation: Evaluation, path: Path) -> Path:
    """Write the page; gives the path back."""
    environment = Environment(
        loader=PackageLoader("core.training.evaluation", "."), autoescape=True, undefined=StrictUndefined
    )
    report = evaluation.report
    text = environment.get_template("report.html").render(
        report=report,
        sections=[_section(topic, evaluation) for topic in Topic if report.of_topic(topic)],
        comparisons=_comparisons(report),
        too_few=TOO_FEW,
    )
    path.write_text(text, encoding="utf-8")
    return path


def _section(topic: Topic, evaluation: Evaluation) -> Section:
    report = evaluation.report
    severities = _severity_plots(report) if topic is Topic.ARTIFACT_SEVERITY else ()
    return Section(
        title=report.titles.get(topic, topic.value),
        note=report.notes.get(topic, NOTES.get(topic, "")),
        pivots=tuple(_pivots(topic, report.of_topic(topic))),
        plots=(*_class_plots(topic, report), *severities, *_agreement_plots(topic, report)),
        worst=tuple(
            Picture(case.key.split("/")[-1], _embedded(evaluation.pictures[case.topic, case.key]), case.what)
            for case in report.worst
            if case.topic == topic
        ),
        worst_title=WORST_TITLES.get(topic, _MASKS_TITLE),
    )


def _pivots(topic: Topic, metrics: Sequence[ReportedMetric]) -> list[Pivot]:
    """Tables of at most COLUMNS sets. Strangers have one figure each and so a row each."""
    gathered = by_set(metrics)
    if topic is Topic.STRANGERS:
        cells = [(found, found.figures[0]) for found in gathered]
        rows = tuple((found.label, (metric.name, interval_text(metric), found.size)) for found, metric in cells)
        return [Pivot((("", ""), ("share (95 % interval)", ""), ("images", "")), rows)]
    kinds: dict[str, list[SetFigures]] = {}
    for found in gathered:
        # Masks of one artifact share their figures; those of another have other names.
        kinds.setdefault(found.figures[0].name.split(" ")[0].rstrip(":") if topic in _BY_KIND else "", []).append(found)
    return [
        _pivot(found[first : first + COLUMNS]) for found in kinds.values() for first in range(0, len(found), COLUMNS)
    ]


def _pivot(sets: Sequence[SetFigures]) -> Pivot:
    cells = [{metric.name: interval_text(metric) for metric in found.figures} for found in sets]
    names = list(dict.fromkeys(name for column in cells for name in column))
    return Pivot(
        columns=tuple((found.label, found.size) for found in sets),
        rows=tuple((name, tuple(column.get(name, "") for column in cells)) for name in names),
    )


def _class_plots(topic: Topic, report: EvaluationReport) -> tuple[Picture, ...]:
    caption = (
        "Confusion (counts; shaded by share of the row), each class against the rest, and how often the model is right "
        "at each confidence (bins of equal numbers; on the line is calibrated)."
    )
    of_pixels = "Confusion of pixels, shaded by share of the row."
    chosen = [curves for curves in report.class_curves if curves.topic == topic]
    captions = [caption if curves.reliability else of_pixels for curves in chosen]
    return tuple(
        Picture(curves.set, _embedded(class_plot(curves)), "" if words in captions[:position] else words)
        for position, (curves, words) in enumerate(zip(chosen, captions, strict=True))
    )


def _severity_plots(report: EvaluationReport) -> tuple[Picture, ...]:
    return tuple(
        Picture(found.label, _embedded(severity_plot(found.figures)), "Intervals over groups of images.")
        for found in by_set(report.of_topic(Topic.ARTIFACT_SEVERITY))
        if any(metric.name.endswith(": severity kappa") for metric in found.figures)
    )


def _agreement_plots(topic: Topic, report: EvaluationReport) -> tuple[Picture, ...]:
    found = []
    for agreement in report.agreements:
        if agreement.topic == topic:
            unit = f" {agreement.unit}" if agreement.unit else ""
            shaded = "" if agreement.reach is None else f" Shaded: ±{agreement.reach:g}{unit} around the bias."
            caption = f"Bias and 95 % limits of agreement.{shaded} {agreement.reach_words}"
            found.append(Picture(f"{agreement.what}: {agreement.set}", _embedded(agreement_plot(agreement)), caption))
    return tuple(found)


def _comparisons(report: EvaluationReport) -> list[dict[str, object]]:
    """The published figures by task, each with ours as text."""
    tasks: dict[str, dict[str, object]] = {}
    for row in report.comparisons:
        figure = row.published
        task = tasks.setdefault(
            figure.task, {"task": figure.task, "difference": report.differences.get(figure.task, ""), "rows": []}
        )
        rows = task["rows"]
        assert isinstance(rows, list)
        rows.append(
            {
                "published": figure,
                "value": f"{figure.published:.4f}".removesuffix("00"),  # as many digits as were printed
                "ours": "not measured on this folder" if row.ours is None else interval_text(row.ours),
                "on": "" if row.ours is None else f"{row.ours.set} ({row.ours.n_images} images)",
            }
        )
    return list(tasks.values())


def _embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
