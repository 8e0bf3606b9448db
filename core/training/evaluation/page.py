"""An evaluation as one HTML file that needs nothing else: tables, plots and worst cases, pictures embedded."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from core.scoring.card import ReportedMetric
from core.scoring.published import STARTING_POINT, difference_of
from core.training.evaluation.figures import SetFigures, Topic, by_set, interval_text
from core.training.evaluation.pictures import scan_picture, zone_picture
from core.training.evaluation.plots import area_plot, grade_plot, severity_plot
from core.training.evaluation.report import Evaluation, EvaluationReport, worst_faz, worst_grades
from core.training.evaluation.zones import REPEATABILITY_MM2, zone_of

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
}


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
        highlights=_highlights(report),
        comparisons=_comparisons(report),
        starting_point=STARTING_POINT,
    )
    path.write_text(text, encoding="utf-8")
    return path


def _section(topic: Topic, evaluation: Evaluation) -> Section:
    report = evaluation.report
    worst = {Topic.GRADE: _worst_grades, Topic.FAZ: _worst_faz}.get(topic, lambda _: ())(evaluation)
    title = {
        Topic.GRADE: "Worst grades: least probability given to the consensus",
        Topic.FAZ: "Worst zones: scan, manual mask, model",
    }
    plots = {Topic.GRADE: _grade_plots, Topic.ARTIFACT_SEVERITY: _severity_plots, Topic.FAZ: _area_plots}
    return Section(
        title=topic.value,
        note=NOTES[topic],
        pivots=tuple(_pivots(topic, report.of_topic(topic))),
        plots=plots[topic](report) if topic in plots else (),
        worst=worst,
        worst_title=title.get(topic, ""),
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


def _grade_plots(report: EvaluationReport) -> tuple[Picture, ...]:
    caption = (
        "Confusion (counts; shaded by share of the row), each class against the rest, and how often the model is right "
        "at each confidence (bins of equal numbers; on the line is calibrated)."
    )
    return tuple(
        Picture(curves.set, _embedded(grade_plot(curves)), caption if position == 0 else "")
        for position, curves in enumerate(report.grade_curves)
    )


def _severity_plots(report: EvaluationReport) -> tuple[Picture, ...]:
    return tuple(
        Picture(found.label, _embedded(severity_plot(found.figures)), "Intervals over groups of images.")
        for found in by_set(report.of_topic(Topic.ARTIFACT_SEVERITY))
        if any(metric.name.endswith(": severity kappa") for metric in found.figures)
    )


def _area_plots(report: EvaluationReport) -> tuple[Picture, ...]:
    known = ", ".join(f"{name} {value:.3f}" for name, value in REPEATABILITY_MM2.items())
    caption = (
        f"Bias and 95 % limits of agreement. Shaded: ±{REPEATABILITY_MM2['semi-automatic']} mm² around the bias. "
        f"Repeatability coefficients of Linderman 2017: {known} mm²."
    )
    return tuple(Picture(found.set, _embedded(area_plot(found)), caption) for found in report.area_agreements)


def _worst_faz(evaluation: Evaluation) -> tuple[Picture, ...]:
    words = {worst.key: worst.what for worst in evaluation.report.worst_faz}
    return tuple(
        Picture(case.key.split("/")[-1], _embedded(zone_picture(zone_of(case))), words[case.key])
        for case in worst_faz(evaluation.cases)
    )


def _worst_grades(evaluation: Evaluation) -> tuple[Picture, ...]:
    words = {worst.key: worst.what for worst in evaluation.report.worst_grades}
    return tuple(
        Picture(case.key.split("/")[-1], _embedded(scan_picture(case.image)), words[case.key])
        for case in worst_grades(evaluation.cases)
        if case.image is not None
    )


def _highlights(report: EvaluationReport) -> list[ReportedMetric]:
    """What a reader asks for first: at most one of each figure per real set, overall ones only."""
    wanted = ("FAZ Dice", "grade quadratic kappa", "readers: quadratic kappa", "gradable AUC")
    found = []
    for name in wanted:
        sets = [metric for metric in report.metrics if metric.name == name and not metric.set.startswith("phantoms")]
        whole = [metric for metric in sets if metric.set.count(" ") == 1 or name.startswith("FAZ")]
        found += [metric for metric in whole if "graded gradable" not in metric.set]
    return found


def _comparisons(report: EvaluationReport) -> list[dict[str, object]]:
    """The published figures by task, each with ours as text."""
    tasks: dict[str, dict[str, object]] = {}
    for row in report.comparisons:
        figure = row.published
        task = tasks.setdefault(
            figure.task, {"task": figure.task, "difference": difference_of(figure.task), "rows": []}
        )
        rows = task["rows"]
        assert isinstance(rows, list)
        rows.append(
            {
                "published": figure,
                "ours": "not measured on this folder" if row.ours is None else interval_text(row.ours),
                "on": "" if row.ours is None else f"{row.ours.set} ({row.ours.n_images} images)",
            }
        )
    return list(tasks.values())


def _embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
