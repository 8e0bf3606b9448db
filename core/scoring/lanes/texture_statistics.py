"""What a scan's picture alone says of its quality: gradients at four scales, micro-patterns, windows, ridges and lines.

The network's maps know only the artifacts that were drawn for it; these numbers know none, and see the others. They
were compared with the maps' by folds (docs/experiments.md). NumPy and SciPy only.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

N_SCALES = 4
"""Each half as fine as the one before: a fixed filter on ever smaller planes, a tenth of the time of wider filters."""
WINDOW_PX = 16
"""Of the plane at half size: an eighth of the canvas's side, the size of a shadow or a blurred corner."""
RIDGE_WINDOW_PX = 24
SMALLEST_PX = 8
"""Planes with a shorter side say nothing: their numbers are 0."""
_TINY = np.float32(1e-6)
_DARK = np.float32(0.02)
"""Added to a window's mean, so that a black one has no endless contrast."""

_GRADIENT_NAMES = ("gradient_mean", "gradient_sd", "gradient_q90", "gradient_anisotropy", "fine_sd", "fine_skew",
                   "fine_kurtosis")  # fmt: skip
N_PATTERNS = 10
"""Uniform patterns by their number of bright neighbours (0 to 8), and all others together."""
_SPREAD_QUANTILES, _CONTRAST_QUANTILES = (0.02, 0.1, 0.5, 0.9), (0.02, 0.1, 0.5, 0.9, 0.98)
_LEVEL_QUANTILES = (0.02, 0.1, 0.9, 0.98)
_RIDGE_QUANTILES = (0.02, 0.1, 0.5, 0.9)
_RIDGE_SCALES = 2
_STEP_NAMES = ("mean_step_max", "mean_step_sd", "mean_step_top5", "change_max", "change_q95", "change_spread")
_NEIGHBOURS = ((-2, 0), (-2, 2), (0, 2), (2, 2), (2, 0), (2, -2), (0, -2), (-2, -2))
"""Eight, two pixels away, in turn around the pixel."""

Plane = NDArray[np.float32]


@lru_cache(maxsize=1)
def texture_names() -> tuple[str, ...]:
    """The name of each number of ``texture_statistics``, in order."""
    gradients = [f"texture_{name}_{2**scale}" for scale in range(N_SCALES) for name in _GRADIENT_NAMES]
    patterns = [f"texture_pattern_{number}" for number in range(N_PATTERNS)]
    windows = [f"texture_window_spread_q{at}" for at in _SPREAD_QUANTILES]
    windows += [f"texture_window_contrast_q{at}" for at in _CONTRAST_QUANTILES]
    windows += [f"texture_window_level_q{at}" for at in _LEVEL_QUANTILES]
    ridges = [
        f"texture_ridge_{name}_{2**scale}"
        for scale in range(_RIDGE_SCALES)
        for name in ("mean", *(f"q{at}" for at in _RIDGE_QUANTILES), "spread")
    ]
    return (*gradients, *patterns, *windows, *ridges, *(f"texture_row_{name}" for name in _STEP_NAMES))


def texture_statistics(values: Plane) -> NDArray[np.float64]:
    """The numbers (69,), named by ``texture_names``, all finite, of grey values (height, width) in [0, 1]."""
    planes = [values]
    while len(planes) < N_SCALES:
        planes.append(_halved(planes[-1]))
    parts = [_if_large(_gradients, plane, len(_GRADIENT_NAMES)) for plane in planes]
    parts.append(_if_large(_patterns, values, N_PATTERNS))
    n_window = len(_SPREAD_QUANTILES) + len(_CONTRAST_QUANTILES) + len(_LEVEL_QUANTILES)
    parts.append(_if_large(_windows, planes[1], n_window))
    parts += [_if_large(_ridges, plane, len(_RIDGE_QUANTILES) + 2) for plane in planes[:_RIDGE_SCALES]]
    parts.append(_if_large(_row_steps, values, len(_STEP_NAMES)))
    return np.concatenate(parts).astype(np.float64)


_Measure = Callable[[Plane], Sequence[float] | NDArray[np.float64]]


def _if_large(measure: _Measure, plane: Plane, n_numbers: int) -> NDArray[np.float64]:
    if min(plane.shape) < SMALLEST_PX:
        return np.zeros(n_numbers)
    return np.asarray(measure(plane), np.float64)


def _halved(plane: Plane) -> Plane:
    """The mean of 2 x 2 pixels; an odd last line is left out."""
    rows, columns = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    even = plane[:rows, :columns]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)


def _gradients(plane: Plane) -> list[float]:
    """Length of the gradient, its direction, and the shape of what is finer than the scale (7 numbers)."""
    smooth = gaussian_filter(plane, 1.0, truncate=3.0)
    down, across = np.gradient(smooth)
    length = np.sqrt(down * down + across * across)
    fine = plane - smooth
    spread = fine.std() + _TINY
    shaped = (fine - fine.mean()) / spread
    squares = shaped * shaped  # NumPy's power of 3 or 4 takes ten times as long
    return [
        float(length.mean()), float(length.std()), _quantile(length, 0.9),
        float(np.log((np.abs(across).mean() + _TINY) / (np.abs(down).mean() + _TINY))),
        float(spread), float((squares * shaped).mean()), float((squares * squares).mean()),
    ]  # fmt: skip


def _patterns(plane: Plane) -> NDArray[np.float64]:
    """Shares of local binary patterns (Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623; 10 numbers)."""
    smooth = gaussian_filter(plane, 1.0, truncate=3.0)
    height, width = plane.shape
    centre = smooth[2 : height - 2, 2 : width - 2]
    bits = np.stack([smooth[2 + dy : height - 2 + dy, 2 + dx : width - 2 + dx] > centre for dy, dx in _NEIGHBOURS])
    changes = (bits != np.roll(bits, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, bits.sum(axis=0), N_PATTERNS - 1)  # noqa: PLR2004 - uniform: one bright arc
    return np.bincount(pattern.ravel(), minlength=N_PATTERNS) / pattern.size


def _windows(plane: Plane) -> list[float]:
    """Spread, contrast and level of windows: what is flat or dark in places (13 numbers)."""
    mean = uniform_filter(plane, WINDOW_PX)
    spread = np.sqrt(np.maximum(uniform_filter(plane**2, WINDOW_PX) - mean**2, 0))
    inner = np.s_[min(8, plane.shape[0] // 4) :: 4, min(8, plane.shape[1] // 4) :: 4]
    mean, spread = mean[inner], spread[inner]
    contrast = spread / (mean + _DARK)
    return [
        *(_quantile(spread, at) for at in _SPREAD_QUANTILES),
        *(_quantile(contrast, at) for at in _CONTRAST_QUANTILES),
        *(_quantile(mean, at) for at in _LEVEL_QUANTILES),
    ]


def _ridges(plane: Plane) -> list[float]:
    """Bright ridges by the smaller eigenvalue of the Hessian, and how evenly they lie (6 numbers)."""
    smooth = gaussian_filter(plane, 1.0, truncate=3.0)
    down, across = np.gradient(smooth)
    (yy, xy), xx = np.gradient(down), np.gradient(across, axis=1)
    smaller = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    ridge = np.maximum(-smaller, 0)
    local = uniform_filter(ridge, RIDGE_WINDOW_PX)[::4, ::4]
    return [
        float(ridge.mean()),
        *(_quantile(local, at) for at in _RIDGE_QUANTILES),
        float(local.std() / (local.mean() + _TINY)),
    ]


def _row_steps(plane: Plane) -> list[float]:
    """Jumps between neighbouring rows, of their means and of all their pixels (6 numbers)."""
    steps = np.abs(np.diff(plane.mean(axis=1)))
    change = np.abs(np.diff(plane, axis=0)).mean(axis=1)
    usual = float(np.median(change)) + 1e-3
    return [
        float(steps.max()), float(steps.std()), float(np.sort(steps)[-5:].mean()),
        float(change.max()) / usual, _quantile(change, 0.95) / usual, float(change.std() / (change.mean() + _TINY)),
    ]  # fmt: skip


def _quantile(values: NDArray[np.float32], at: float) -> float:
    """One linear quantile; NumPy's own looks for NaN too, in several times the time."""
    place = at * (values.size - 1)
    below = int(place)
    above = min(below + 1, values.size - 1)
    parts = np.partition(values, (below, above), axis=None)
    return float(parts[below] + (place - below) * (parts[above] - parts[below]))
