"""Parts for training, validation and testing that never share a person or a picture; stored with the run.

Images of one subject, and near duplicates under different subject codes, form a group. Without a ``split`` column
groups are dealt by a hash before anything is looked at. With one, the user's parts are taken as they are and leakage
between them is refused, naming the pair.
"""

import csv
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.errors import UsageError
from core.training.supervised.picture import Picture
from core.training.supervised.recipe import FazRecipe, SupervisedRecipe
from core.training.supervised.record import Part

SPLITS_NAME = "splits.csv"
MAX_LEAKS_SHOWN = 10
_BLOCK = 2048
"""Thumbnails compared at once: 2048 x 10,000 correlations take 80 MB."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture with its group and part; ``fold`` counts from 0 where the recipe cross-validates, else it is None."""

    picture: Picture
    group: str
    part: Part
    fold: int | None = None


def place(pictures: Sequence[Picture], recipe: SupervisedRecipe) -> list[Placed]:
    """Deal the pictures to parts and folds.

    Raises
    ------
    UsageError
        The user's own split leaks, or a part or fold would be empty.
    """
    pairs = near_duplicates(pictures, recipe.near_duplicate_correlation)
    groups = grouped(pictures, pairs)
    if any(picture.record.split is not None for picture in pictures):
        refuse_leakage(pictures, pairs)
        parts = [picture.record.split or Part.TRAIN for picture in pictures]
    else:
        dealt = _deal(pictures, groups, recipe)
        parts = [dealt[group] for group in groups]
    if isinstance(recipe, FazRecipe):  # every fold is in turn the validation part of the others
        parts = [Part.TRAIN if part is Part.VALIDATION else part for part in parts]
    folds = _folds(groups, parts, recipe)
    _refuse_empty(parts, folds, recipe)
    return [Placed(*row) for row in zip(pictures, groups, parts, folds, strict=True)]


def near_duplicates(pictures: Sequence[Picture], correlation: float) -> list[tuple[int, int]]:
    """Index pairs with the same pixels, or whose thumbnails correlate above this."""
    thumbnails = np.stack([picture.thumbnail for picture in pictures])  # (n, 1024)
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(pictures), _BLOCK):
        products: NDArray[np.float32] = thumbnails[start : start + _BLOCK] @ thumbnails.T  # (block, n)
        rows, columns = np.nonzero(products > correlation)
        pairs |= {(int(row) + start, int(column)) for row, column in zip(rows, columns, strict=True)}
    first: dict[str, int] = {}
    for index, picture in enumerate(pictures):
        pairs.add((first.setdefault(picture.pixel_sha256, index), index))  # an even image correlates with nothing
    return sorted(pair for pair in pairs if pair[0] < pair[1])


def refuse_leakage(pictures: Sequence[Picture], pairs: Sequence[tuple[int, int]]) -> None:
    """Raise UsageError where a subject or a (near) duplicate lies in two parts of the user's own split."""
    leaks = [*_shared_subjects(pictures), *_shared_pictures(pictures, pairs)]
    if not leaks:
        return
    more = f"\n  and {len(leaks) - MAX_LEAKS_SHOWN} more" if len(leaks) > MAX_LEAKS_SHOWN else ""
    shown = "\n".join(f"  {leak}" for leak in leaks[:MAX_LEAKS_SHOWN])
    raise UsageError(
        f"The parts of the split column share what they must not:\n{shown}{more}\n",
        remedy="Put both images of a pair into one part, or empty the split column: then parts are made by subject. "
        "If two images that look alike are different scans, raise --set near_duplicate_correlation=0.98.",
    )


def write_splits(placed: Sequence[Placed], path: Path) -> None:
    """The parts as CSV: file, subject, group, part, fold, pixel_sha256."""
    write_split_rows(
        (
            (item.picture.record.file, item.picture.record.subject, item.group, item.part, item.fold,
             item.picture.pixel_sha256)
            for item in placed
        ),
        path,
    )  # fmt: skip


def write_split_rows(rows: Iterable[tuple[str, str, str, str, int | None, str]], path: Path) -> None:
    """Such rows as CSV, whoever dealt the parts; a fold of None is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("file", "subject", "group", "part", "fold", "pixel_sha256"))
        lines.writerows(rows)


def _shared_subjects(pictures: Sequence[Picture]) -> Iterator[str]:
    first: dict[str, Picture] = {}
    for picture in pictures:
        other = first.setdefault(picture.record.subject, picture)
        if other.record.split is not picture.record.split:
            yield (
                f"subject {picture.record.subject}: {other.record.file} ({other.record.split}) and "
                f"{picture.record.file} ({picture.record.split})"
            )


def _shared_pictures(pictures: Sequence[Picture], pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    for one, other in ((pictures[first], pictures[second]) for first, second in pairs):
        if one.record.split is other.record.split or one.record.subject == other.record.subject:
            continue
        likeness = float(one.thumbnail @ other.thumbnail)
        what = "the same pixels" if one.pixel_sha256 == other.pixel_sha256 else f"a near duplicate (r = {likeness:.3f})"
        yield (
            f"{what}: {one.record.file} ({one.record.split}) and {other.record.file} ({other.record.split}), "
            f"subjects {one.record.subject} and {other.record.subject}"
        )


def grouped(pictures: Sequence[Picture], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """The name of each picture's group: the first of its members' subjects."""
    first: dict[str, int] = {}
    links = [*pairs, *((first.setdefault(p.record.subject, index), index) for index, p in enumerate(pictures))]
    rows, columns = (list(side) for side in zip(*links, strict=True))
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(len(pictures), len(pictures)))
    labels = connected_components(graph, directed=False)[1]
    names: dict[int, str] = {}
    for label, picture in sorted(zip(labels, pictures, strict=True), key=lambda pair: pair[1].record.subject):
        names.setdefault(int(label), picture.record.subject)
    return [names[int(label)] for label in labels]


def _deal(pictures: Sequence[Picture], groups: Sequence[str], recipe: SupervisedRecipe) -> dict[str, Part]:
    """Part of each group: stratum after stratum, in hash order within each, every so manieth group is put aside.

    Counting on across strata keeps the shares even where single strata are too small for a share of their own.
    """
    ordered = [name for stratum in _strata(pictures, groups, recipe.split_seed) for name in stratum]
    test = _evenly(ordered, recipe.test_share)
    left = [name for name in ordered if name not in test]
    wanted = 0.0 if isinstance(recipe, FazRecipe) else recipe.validation_share / (1 - recipe.test_share)
    validation = _evenly(left, min(wanted, 1.0))
    return {
        name: Part.TEST if name in test else Part.VALIDATION if name in validation else Part.TRAIN for name in ordered
    }


def _evenly(names: Sequence[str], share: float) -> set[str]:
    """A share of the names, rounded to the nearest number, spread evenly over their order."""
    counts = [math.floor(position * share + 0.5) for position in range(len(names) + 1)]
    return {name for position, name in enumerate(names) if counts[position + 1] > counts[position]}


def _strata(pictures: Sequence[Picture], groups: Sequence[str], seed: int) -> Iterator[list[str]]:
    """Groups with the same source, slab and worst grade, each in hash order: rare grades reach every part."""
    described: dict[str, tuple[str, str, int, str]] = {}
    for picture, group in zip(pictures, groups, strict=True):
        record = picture.record
        own = (record.source, record.slab.value, -1 if record.grade is None else int(record.grade), record.stratum)
        known = described.get(group, own)
        described[group] = (
            min(known[0], own[0]), min(known[1], own[1]), min(known[2], own[2]), min(known[3], own[3])
        )  # fmt: skip
    strata: dict[tuple[str, str, int, str], list[str]] = {}
    for group, stratum in described.items():
        strata.setdefault(stratum, []).append(group)
    for stratum in sorted(strata):
        yield sorted(strata[stratum], key=lambda name: _hash(seed, name))


def _folds(groups: Sequence[str], parts: Sequence[Part], recipe: SupervisedRecipe) -> list[int | None]:
    if not isinstance(recipe, FazRecipe):
        return [None] * len(groups)
    trained = {group for group, part in zip(groups, parts, strict=True) if part is Part.TRAIN}
    ordered = sorted(trained, key=lambda name: _hash(recipe.split_seed, f"fold {name}"))
    fold_of = {name: position % recipe.n_folds for position, name in enumerate(ordered)}
    return [fold_of[group] if part is Part.TRAIN else None for group, part in zip(groups, parts, strict=True)]


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _refuse_empty(parts: Sequence[Part], folds: Sequence[int | None], recipe: SupervisedRecipe) -> None:
    needed = [Part.TRAIN] if isinstance(recipe, FazRecipe) else [Part.TRAIN, Part.VALIDATION]
    empty = [part.value for part in needed if part not in parts]
    if isinstance(recipe, FazRecipe):
        empty += [f"fold {fold}" for fold in range(recipe.n_folds) if fold not in folds]
    if empty:
        raise UsageError(
            f"{len(parts)} images leave nothing for: {', '.join(empty)}.",
            remedy="Add images of more subjects, or change --set validation_share=, test_share= or n_folds=.",
        )
