"""A fitted forest of decision trees as plain arrays: walked in NumPy, stored as safetensors, never pickled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LEAF = -1
_FIELDS = ("feature", "threshold", "left", "right", "values", "roots")


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees joined into one list of nodes.

    Attributes
    ----------
    feature : int16 (nodes,)
        Which number a node asks for; LEAF (-1) at leaves.
    threshold : float32 (nodes,)
        A scan goes left where its number is at most this.
    left, right : int32 (nodes,)
        Node numbers.
    values : float32 (nodes, classes)
        Share of each class at a leaf.
    roots : int32 (trees,)
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    values: NDArray[np.float32]
    roots: NDArray[np.int32]

    def shares(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The classes' shares (classes,) for one scan's numbers (n,): the mean over the trees' leaves."""
        asked = numbers.astype(np.float32)
        nodes = self.roots
        while True:
            features = self.feature[nodes]
            is_leaf = features == LEAF
            if is_leaf.all():
                return np.asarray(self.values[nodes].mean(axis=0, dtype=np.float64))
            goes_left = asked[features] <= self.threshold[nodes]
            nodes = np.where(is_leaf, nodes, np.where(goes_left, self.left[nodes], self.right[nodes]))

    def tensors(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What is stored; the shares as float16, which is finer than any number of scans can tell apart."""
        found: dict[str, NDArray[np.generic]] = {f"{prefix}.{name}": getattr(self, name) for name in _FIELDS}
        found[f"{prefix}.values"] = self.values.astype(np.float16)
        return found

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], prefix: str) -> Self:
        """The forest of a weights file.

        Raises
        ------
        ValueError
            A part is missing, or a node points outside the forest.
        """
        try:
            parts = {name: np.asarray(tensors[f"{prefix}.{name}"]) for name in _FIELDS}
        except KeyError as error:
            raise ValueError(f"the weights hold no {error.args[0]}") from error
        n_nodes = len(parts["feature"])
        children = np.concatenate([parts["left"], parts["right"], parts["roots"]])
        if n_nodes == 0 or children.min() < 0 or children.max() >= n_nodes:
            raise ValueError(f"the forest {prefix} points outside itself")
        inner = parts["feature"] != LEAF
        # A child that comes later than its parent makes endless walks impossible.
        order = np.flatnonzero(inner)
        if (parts["left"][order] <= order).any() or (parts["right"][order] <= order).any():
            raise ValueError(f"the forest {prefix} runs in a circle")
        return cls(
            parts["feature"].astype(np.int16),
            parts["threshold"].astype(np.float32),
            parts["left"].astype(np.int32),
            parts["right"].astype(np.int32),
            parts["values"].astype(np.float32),
            parts["roots"].astype(np.int32),
        )
