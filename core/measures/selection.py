"""QU-Net++'s choice of the images to annotate: the first set from image indices, later ones from agreement. Pure.

Source: Roychowdhury 2021, "QU-net++: Image Quality Detection Framework for Segmentation of Medical 3D Image Stacks",
sections II-B and II-C, Algorithm 1. Q says that a model lacks training on images such as this one; it is no grade of
the image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.values import ImageIndices, Measure, Measured, NotComputable

NOTHING_FOUND = NotComputable("neither level finds anything")
NO_OUTPUT = NotComputable("the images have no pixels")

LabelMap = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """The thresholds of both steps."""

    factor: float = 1.0
    """A candidate's blurriness and its PSNR-inverse lie below this times the set's mean."""
    min_candidates_share: float = 0.15
    """Where fewer of a set are candidates the factor is raised until so many are: "by varying the thresholds we can
    isolate about 10-20 % of original samples". Noise lowers blurriness, so that few images are better on both."""
    epsilon: float = 1.0
    """Grey levels in (CoV, mean): candidates no farther apart than this count as the same."""
    max_initial: int = 9
    """"Less than 10 images per set"."""
    q0: float = 0.8
    """An image whose Q lies below lacks training. The paper prints no value: its one example of a good Q is 0.96."""


class Choice(StrEnum):
    """Why an image is, or is not, in the first set S0."""

    CHOSEN = "chosen"
    DUPLICATE = "duplicate"
    """Good, but within epsilon of a chosen one."""
    BEYOND_LIMIT = "beyond limit"
    """Good and different, but the set is full."""
    LOWER_QUALITY = "lower quality"
    """Blurriness or PSNR-inverse above the limit that the set's best keep."""
    NOT_MEASURED = "not measured"
    """The image is flat or black."""


@dataclass(frozen=True, slots=True)
class Place:
    """What became of one image in the first step.

    ``order`` counts the chosen from 1 in the order in which they were taken; it is None for all others. ``like`` is
    the index of the chosen image that a duplicate resembles.
    """

    choice: Choice
    order: int | None = None
    like: int | None = None


def first_set(indices: Sequence[ImageIndices], sets: Sequence[str], rule: SelectionRule) -> list[Place]:
    """S0 of every set (a device, a 3-D stack), by the paper's step 1: what became of each image, in their order.

    Of the images better than the set's average on both whole-image indices the best is taken first, then always the
    one that lies farthest in (CoV, mean) from those taken, until none lies farther than epsilon or the set is full: so
    few images span what there is.
    """
    places = [Place(Choice.NOT_MEASURED)] * len(indices)
    values = [_values(index) for index in indices]
    for name in sorted(set(sets)):
        members = [i for i, own in enumerate(sets) if own == name and values[i] is not None]
        if members:
            table = np.array([values[i] for i in members], np.float64)  # (n, 4)
            for position, place in _places_in_set(table, rule):
                like = None if place.like is None else members[place.like]
                places[members[position]] = Place(place.choice, place.order, like)
    return places


def level_agreement(level_3: LabelMap, level_4: LabelMap) -> Measure:
    """Q: the Jaccard index of two levels' label maps (height, width), 0 background; 0..1, higher agrees more.

    With several classes it is the mean over those that either level finds, each against all others: a class that only
    one level sees counts 0. Where neither finds anything but background there is no Q.
    """
    if level_3.shape != level_4.shape:
        raise ValueError(f"levels of {level_3.shape} and {level_4.shape} pixels cannot be compared; resize one first")
    if not level_3.size:
        return NO_OUTPUT
    n_classes = int(max(level_3.max(), level_4.max())) + 1
    pairs = level_3.astype(np.int64).ravel() * n_classes + level_4.ravel()
    table = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    both = np.diag(table)[1:].astype(np.float64)
    either = table.sum(axis=0)[1:] + table.sum(axis=1)[1:] - both
    found = either > 0
    return Measured(float((both[found] / either[found]).mean())) if found.any() else NOTHING_FOUND


def lacks_training(q: Measure, q0: float) -> bool:
    """Algorithm 1: whether an image is added to the set to annotate. No Q, no doubt: both levels agree on nothing."""
    return isinstance(q, Measured) and q.value < q0


def most_wanted(qs: Sequence[Measure], rule: SelectionRule, limit: int | None = None) -> list[int]:
    """Indices of the images that lack training, the lowest Q first; at most ``limit`` of them."""
    wanting = [(q.value, i) for i, q in enumerate(qs) if isinstance(q, Measured) and lacks_training(q, rule.q0)]
    return [i for _, i in sorted(wanting)][:limit]


def _values(indices: ImageIndices) -> tuple[float, ...] | None:
    """Blurriness, PSNR-inverse, CoV and mean; None where one of them has no value."""
    own = (indices.blurriness, indices.psnr_inverse, indices.cov, indices.mean)
    measured = tuple(value.value for value in own if isinstance(value, Measured))
    return measured if len(measured) == len(own) else None


def _places_in_set(table: NDArray[np.float64], rule: SelectionRule) -> Iterator[tuple[int, Place]]:
    """Position in ``table`` (n, 4) and what became of it, for every image of one set."""
    relative = table[:, :2] / np.maximum(table[:, :2].mean(axis=0), np.finfo(float).tiny)  # 1 is the set's average
    needed = relative.max(axis=1)  # the factor at which each image is a candidate
    n_wanted = max(1, round(rule.min_candidates_share * len(table)))
    good = (needed < rule.factor) | (needed <= np.sort(needed)[n_wanted - 1])
    badness = relative.sum(axis=1)
    candidates = np.flatnonzero(good)
    candidates = candidates[np.argsort(badness[candidates], kind="stable")]  # the best first
    for position in np.flatnonzero(~good):
        yield int(position), Place(Choice.LOWER_QUALITY)
    taken, nearest, distance = _spread(table[candidates, 2:], rule)
    for row, position in enumerate(candidates):
        if row in taken:
            yield int(position), Place(Choice.CHOSEN, order=taken.index(row) + 1)
        elif distance[row] <= rule.epsilon:
            yield int(position), Place(Choice.DUPLICATE, like=int(candidates[nearest[row]]))
        else:
            yield int(position), Place(Choice.BEYOND_LIMIT)


def _spread(
    points: NDArray[np.float64], rule: SelectionRule
) -> tuple[list[int], NDArray[np.intp], NDArray[np.float64]]:
    """Farthest-first traversal (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5) of points (n, 2) from the first.

    Rows taken, in order; and of every row the nearest taken one and its distance.
    """
    taken = [0]
    distance = np.hypot(*(points - points[0]).T)
    nearest = np.zeros(len(points), np.intp)
    while len(taken) < rule.max_initial and distance.max() > rule.epsilon:
        newest = int(distance.argmax())
        taken.append(newest)
        to_newest = np.hypot(*(points - points[newest]).T)
        nearest[to_newest < distance] = newest
        distance = np.minimum(distance, to_newest)
    return taken, nearest, distance
