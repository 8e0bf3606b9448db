"""Whether the levels of a layer network read layers, and whether their agreement tells where the answer is wrong."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from core.measures.selection import level_agreement
from core.scoring.card import ReportedMetric
from core.scoring.lanes.layer_canvas import on_canvas
from core.scoring.lanes.layer_mask import class_shares
from core.scoring.lanes.layer_scheme import Labels, n_classes
from core.scoring.torch_backend.layers import CPU_BATCH, LayerSegmenter
from core.training.evaluation.figures import MIN_IMAGES, Sample, Topic
from core.training.layers.cases import Rows, dices_of
from core.values import Measured

AGREEMENT = "Q, the agreement of the last two levels"
TELLS = "rank correlation of Q and the answer's Dice"


def level_figures(
    segmenter: LayerSegmenter,
    images: Sequence[NDArray[np.uint8]],
    truths: Sequence[Labels],
    groups: Sequence[str],
    label: str,
) -> list[ReportedMetric]:
    """Dice of every level, Q, and how Q goes with the answer's Dice; nothing of a network without levels.

    All at the network's own size, where Q is taken. ``truths`` are label maps of the images' sizes (height, width).
    """
    if not segmenter.has_levels or len(images) < MIN_IMAGES:
        return []
    size_px, n = int(segmenter.card.network["image_px"]), n_classes(segmenter.card.scheme)
    canvases = [on_canvas(image, size_px) for image in images]
    found = np.concatenate(
        [segmenter.level_labels(canvases[first:][:CPU_BATCH]) for first in range(0, len(canvases), CPU_BATCH)]
    )  # (images, levels, S, S)
    true = [class_shares(truth, n, size_px, size_px).argmax(axis=0) for truth in truths]
    dices = np.array(
        [[_mean_dice(cells, level, n) for level in own] for cells, own in zip(true, found, strict=True)]
    )  # (images, levels)
    qs = np.array([_q(own) for own in found])
    n_levels = dices.shape[1]

    def figures(index: NDArray[np.intp]) -> dict[str, float | None]:
        return {
            **{f"Dice of level {at + 1} of {n_levels}": _mean(dices[index, at]) for at in range(n_levels)},
            AGREEMENT: _mean(qs[index]),
            TELLS: _rank_correlation(qs[index], dices[index, -1]),
        }

    return Sample(Topic.LEVELS, label, tuple(groups)).figures(figures)


def _mean_dice(true: NDArray[np.int64], found: Labels, n: int) -> float:
    """Mean over the classes but background that either has; NaN where neither has one."""
    confusion = np.bincount((true * n + found).ravel(), minlength=n * n).reshape(n, n)
    dice = _mean(dices_of(confusion))
    return float("nan") if dice is None else dice


def _q(levels: NDArray[np.uint8]) -> float:
    q = level_agreement(levels[-2], levels[-1])
    return q.value if isinstance(q, Measured) else float("nan")


def _mean(values: Rows) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else None


def _rank_correlation(qs: Rows, dices: Rows) -> float | None:
    """Spearman's; None where either does not vary."""
    there = np.isfinite(qs) & np.isfinite(dices)
    if len(set(qs[there])) < 2 or len(set(dices[there])) < 2:  # noqa: PLR2004 - nothing to rank
        return None
    return float(spearmanr(qs[there], dices[there]).statistic)
