"""A fitted forest of decision trees as plain arrays: walked in NumPy, stored as safetensors, never pickled."""

from collections.abc import Mapping, Sequence
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
        return Grove.of([self]).shares(numbers)[0]

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


@dataclass(frozen=True, slots=True)
class Grove:
    """Several forests with their nodes in one list, walked together: the calls take the time, not the trees.

    Attributes
    ----------
    asks, threshold : intp, float32 (nodes,)
        As in Forest; leaves ask for any number.
    children : intp (2, nodes)
        Where a node sends a scan whose number is at most the threshold, and above it; a leaf sends it to itself.
    values : float32 (nodes, classes)
    roots : intp (trees,)
    ends : intp (forests,)
        Number of trees up to and with each forest.
    """

    asks: NDArray[np.intp]
    threshold: NDArray[np.float32]
    children: NDArray[np.intp]
    values: NDArray[np.float32]
    roots: NDArray[np.intp]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, forests: Sequence[Forest]) -> Self:
        """The forests, in order, as one."""
        first_nodes = np.cumsum([0, *(len(forest.feature) for forest in forests[:-1])])
        feature = np.concatenate([forest.feature for forest in forests])
        left = np.concatenate([forest.left + first for forest, first in zip(forests, first_nodes, strict=True)])
        right = np.concatenate([forest.right + first for forest, first in zip(forests, first_nodes, strict=True)])
        roots = np.concatenate([forest.roots + first for forest, first in zip(forests, first_nodes, strict=True)])
        is_leaf = feature == LEAF
        return cls(
            asks=np.where(is_leaf, 0, feature).astype(np.intp),
            threshold=np.concatenate([forest.threshold for forest in forests]),
            children=np.where(is_leaf, np.arange(len(feature)), np.stack([left, right])),
            values=np.concatenate([forest.values for forest in forests]),
            roots=roots,
            ends=np.cumsum([len(forest.roots) for forest in forests]),
        )

    def shares(self, numbers: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Each forest's shares of the classes (classes,) for one scan's numbers (n,)."""
        asked = numbers.astype(np.float32)
        nodes, before = self.roots, None
        while before is None or not np.array_equal(nodes, before):
            is_above = asked[self.asks[nodes]] > self.threshold[nodes]
            nodes, before = self.children[is_above.astype(np.intp), nodes], nodes
        by_forest = np.split(self.values[nodes], self.ends[:-1])
        return [np.asarray(leaves.mean(axis=0, dtype=np.float64)) for leaves in by_forest]
