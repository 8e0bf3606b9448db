"""What a training wrote down epoch by epoch: a CSV of figures and their curves as a picture."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

METRICS_NAME = "metrics.csv"
CURVES_NAME = "curves.png"

Row = dict[str, float | None]
"""The figures of one epoch; None where one has no value."""


def write_metrics(path: Path, rows: Sequence[Mapping[str, float | None]]) -> None:
    """All epochs as CSV, written whole each time: a killed and resumed training leaves no row twice."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    os.replace(partial, path)  # noqa: PTH105 - the atomic one


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def draw_curves(path: Path, histories: Mapping[str, Sequence[Row]], title: str) -> None:
    """Losses on the left, the other figures on the right, one colour per training (fold); epochs from 1."""
    names = [name for name in next(iter(histories.values()))[0] if name not in {"epoch", "learning_rate"}]
    losses = [name for name in names if name.endswith("loss")]
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, shown in zip(axes, (losses, [name for name in names if name not in losses]), strict=True):
        for number, (label, rows) in enumerate(histories.items()):
            epochs = [row["epoch"] or 0 for row in rows]
            for style, name in zip(("-", "--", ":"), shown, strict=False):
                values = [math.nan if row[name] is None else row[name] for row in rows]
                caption = " ".join(filter(None, (label, name.replace("_", " "))))
                axis.plot(epochs, values, style, color=f"C{number}", linewidth=1.2, label=caption)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(visible=True, alpha=0.3)
        if shown:
            axis.legend(fontsize="x-small")
    axes[0].set_ylabel("loss")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
