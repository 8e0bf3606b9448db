"""The plots of an evaluation as PNG: confusion, ROC, reliability, limits of agreement, severity. No display needed."""

import io
from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.scoring.card import ReportedMetric
from core.statistics.agreement import limits_of_agreement
from core.training.evaluation.agreement import Agreement
from core.training.evaluation.classes import ClassCurves
from core.vocabulary import OCTA_ARTIFACTS

BRAND, WARM, INK, CALM, LINE = "#0b6c86", "#b26a00", "#16222c", "#51606c", "#d8e0e6"
CLASS_COLOURS = ("#9c1f18", "#b26a00", "#0b6c86", "#4f7a1f", "#6a4a9c", "#8c3a6b", "#3a5fa8", "#7a6a10")
"""Of the first classes; more begin again with them."""
DPI = 144
PANEL_INCHES = 3.4
N_CLASSES_OF_A_PANEL = 4
"""With more classes a panel becomes wider."""


def class_plot(curves: ClassCurves) -> bytes:
    """Confusion with the truth and of the readers, ROC, reliability, side by side; what is not known is left out."""
    draws: list[Callable[[Axes], None]] = []
    truth = "truth" if curves.readers_confusion is None else "readers' consensus"
    draws.append(lambda panel: _draw_confusion(panel, curves.confusion, curves.labels, down=truth, across="model"))
    readers = curves.readers_confusion
    if readers is not None:
        draws.append(lambda panel: _draw_confusion(panel, readers, curves.labels, down="reader a", across="reader b"))
    if curves.reliability:
        draws += [lambda panel: _draw_roc(panel, curves), lambda panel: _draw_reliability(panel, curves)]
    figure, panels = _panels(len(draws), width=1.0 if len(curves.labels) <= N_CLASSES_OF_A_PANEL else 1.4)
    for draw, panel in zip(draws, panels, strict=True):
        draw(panel)
    return _png(figure)


def _draw_confusion(
    panel: Axes, counts: Sequence[Sequence[int]], labels: Sequence[str], *, down: str, across: str
) -> None:
    table = np.array(counts)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="GnBu", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.6 else INK  # noqa: PLR2004 - where dark cells begin
        size = 12 if table.max() < 10_000 else 6  # noqa: PLR2004 - pixels are counted in millions
        panel.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=size)
    turn = 0 if len(labels) < N_CLASSES_OF_A_PANEL else 45
    panel.set_xticks(range(len(labels)), labels, rotation=turn, ha="right" if turn else "center")
    panel.set_yticks(range(len(labels)), labels, rotation=0 if turn else 90, va="center")
    panel.set(xlabel=across, ylabel=down)
    panel.grid(visible=False)


def _draw_roc(panel: Axes, curves: ClassCurves) -> None:
    panel.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for label, colour in zip(curves.labels, cycle(CLASS_COLOURS), strict=False):
        if label in curves.roc:
            false_rate, true_rate = np.array(curves.roc[label]).T
            panel.plot(false_rate, true_rate, color=colour, label=label, linewidth=1.8)
    panel.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if curves.roc:
        panel.legend(frameon=False, fontsize=8, loc="lower right")
    else:
        panel.text(0.5, 0.5, "only one class in this set", ha="center", va="center", color=CALM, fontsize=9)


def _draw_reliability(panel: Axes, curves: ClassCurves) -> None:
    """The area of a point is its number of images."""
    panel.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    confidence, accuracy, n_images = np.array(curves.reliability).T
    panel.plot(confidence, accuracy, color=BRAND, linewidth=1.2)
    panel.scatter(confidence, accuracy, s=250 * n_images / n_images.sum(), color=BRAND, zorder=3)
    least = min(0.3, 0.9 * float(confidence.min()))
    panel.set(xlabel="confidence", ylabel="share right", xlim=(least, 1.02), ylim=(-0.03, 1.05))


def agreement_plot(agreement: Agreement) -> bytes:
    """Bland-Altman plot; shaded, what a method is known to differ from itself by."""
    figure, (panel,) = _panels(1, width=1.5)
    found, drawn = np.array(agreement.found), np.array(agreement.drawn)
    limits = limits_of_agreement(found, drawn)
    assert limits is not None  # sets below MIN_IMAGES have no Agreement
    if agreement.reach is not None:
        low, high = limits.bias - agreement.reach, limits.bias + agreement.reach
        panel.axhspan(low, high, color=BRAND, alpha=0.10, linewidth=0)
    panel.axhline(0, color=LINE, linewidth=1)
    for value, style in ((limits.bias, "-"), (limits.low, "--"), (limits.high, "--")):
        panel.axhline(value, color=WARM, linewidth=1.2, linestyle=style)
        panel.annotate(
            f"{value:+.3g}", (1, value), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8, color=WARM,
        )  # fmt: skip
    panel.scatter((found + drawn) / 2, found - drawn, s=22, color=BRAND, alpha=0.8, zorder=3, linewidth=0)
    unit = f", {agreement.unit}" if agreement.unit else ""
    panel.set(xlabel=f"{agreement.what}: mean of model and truth{unit}", ylabel=f"model − truth{unit}")
    return _png(figure)


def severity_plot(metrics: Sequence[ReportedMetric]) -> bytes:
    """Kappa per artifact, the model's and the readers', with intervals."""
    figure, (panel,) = _panels(1, width=1.7)
    for position, kind in enumerate(reversed(OCTA_ARTIFACTS)):
        names = (f"{kind.value}: readers' severity kappa", f"{kind.value}: severity kappa")
        for name, colour, offset in zip(names, (CALM, BRAND), (-0.13, 0.13), strict=True):
            for metric in (metric for metric in metrics if metric.name == name):
                panel.plot([metric.low, metric.high], [position + offset] * 2, color=colour, linewidth=2)
                panel.plot(metric.value, position + offset, "o", color=colour, markersize=6)
    panel.set_yticks(range(len(OCTA_ARTIFACTS)), [kind.value.replace("_", " ") for kind in reversed(OCTA_ARTIFACTS)])
    panel.plot([], [], "o-", color=BRAND, label="model and consensus")
    panel.plot([], [], "o-", color=CALM, label="reader a and reader b")
    panel.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    panel.set(
        xlabel="quadratic-weighted kappa of none / mild / severe",
        xlim=(-0.5, 1.02),
        ylim=(-0.5, len(OCTA_ARTIFACTS) - 0.5),
    )
    return _png(figure)


def _panels(count: int, *, width: float = 1.0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(PANEL_INCHES * width * count, PANEL_INCHES), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0].tolist()
    for panel in panels:
        panel.tick_params(labelsize=8, colors=CALM, length=0)
        panel.xaxis.label.set(size=9, color=INK)
        panel.yaxis.label.set(size=9, color=INK)
        panel.grid(visible=True, color=LINE, linewidth=0.6)
        panel.set_axisbelow(True)
        for spine in panel.spines.values():
            spine.set_color(LINE)
    return figure, panels


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
