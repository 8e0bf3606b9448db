"""The losses that a training of the joint network wrote down, as a picture."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw_losses(logs: Mapping[str, Path], path: Path) -> None:
    """One panel per log that there is, its title the key: every column over the step, medians of a fiftieth of them.

    Single batches scatter more than a training moves; a median of neighbours shows where it goes.

    Parameters
    ----------
    logs : CSV files whose first column is the step and whose others are losses; a training that was killed and resumed
        from a checkpoint may hold a step twice, the last line counts
    """
    there = {title: log for title, log in logs.items() if log.is_file()}
    if not there:
        return
    figure = Figure(figsize=(5.5 * len(there), 4), layout="constrained")
    for axis, (title, log) in zip(figure.subplots(1, len(there), squeeze=False)[0], there.items(), strict=True):
        draw_log(axis, log)
        axis.set_title(title)
    figure.savefig(path, dpi=110)


def draw_log(axis: Axes, log: Path) -> None:
    """One log on one panel, as draw_losses does it."""
    with log.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    by_step = {int(row[0]): [float(cell or "nan") for cell in row[1:]] for row in rows if len(row) == len(names)}
    steps = np.array(sorted(by_step))
    values = np.array([by_step[step] for step in steps])
    width = max(1, len(steps) // 50)
    for number, name in enumerate(names[1:]):
        blocks = [slice(first, first + width) for first in range(0, len(steps), width)]
        middle = [np.nanmedian(values[block, number]) for block in blocks]
        axis.plot([steps[block].mean() for block in blocks], middle, linewidth=1.2, label=name.replace("_", " "))
    axis.set_xlabel("step")
    axis.set_ylabel("loss")
    axis.grid(visible=True, alpha=0.3)
    axis.legend(fontsize="x-small")
