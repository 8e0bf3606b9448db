"""Parts of a training folder that never share a subject: decided by hash before anything is looked at.

Images of one subject and near duplicates (public sets copy from each other: 63 graded images are copies of FAZ
images) form a group; a group goes to one part as a whole.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.training.folder import LabelledImage
from core.training.supervised.parts import write_split_rows
from core.training.supervised.picture import pixel_sha256
from core.training.thumbnails import thumbnail

NEAR_DUPLICATE_CORRELATION = 0.9
"""Of 32 x 32 thumbnails. In the public sets every pair above 0.9 is above 0.97 (the same scan); distinct eyes
stay below 0.9."""

SAME_PICTURE_CORRELATION = 0.995
"""Above this the two files show the same pixels: what is known of one holds for the other."""


class Part(StrEnum):
    """What a group of images may be used for."""

    TRAIN = "train"
    TUNE = "tune"
    """Chooses the checkpoint, the temperature and the operating points."""
    HELD_OUT = "held-out"
    """Reported on, and touched by nothing else."""


@dataclass(frozen=True, slots=True)
class SplitImage:
    """An image with its group and the part its group belongs to."""

    image: LabelledImage
    group: str
    part: Part


def split(images: Sequence[LabelledImage], *, seed: int, held_out: float = 0.25, tune: float = 0.1) -> list[SplitImage]:
    """Group, share labels between copies of the same picture, and assign each group to a part.

    Within each stratum (source, slab, grade, has a FAZ mask) the groups are ordered by a hash of seed and group and
    the first share is held out, the next tunes, the rest trains: rare grades reach every part, and no result has
    any say in it.
    """
    correlation = _correlations(images)
    shared = _share_labels(images, correlation)
    members: dict[int, list[LabelledImage]] = {}
    labels = _groups(images, correlation)
    for image, label in zip(shared, labels, strict=True):
        members.setdefault(label, []).append(image)
    groups = {label: min(image.key for image in group) for label, group in members.items()}
    strata: dict[tuple[str, ...], list[str]] = {}
    for label, group in members.items():
        strata.setdefault(_stratum(group), []).append(groups[label])
    parts: dict[str, Part] = {}
    for names in strata.values():
        parts |= _divide(names, seed=seed, held_out=held_out, tune=tune)
    return [SplitImage(image, groups[label], parts[groups[label]]) for image, label in zip(shared, labels, strict=True)]


def write_splits(images: Sequence[SplitImage], path: Path) -> None:
    """The parts as CSV, as other trainings write them: file, subject, group, part, fold (empty), pixel_sha256."""
    write_split_rows(
        (
            (item.image.key, item.image.subject, item.group, item.part, None, pixel_sha256(item.image.pixels()))
            for item in images
        ),
        path,
    )


def _stratum(group: Sequence[LabelledImage]) -> tuple[str, ...]:
    """Source, slab, worst grade and whether a FAZ was drawn."""
    first = min(group, key=lambda image: image.key)
    grades = [image.grade for image in group if image.grade is not None]
    drawn = any(image.faz_path is not None for image in group)
    return first.source, first.slab, str(min(grades)) if grades else "", str(drawn)


def _divide(groups: Sequence[str], *, seed: int, held_out: float, tune: float) -> dict[str, Part]:
    ordered = sorted(groups, key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
    n_held_out, n_reserved = round(len(ordered) * held_out), round(len(ordered) * (held_out + tune))
    return {
        group: Part.HELD_OUT if position < n_held_out else Part.TUNE if position < n_reserved else Part.TRAIN
        for position, group in enumerate(ordered)
    }


def _correlations(images: Sequence[LabelledImage]) -> NDArray[np.float32]:
    thumbnails = np.stack([thumbnail(image.pixels()) for image in images])
    return np.asarray(thumbnails @ thumbnails.T, np.float32)  # (n, n)


def _groups(images: Sequence[LabelledImage], correlation: NDArray[np.float32]) -> list[int]:
    subjects = {subject: index for index, subject in enumerate(sorted({image.subject for image in images}))}
    subject_of = np.array([subjects[image.subject] for image in images])
    row, column = np.nonzero((correlation > NEAR_DUPLICATE_CORRELATION) | (subject_of[:, None] == subject_of[None, :]))
    graph = coo_array((np.ones(len(row)), (row, column)), shape=correlation.shape)
    return [int(label) for label in connected_components(graph, directed=False)[1]]


def _share_labels(images: Sequence[LabelledImage], correlation: NDArray[np.float32]) -> list[LabelledImage]:
    """Give a graded image the FAZ mask of its copy, and the copy its grade."""
    shared = list(images)
    for first, second in zip(*np.nonzero(np.triu(correlation > SAME_PICTURE_CORRELATION, k=1)), strict=True):
        pair = (images[first], images[second])
        graded = next((image for image in pair if image.grade is not None), None)
        drawn = next((image for image in pair if image.faz_path is not None), None)
        if graded is None or drawn is None:
            continue
        for index in (first, second):
            shared[index] = replace(
                shared[index],
                faz_path=drawn.faz_path,
                grade=graded.grade,
                severities=graded.severities,
                readings=graded.readings,
                slab=drawn.slab,
                field_mm=drawn.field_mm,
            )
    return shared
