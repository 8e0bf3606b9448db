"""What a scan's image and the network's maps say in some 170 numbers: what the scan heads decide on.

The maps say where an artifact is; grade and severity are judged on how much of it there is, how it lies and how clear
the rest of the image is. NumPy only.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from core.scoring.lanes.canvas import CANVAS_PX, Placement, logistic
from core.scoring.lanes.likeness import FEATURE_NAMES
from core.scoring.lanes.texture_statistics import texture_names, texture_statistics
from core.vocabulary import OCTA_ARTIFACTS

LEVELS = (0.15, 0.3, 0.5, 0.7)
"""Probabilities above which the area of an artifact is measured; one number each, where one cut would decide all."""
LINE_QUANTILES = (0.9, 0.97, 1.0)
BLOCKS = 16
_TINY = 1e-3
"""A share of the image below a thousandth counts as that."""

_AREA_NAMES = ("mean", *(f"above_{level}" for level in LEVELS), *(f"line_q{q}" for q in LINE_QUANTILES), "lines")


@lru_cache(maxsize=1)
def statistic_names() -> tuple[str, ...]:
    """The name of each number of ``scan_statistics``, in order."""
    areas = [f"{kind.value}_{name}" for kind in OCTA_ARTIFACTS for name in _AREA_NAMES]
    zone = ["faz_share", "faz_certainty", "faz_edge", "faz_contrast"]
    vessels = ["vessel_share", "vessel_certainty", "vessel_contrast"]
    lines = [f"{axis}_{name}" for axis in ("row", "column") for name in _LINE_NAMES]
    blocks = [f"block_{what}_q{q}" for what in ("mean", "spread") for q in _BLOCK_QUANTILES]
    blocks += ["block_dark_share", "block_flat_share"]
    simulated = [f"simulated_grade_{grade}" for grade in range(3)]
    return (*areas, *zone, *vessels, *lines, *blocks, *_TEXTURE_NAMES, *simulated, *FEATURE_NAMES, *texture_names())


_LINE_NAMES = (
    "step_spread", "step_max", "step_mean",
    "likeness_mean", "likeness_q01", "likeness_q05", "likeness_q50", "likeness_low_share",
    "distant_likeness_q02", "distant_likeness_q10", "spread_low", "spread_high",
)  # fmt: skip
_BLOCK_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.9)
_TEXTURE_NAMES = ("fine_grain", "fine_share", "ridge_mean", "ridge_low", "ridge_share", "row_lag", "column_lag")


def scan_statistics(
    canvas: NDArray[np.uint8],
    placement: Placement,
    *,
    artifact_logits: NDArray[np.float32],
    faz_logits: NDArray[np.float32],
    large_vessel_logits: NDArray[np.float32],
    simulated_grade_logits: NDArray[np.float32],
    likeness: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The numbers (n,), named by ``statistic_names``, all finite.

    Parameters
    ----------
    canvas : uint8 (256, 256)
    artifact_logits : float32 (4, 128, 128)
    faz_logits, large_vessel_logits : float32 (128, 128)
    simulated_grade_logits : float32 (3,)
    likeness : float64 (14,)
        What ``likeness_features`` says of the canvas.
    """
    rows, columns = _inside(placement, 1)
    cells = _inside(placement, CANVAS_PX // faz_logits.shape[0])
    values = canvas[rows, columns].astype(np.float32) / np.float32(255)
    coarse = _halved(canvas, CANVAS_PX // faz_logits.shape[0])[cells]
    artifacts = [_area_statistics(logistic(logits[cells])) for logits in artifact_logits]
    return np.concatenate(
        [
            *artifacts,
            _faz_statistics(logistic(faz_logits[cells]), coarse),
            _vessel_statistics(logistic(large_vessel_logits[cells]), coarse),
            _line_statistics(values),
            _line_statistics(np.ascontiguousarray(values.T)),
            _block_statistics(values),
            _texture_statistics(values),
            simulated_grade_logits - simulated_grade_logits.mean(),
            likeness,
            # Last, so that heads fitted without them find their numbers where they were.
            texture_statistics(values),
        ]
    ).astype(np.float64)


def _inside(placement: Placement, stride_px: int) -> tuple[slice, slice]:
    left, top, right, bottom = placement.box(stride_px)
    return slice(round(top), max(round(bottom), round(top) + 1)), slice(round(left), max(round(right), round(left) + 1))


def _halved(canvas: NDArray[np.uint8], stride_px: int) -> NDArray[np.float32]:
    side = CANVAS_PX // stride_px
    rows = canvas.reshape(side, stride_px, CANVAS_PX).sum(axis=1, dtype=np.uint32)
    sums = sum(rows[:, column::stride_px] for column in range(stride_px))
    return np.asarray(sums / np.float32(255 * stride_px**2), np.float32)


def _quantiles(values: NDArray[np.float32], at: tuple[float, ...]) -> NDArray[np.float64]:
    """NumPy's linear quantiles of a short array of any shape, in a tenth of its time."""
    ranked = np.sort(values, axis=None)
    return np.asarray(np.interp(np.array(at) * (ranked.size - 1), np.arange(ranked.size), ranked), np.float64)


def _mean_product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.vecdot(first, second).sum()) / first.size


def _area_statistics(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of an artifact there is: mean, area above each level (logarithms), and how it gathers in lines."""
    shares = [np.count_nonzero(probability > level) / probability.size for level in LEVELS]
    per_line = probability.mean(axis=1)
    return np.array(
        [
            np.log(float(probability.mean()) + _TINY),
            *(np.log(np.array(shares) + _TINY)),
            *_quantiles(per_line, LINE_QUANTILES),
            float((per_line > 0.5).mean()),  # noqa: PLR2004 - lines mostly covered
        ]
    )


def _faz_statistics(probability: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.float64]:
    """Whether a FAZ is seen: its share, how sure and how sharp its mask is, how dark it is against the rest."""
    inside = probability > 0.5  # noqa: PLR2004 - more likely than not
    if not inside.any():
        return np.array([np.log(_TINY), float(probability.max()), 1.0, 0.0])
    unsure = ((probability > 0.1) & (probability < 0.9)).sum()  # noqa: PLR2004 - the soft edge
    contrast = float(coarse[~inside].mean() - coarse[inside].mean()) if not inside.all() else 0.0
    edge = float(unsure) / float(np.sqrt(inside.sum()))
    return np.array(
        [np.log(float(inside.mean()) + _TINY), float(probability[inside].mean()), min(edge, 50.0), contrast]
    )


def _vessel_statistics(probability: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.float64]:
    """Whether the large vessels stand out: their share, how sure the mask is, how bright they are."""
    seen = probability > 0.5  # noqa: PLR2004 - more likely than not
    certainty = float(np.abs(2 * probability - 1).mean())
    contrast = float(coarse[seen].mean() - coarse[~seen].mean()) if seen.any() and not seen.all() else 0.0
    return np.array([float(seen.mean()), certainty, contrast])


def _line_statistics(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Steps between neighbouring lines, and how alike they are: eye movement breaks both (12 numbers)."""
    means = values.mean(axis=1)
    steps = np.abs(means - uniform_filter1d(means, 15, mode="nearest"))
    centred = values - means[:, None]
    norm = np.sqrt(np.vecdot(centred, centred))
    length = norm + np.float32(_TINY)
    likeness = np.vecdot(centred[1:], centred[:-1]) / (length[1:] * length[:-1])
    distant = np.vecdot(centred[4:], centred[:-4]) / (length[4:] * length[:-4])
    spread = norm / np.sqrt(np.float32(values.shape[1]))
    relative = spread / (np.median(spread) + np.float32(_TINY))
    return np.array(
        [
            steps.std(), steps.max(), np.abs(np.diff(means)).mean(),
            likeness.mean(), *_quantiles(likeness, (0.01, 0.05, 0.5)),
            (likeness < np.median(likeness) - 0.25).mean(),
            *_quantiles(distant, (0.02, 0.1)), *_quantiles(relative, (0.02, 0.98)),
        ]
    )  # fmt: skip


def _block_statistics(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The darkest and flattest of 16 x 16 blocks: shadows and blurred corners are local (12 numbers)."""
    height, width = (length // BLOCKS for length in values.shape)
    if min(height, width) < 1:
        return np.zeros(2 * len(_BLOCK_QUANTILES) + 2)
    blocks = _blocks(values[: height * BLOCKS, : width * BLOCKS], height, width)
    mean, spread = blocks.mean(axis=2), blocks.std(axis=2)
    return np.array(
        [
            *_quantiles(mean, _BLOCK_QUANTILES),
            *_quantiles(spread, _BLOCK_QUANTILES),
            (mean < 0.6 * np.median(mean)).mean(),
            (spread < 0.5 * np.median(spread)).mean(),
        ]
    )


def _blocks(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The whole blocks of ``height`` x ``width`` pixels as (row, column, pixel): sums along memory are fast."""
    rows, columns = values.shape[0] // height, values.shape[1] // width
    blocks = values[: rows * height, : columns * width].reshape(rows, height, columns, width)
    return blocks.swapaxes(1, 2).reshape(rows, columns, height * width)


def _texture_statistics(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Grain against structure, how much of the image holds ridges, how far a line goes on (7 numbers)."""
    inner = values[1:-1, 1:-1]
    ring = (values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]) / 4
    grain = float(np.abs(inner - ring).mean())
    overall = float(values.std()) + _TINY
    second = 2 * values[4:-4, 4:-4] - np.minimum(
        values[:-8, 4:-4] + values[8:, 4:-4], values[4:-4, :-8] + values[4:-4, 8:]
    )
    ridge = np.maximum(second, 0)
    local = _blocks(ridge, 8, 8).mean(axis=2)
    centred = values - values.mean()
    variance = _mean_product(centred, centred) + _TINY**2
    row_lag = _mean_product(centred[2:], centred[:-2]) / variance
    column_lag = _mean_product(centred[:, 2:], centred[:, :-2]) / variance
    return np.array(
        [
            grain,
            grain / overall,
            float(ridge.mean()),
            *_quantiles(local, (0.1,)),
            float((local > 0.5 * local.mean()).mean()),
            row_lag,
            column_lag,
        ]
    )
