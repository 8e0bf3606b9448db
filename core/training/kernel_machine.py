"""Fits the kernel machine of the scan heads, in closed form, with what it says of each scan when left out.

Kernel ridge regression (Saunders, Gammerman and Vovk 1998) of both borders of each judgement, every scan weighed.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from core.scoring.lanes.kernel_machine import KernelMachine, kernel_of, scaled, shares_of_borders
from core.training.balance import UNKNOWN, balanced_weights

WIDTH_PER_STATISTIC = 0.3
"""Of the kernel: the squared distance of two unlike scans grows with the number of statistics."""
RIDGE = 0.1
"""Of a scan of weight one. Both were middle values of the few tried (docs/experiments.md)."""
_TINY = np.float32(1e-6)
Matrix = NDArray[np.float64]


def fit_machine(statistics: Matrix, truth: NDArray[np.int64], weight: Matrix) -> tuple[KernelMachine, Matrix]:
    """The machine for scans with some known judgements, and what is said of each scan by the others.

    Parameters
    ----------
    statistics : float64 (n, S)
    truth : int64 (n, J)
        Classes 0 to 2, or UNKNOWN: such a scan has no say in that judgement.
    weight : float64 (n,)
        Classes are balanced among scans of the same weight; the statistics are scaled by the heaviest scans.

    Returns
    -------
    KernelMachine
    float64 (n, J, 3)
        Shares of the classes by the machine without that one scan; zeros where the truth is unknown.
    """
    seen, mean, spread = _scaled(statistics, weight)
    width = WIDTH_PER_STATISTIC / statistics.shape[1]
    kernel = kernel_of(seen, seen, width)
    dual, offset = np.zeros((*truth.shape, 2)), np.zeros((truth.shape[1], 2))
    left_out = np.zeros((*truth.shape, 3))
    for number, classes in enumerate(truth.T):
        known = np.flatnonzero(classes != UNKNOWN)
        if len(known):
            ridge = RIDGE / balanced_weights(classes[known], weight[known])
            found = _solved(kernel[np.ix_(known, known)], ridge, classes[known])
            dual[known, number], offset[number], left_out[known, number] = found
    machine = KernelMachine(mean, spread, _small(seen), _small(dual), _small(offset), width)
    return machine, left_out


Small = NDArray[np.float32]


def _small(array: Matrix) -> Small:
    return array.astype(np.float32)


def _scaled(statistics: Matrix, weight: Matrix) -> tuple[Matrix, Small, Small]:
    """The statistics as the machine will see them, with their mean and spread as they are stored.

    Both are those of the heaviest scans, the real ones: simulated scans must not say what is far from what.
    """
    heaviest = statistics[weight == weight.max()]
    mean = heaviest.mean(axis=0).astype(np.float32)
    spread = heaviest.std(axis=0, mean=mean).astype(np.float32) + _TINY
    return scaled(statistics, mean, spread), mean, spread


def _solved(kernel: Matrix, ridge: Matrix, classes: NDArray[np.int64]) -> tuple[Matrix, Matrix, Matrix]:
    """Dual weights (k, 2), offset (2,) and the shares (k, 3) of each scan by the others, for one judgement."""
    reached = np.stack([classes >= 1, classes >= 2], axis=1).astype(np.float64)  # noqa: PLR2004 - the third class
    offset = np.average(reached, axis=0, weights=1 / ridge)
    factor = cho_factor(kernel + np.diag(ridge))
    dual = cho_solve(factor, reached - offset)
    diagonal = np.diag(cho_solve(factor, np.eye(len(ridge))))
    return dual, offset, shares_of_borders(reached - dual / diagonal[:, None])
