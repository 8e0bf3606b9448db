"""The plots of an evaluation as PNG: confusion, ROC, reliability, limits of agreement, severity. No display needed."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from core.scoring.card import ReportedMetric
from core.statistics.agreement import limits_of_agreement
from core.training.evaluation.grades import GradeCurves
from core.training.evaluation.zones import REPEATABILITY_MM2, AreaAgreement
from core.vocabulary import OCTA_ARTIFACTS

BRAND, WARM, INK, CALM, LINE = "#0b6c86", "#b26a00", "#16222c", "#51606c", "#d8e0e6"
CLASS_COLOURS = ("#9c1f18", "#b26a00", "#0b6c86")
DPI = 144
PANEL_INCHES = 3.4
PANELS_OF_GRADE = 4


def grade_plot(curves: GradeCurves) -> bytes:
    """Confusion with the truth, confusion of the readers, ROC, reliability, side by side; the second where known."""
    figure, panels = _panels(PANELS_OF_GRADE)
    truth = "truth" if curves.readers_confusion is None else "readers' consensus"
    _draw_confusion(panels[0], curves.confusion, curves.labels, down=truth, across="model")
    if curves.readers_confusion is None:
        panels[1].set_visible(False)
    else:
        _draw_confusion(panels[1], curves.readers_confusion, curves.labels, down="reader a", across="reader b")
    _draw_roc(panels[2], curves)
    _draw_reliability(panels[3], curves)
    return _png(figure)


def _draw_confusion(
    panel: Axes, counts: Sequence[Sequence[int]], labels: Sequence[str], *, down: str, across: str
) -> None:
    table = np.array(counts)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="GnBu", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.6 else INK  # noqa: PLR2004 - where dark cells begin
        panel.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=12)
    panel.set_xticks(range(len(labels)), labels)
    panel.set_yticks(range(len(labels)), labels, rotation=90, va="center")
    panel.set(xlabel=across, ylabel=down)
    panel.grid(visible=False)


def _draw_roc(panel: Axes, curves: GradeCurves) -> None:
    panel.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for label, colour in zip(curves.labels, CLASS_COLOURS, strict=True):
        if label in curves.roc:
            false_rate, true_rate = np.array(curves.roc[label]).T
            panel.plot(false_rate, true_rate, color=colour, label=label, linewidth=1.8)
    panel.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if curves.roc:
        panel.legend(frameon=False, fontsize=8, loc="lower right")
    else:
        panel.text(0.5, 0.5, "only one class in this set", ha="center", va="center", color=CALM, fontsize=9)


def _draw_reliability(panel: Axes, curves: GradeCurves) -> None:
    """The area of a point is its number of images."""
    panel.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    confidence, accuracy, n_images = np.array(curves.reliability).T
    panel.plot(confidence, accuracy, color=BRAND, linewidth=1.2)
    panel.scatter(confidence, accuracy, s=250 * n_images / n_images.sum(), color=BRAND, zorder=3)
    panel.set(xlabel="confidence", ylabel="share right", xlim=(0.3, 1.02), ylim=(-0.03, 1.05))


def area_plot(agreement: AreaAgreement) -> bytes:
    """Bland-Altman plot of the FAZ area; shaded, what a method differs from itself by."""
    figure, (panel,) = _panels(1, width=1.5)
    found, drawn = np.array(agreement.found_mm2), np.array(agreement.drawn_mm2)
    limits = limits_of_agreement(found, drawn)
    assert limits is not None  # sets below MIN_IMAGES have no AreaAgreement
    reach = REPEATABILITY_MM2["semi-automatic"]
    panel.axhspan(limits.bias - reach, limits.bias + reach, color=BRAND, alpha=0.10, linewidth=0)
    panel.axhline(0, color=LINE, linewidth=1)
    for value, style in ((limits.bias, "-"), (limits.low, "--"), (limits.high, "--")):
        panel.axhline(value, color=WARM, linewidth=1.2, linestyle=style)
        panel.annotate(
            f"{value:+.3f}", (1, value), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8, color=WARM,
        )  # fmt: skip
    panel.scatter((found + drawn) / 2, found - drawn, s=22, color=BRAND, alpha=0.8, zorder=3, linewidth=0)
    panel.set(xlabel="mean of model and manual area, mm²", ylabel="model − manual, mm²")
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
