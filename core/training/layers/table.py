"""The tables of `octaudit evaluate layers`: ours beside the thesis's, and the confusion of classes."""

from rich.table import Table

from core.scoring.card import ReportedMetric
from core.training.evaluation.figures import interval_text
from core.training.layers.evaluate import LayersEvaluation

_NETWORK_WORDS = {
    "unet": "U-Net",
    "fcn_resnet50": "FCN-ResNet-50",
    "fcn_resnet101": "FCN-ResNet-101",
    "deeplabv3_resnet50": "DeepLabV3-ResNet-50",
    "deeplabv3_resnet101": "DeepLabV3-ResNet-101",
    "qunet": "U-Net++ with levels",
}


def layer_tables(found: LayersEvaluation) -> list[Table]:
    """Every table that the figures allow."""
    return [_beside_published(found), *([_confusion(found)] if found.confusion else [])]


def _beside_published(found: LayersEvaluation) -> Table:
    """Tables 4 and 5 of the thesis with our row below each task's."""
    table = Table(title="Paper 004 beside ours")
    for name in ("task", "network", "IoU", "pixel accuracy", "where"):
        table.add_column(name)
    systems = dict.fromkeys((figure.task, figure.system, figure.place) for figure in found.published)
    for task in dict.fromkeys(figure.task for figure in found.published):
        for own_task, system, place in systems:
            if own_task == task:
                values = {f.figure: f for f in found.published if (f.task, f.system) == (task, system)}
                cells = (f"{values[name].published:.4f}" for name in ("IoU", "accuracy"))
                table.add_row(task, system, *cells, f"published, {place}")
        table.add_row(*_our_row(found, task), end_section=True)
    return table


def _our_row(found: LayersEvaluation, task: str) -> tuple[str, ...]:
    """Our counterpart of one task: its IoU, and the accuracy where both divide the pixels alike."""
    names = {figure.figure: figure.our_figure for figure in found.published if figure.task == task}
    is_same = (task == "whole retina") is (found.scheme.value == "retina")
    cells = [
        _text(found.metrics, names["IoU"]),
        _text(found.metrics, names["accuracy"]) if is_same else f"of {len(found.classes)} classes, below",
    ]
    return (f"{task}, ours as {found.scheme.value}", _NETWORK_WORDS[found.network], *cells, "unseen subjects")


def _text(metrics: tuple[ReportedMetric, ...], name: str) -> str:
    """A figure of the labelled images with its interval; a dash where they do not allow it."""
    return next((interval_text(metric) for metric in metrics if metric.name == name), "-")


def _confusion(found: LayersEvaluation) -> Table:
    """Share of each true class's pixels that went to each class."""
    table = Table(title="True class (rows) as found (columns), share of its pixels")
    table.add_column("")
    for name in found.classes:
        table.add_column(name, justify="right")
    for name, row in zip(found.classes, found.confusion, strict=True):
        total = sum(row)
        table.add_row(name, *(f"{value / total:.3f}" if total else "-" for value in row))
    return table
