"""A fitted kernel machine as plain arrays: how like the known scans a scan is, and what those were.

Kernel ridge regression with a Gaussian kernel. Far from every known scan it says what their mean says: where trees
still choose a leaf, it knows that it knows nothing. NumPy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FURTHEST = 4.0
"""Spreads from the mean beyond which a number counts no further: one strange number must not decide alone."""
_FIELDS = ("mean", "spread", "known", "dual", "offset")
_N_BORDERS = 2


@dataclass(frozen=True, slots=True)
class KernelMachine:
    """One machine for several judgements of three ordered classes.

    Attributes
    ----------
    mean, spread : float32 (S,)
        Of the statistics; each is brought to 0 and 1.
    known : float32 (n, S)
        The scans it was fitted on, so scaled and cut at FURTHEST.
    dual : float32 (n, J, 2)
        Their weight in each judgement's two borders: second class or better, third class.
    offset : float32 (J, 2)
        What is said of a scan that is like none.
    width : float
        Of the kernel exp(-width * squared distance).
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    known: NDArray[np.float32]
    dual: NDArray[np.float32]
    offset: NDArray[np.float32]
    width: float

    def shares(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares (J, 3) of the classes for one scan's numbers (S,): regressed borders cut to 0..1, in order."""
        seen = scaled(numbers[None], self.mean, self.spread)
        kernel = kernel_of(seen, self.known.astype(np.float64), self.width)[0]
        return shares_of_borders(np.tensordot(kernel, self.dual.astype(np.float64), axes=1) + self.offset)

    def tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What is stored beside the network's weights."""
        found: dict[str, NDArray[np.generic]] = {f"{prefix}.{name}": getattr(self, name) for name in _FIELDS}
        return found | {f"{prefix}.width": np.array([self.width], np.float64)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> Self:
        """The machine of a weights file; ValueError where a part is missing, or the parts do not fit together."""
        try:
            parts = {name: np.asarray(tensors[f"{prefix}.{name}"], np.float32) for name in _FIELDS}
            width = float(np.asarray(tensors[f"{prefix}.width"], np.float64)[0])
        except KeyError as error:
            raise ValueError(f"the weights hold no {error.args[0]}") from error
        n_known, n_statistics = parts["known"].shape
        n_judged = len(parts["offset"])
        shapes = {"mean": (n_statistics,), "spread": (n_statistics,), "dual": (n_known, n_judged, _N_BORDERS)}
        shapes |= {"offset": (n_judged, _N_BORDERS)}
        if any(parts[name].shape != shape for name, shape in shapes.items()) or not parts["spread"].min() > 0:
            raise ValueError(f"the parts of {prefix} do not fit together")
        return cls(**parts, width=width)


def scaled(numbers: NDArray[np.float64], mean: NDArray[np.float32], spread: NDArray[np.float32]) -> NDArray[np.float64]:
    """Numbers (m, S) as the kernel sees them: in spreads from the mean, at most FURTHEST."""
    return np.clip((numbers - mean) / spread, -FURTHEST, FURTHEST)


def kernel_of(first: NDArray[np.float64], second: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """The Gaussian kernel (n, m) of scaled numbers (n, S) and (m, S)."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2 * first @ second.T
    return np.asarray(np.exp(-width * np.maximum(squares, 0)), np.float64)


def shares_of_borders(borders: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (..., 3) from P(second class or better) and P(third class) (..., 2), the second at most the first."""
    reached = np.clip(borders, 0, 1)
    first, second = reached[..., 0], np.minimum(reached[..., 0], reached[..., 1])
    return np.stack([1 - first, first - second, second], axis=-1)
