"""The input of the ONH en-face networks, and the contiguous groupings of the grades. NumPy only.

Training imports this, so that a network never sees another normalisation than it was trained on. Changing anything in
the input changes PREPROCESSING.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.scoring.lanes.zscore import resized
from core.vocabulary import OnhGrade

PREPROCESSING = "onh-square/1"
"""Stored with every assessment: resized to the square input, grey levels shifted and scaled by fixed numbers."""

MEAN, SPREAD = 0.30, 0.18
"""Of grey levels in [0, 1], about those of the phantoms. Fixed and not per image: how dark a scan is says how strong
its signal was, and a z-score would take that away."""

MIN_SIDE_PX = 64
"""Below this an en-face image of the optic nerve head shows nothing that can be graded."""

_N_GRADES = len(OnhGrade)


def onh_input(image: NDArray[np.uint8], size_px: int) -> NDArray[np.float32]:
    """Grey levels (height, width) as the network takes them (size_px, size_px).

    Raises
    ------
    ValueError
        The array is not two-dimensional, or a side is shorter than 64 px.
    """
    if image.ndim != 2 or min(image.shape) < MIN_SIDE_PX:  # noqa: PLR2004 - height and width
        raise ValueError(
            f"Expected a grey image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px, got shape {image.shape}."
        )
    return normalise(resized(image, size_px))


def normalise(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels of any shape in the network's range; 0 is the mean grey."""
    return (levels.astype(np.float32) / np.float32(255) - np.float32(MEAN)) / np.float32(SPREAD)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Neighbouring grades put together; ``class_of`` holds the class of each grade, from 0 and never falling."""

    class_of: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> Self:
        """The grouping that is written like "012|3" or "0|1|2|3".

        Raises
        ------
        UsageError
            It is no grouping of 0, 1, 2 and 3 in order into at least two classes; the message lists them.
        """
        known = {grouping.name: grouping for grouping in cls.every()}
        if name not in known:
            raise UsageError(f"{name!r} groups no grades.", remedy=f"Write one of: {', '.join(known)}.")
        return known[name]

    @classmethod
    def every(cls) -> "list[Self]":
        """All seven contiguous groupings into two, three and four classes, coarse ones first."""
        cuts = [chosen for n in range(1, _N_GRADES) for chosen in combinations(range(1, _N_GRADES), n)]
        return [cls(tuple(sum(grade >= cut for cut in chosen) for grade in range(_N_GRADES))) for chosen in cuts]

    @property
    def name(self) -> str:
        """As it is written: "012|3"."""
        return "|".join(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The grades of each class: "012", "3"."""
        grades = range(_N_GRADES)
        return tuple("".join(str(g) for g in grades if self.class_of[g] == index) for index in range(self.n_classes))

    @property
    def n_classes(self) -> int:
        """How many classes there are, 2 to 4."""
        return self.class_of[-1] + 1

    def merged(self, probabilities: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities (..., classes) of the classes from those (..., 4) of the grades."""
        values = np.asarray(probabilities, np.float64)
        of = np.array(self.class_of)
        return np.stack([values[..., of == index].sum(axis=-1) for index in range(self.n_classes)], axis=-1)


FOUR_GRADES = Grouping((0, 1, 2, 3))
"""Each grade for itself."""
