"""Paper 003's tables as rich tables: ours beside the printed figures, never mixed with them."""

from collections.abc import Sequence

from rich.table import Table

from core.scoring.published_bscan import published_rows, systems_of
from core.training.bscan.evaluate import BscanEvaluation
from core.training.bscan.tables import CAM_UNET, CM_CNN, JOINT, MARKED_ON_NORMAL, BscanTables, SystemFigures
from core.training.evaluation.figures import interval_text

_CLASS_FIGURES = ("accuracy", "kappa")
_MASK_FIGURES = ("Dice", "IoU", "pixel sensitivity", "pixel specificity", "pixel accuracy")
_TITLES = {
    "Table 2": "classification networks, data set I",
    "Table 3": "segmentation networks, data set I",
    "Table 4": "both tasks, data set I",
    "Table 5": "ablation of the mask guidance",
    "Table 6": "ablation of the map guidance",
}
_OF_CLASSES = ("Table 2", "Table 5")


def comparison_tables(found: BscanTables) -> list[Table]:
    """Tables 2 to 6 with our rows (mean over the seeds) beside the printed ones; - where we have none."""
    ours = {system.system: system for system in found.systems}
    both = _both_tasks(ours)
    tables = []
    for name, title in _TITLES.items():
        rows = {**ours, **both} if name == "Table 4" else ours
        wanted = _figures_of(name)
        table = Table(title=f"{name}: {title}", title_justify="left")
        table.add_column("system")
        for figure in wanted:
            table.add_column(f"{figure}\nours", justify="right")
            table.add_column("\npublished", justify="right")
        table.add_column("MiB\nours", justify="right")
        extra = (JOINT,) if name == "Table 4" and JOINT in ours else ()
        for system in (*systems_of(name), *extra):
            table.add_row(system, *_cells(name, system, wanted, rows.get(system)), _size(rows.get(system)))
        tables.append(table)
    return [*tables, _per_class(found)]


def markdown_table(found: BscanTables) -> str:
    """Our rows, each the mean over its seeds with the least and the most, and every difference with its interval."""
    names = (*_CLASS_FIGURES, "Dice", "IoU", MARKED_ON_NORMAL)
    lines = ["| system | " + " | ".join(names) + " | MiB |", "|---" * (len(names) + 2) + "|"]
    for system in found.systems:
        cells = " | ".join(_range_text(system, name) for name in names)
        lines.append(f"| {system.system} | {cells} | {_size(system)} |")
    return "\n".join([*lines, "", *(f"- {each.words}." for each in found.differences)])


def evaluation_table(found: BscanEvaluation) -> Table:
    """The paper's own rows beside our figures of each set."""
    sets = list(dict.fromkeys(metric.set for metric in found.metrics))
    ours = {(metric.set, metric.name): interval_text(metric) for metric in found.metrics}
    table = Table(title="Diao et al. 2023: the paper's own networks", title_justify="left")
    for column in ("table", "figure", "published", *sets):
        table.add_column(column)
    for row in found.published:
        cells = [ours.get((name, row.name), "-") for name in sets]
        table.add_row(f"{row.table}, {row.system}", row.name, f"{row.value:.4f}", *cells)
    return table


def _figures_of(name: str) -> tuple[str, ...]:
    if name in _OF_CLASSES:
        return _CLASS_FIGURES
    return (*_CLASS_FIGURES, "Dice", "IoU") if name == "Table 4" else _MASK_FIGURES


def _cells(table: str, system: str, wanted: Sequence[str], ours: SystemFigures | None) -> list[str]:
    printed = {row.figure: row.value for row in published_rows() if (row.table, row.system) == (table, system)}
    cells = []
    for figure in wanted:
        own = None if ours is None else ours.mean(figure)
        cells += [_text(own), _text(printed.get(figure))]
    return cells


def _per_class(found: BscanTables) -> Table:
    """Every class against the rest, of our classifiers alone: the classes are the manifest's, not the paper's."""
    names = ("AUC", "sensitivity", "specificity", "accuracy of the class")
    table = Table(title="Class by class (ours, mean over the seeds)", title_justify="left")
    for column in ("system", "class", *names):
        table.add_column(column)
    for system in found.systems:
        if system.mean("accuracy") is None:
            continue
        for label in found.classes:
            table.add_row(system.system, label, *(_text(system.mean(f"{label}: {name}")) for name in names))
    return table


def _both_tasks(ours: dict[str, SystemFigures]) -> dict[str, SystemFigures]:
    """The row of Table 4: CM-CNN's classes and CAM-UNet's masks."""
    if CM_CNN not in ours or CAM_UNET not in ours:
        return {}
    name = f"{CM_CNN} + {CAM_UNET}"
    figures = ours[CAM_UNET].figures | ours[CM_CNN].figures | {n: ours[CAM_UNET].figures[n] for n in _MASK_FIGURES}
    size = ours[CM_CNN].size_mib + ours[CAM_UNET].size_mib
    return {name: SystemFigures(system=name, size_mib=size, figures=figures)}


def _size(ours: SystemFigures | None) -> str:
    return "-" if ours is None else f"{ours.size_mib:.2f}"


def _range_text(system: SystemFigures, figure: str) -> str:
    values = [value for value in system.figures.get(figure, ()) if value is not None]
    if len(values) < 2:  # noqa: PLR2004 - one value has no range
        return _text(system.mean(figure))
    return f"{_text(system.mean(figure))} ({_text(min(values))} to {_text(max(values))})"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
