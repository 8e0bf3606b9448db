"""Artifacts of acquisition with exact truth: where light is lost, blur and noise lie, and which lines moved."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.phantom.strength import share_of_field
from core.phantom.texture import Field, smooth_field
from core.vocabulary import ArtifactType

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Region:
    """Where a regional artifact lies: ``weight`` 0..1 with soft edges, ``mask`` where it passes one half."""

    weight: Field
    mask: Mask


def lay_region(rng: np.random.Generator, artifact: ArtifactType, strength: float, size: int) -> Region | None:
    """A region of the share that the strength asks for, or None where there is no artifact."""
    return lay_share(rng, artifact, share_of_field(artifact, strength), size)


def lay_share(rng: np.random.Generator, artifact: ArtifactType, share: float, size: int) -> Region | None:
    """A region that takes this share (0..1) of the field, of the form that the artifact has; None for no share."""
    if share <= 0.0:
        return None
    if share >= 1.0:
        return Region(np.ones((size, size), np.float32), np.ones((size, size), np.bool_))
    form = _shadow_form(rng, size) if artifact is ArtifactType.SHADOW else _patch_form(rng, size)
    level = np.quantile(form[::2, ::2], 1.0 - share)
    softness = float(form.std()) * rng.uniform(0.04, 0.15)
    weight = 1.0 / (1.0 + np.exp(-np.clip((form - level) / softness, -30.0, 30.0)))
    return Region(weight.astype(np.float32), form > level)


def _axes(size: int) -> tuple[Field, Field]:
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    return axis[None, :], axis[:, None]


def _shadow_form(rng: np.random.Generator, size: int) -> Field:
    """High where light is lost: a cut corner (pupil), floating blobs, or a broad dark side."""
    x, y = _axes(size)
    uneven = smooth_field(rng, size, 0.3)
    kind = rng.choice(["corner", "blob", "side"], p=[0.45, 0.35, 0.2])
    if kind == "corner":
        around = rng.uniform(0.0, 2.0 * np.pi)
        centre_x, centre_y = 0.7 * np.cos(around), 0.7 * np.sin(around)
        return np.asarray((x - centre_x) ** 2 + (y - centre_y) ** 2 + 0.12 * uneven, np.float32)
    if kind == "blob":
        form = 0.3 * uneven
        for _ in range(int(rng.integers(1, 4))):
            bx, by, wx, wy = (
                rng.uniform(-0.9, 0.9),
                rng.uniform(-0.9, 0.9),
                rng.uniform(0.2, 0.5),
                rng.uniform(0.12, 0.4),
            )
            form = np.maximum(form, 2.0 - ((x - bx) / wx) ** 2 - ((y - by) / wy) ** 2 + 0.3 * uneven)
        return np.asarray(form, np.float32)
    direction = rng.uniform(0.0, 2.0 * np.pi)
    return np.asarray(x * np.cos(direction) + y * np.sin(direction) + 0.15 * uneven, np.float32)


def _patch_form(rng: np.random.Generator, size: int) -> Field:
    """High in a patch anywhere, or in a broad band of lines where the eye dried or drifted."""
    x, y = _axes(size)
    if rng.random() < 0.4:  # noqa: PLR2004 - a share of cases, seen in real scans
        return np.asarray(-np.abs(y - rng.uniform(-0.9, 0.9)) + 0.04 * smooth_field(rng, size, 0.4), np.float32)
    bx, by = rng.uniform(-0.9, 0.9, 2)
    return np.asarray(0.25 * smooth_field(rng, size, 0.35) - np.hypot(x - bx, y - by), np.float32)


@dataclass(frozen=True, slots=True)
class Motion:
    """What the eye's movement did to the lines of a scan; every array has one entry per line.

    ``source_row`` and ``shift_px`` say from where each line was really taken, ``bright`` how much false signal it
    carries (decorrelation by movement), ``kept`` how much true signal (a blink keeps none), ``hit`` the truth.
    """

    source_row: NDArray[np.float32]
    shift_px: NDArray[np.float32]
    bright: NDArray[np.float32]
    kept: NDArray[np.float32]
    hit: NDArray[np.bool_]


def lay_motion(rng: np.random.Generator, strength: float, size: int) -> Motion:
    """Movements until the share of lines that the strength asks for is hit."""
    rows = np.arange(size, dtype=np.float32)
    motion = Motion(
        rows.copy(),
        np.zeros(size, np.float32),
        np.zeros(size, np.float32),
        np.ones(size, np.float32),
        np.zeros(size, np.bool_),
    )
    wanted = round(share_of_field(ArtifactType.MOTION, strength) * size)
    kinds = ["jump", "shift", "bright", "stretch", "double", "shake", "blink"]
    while (left := wanted - int(motion.hit.sum())) > 0:
        kind = str(rng.choice(kinds, p=[0.3, 0.2, 0.15, 0.06, 0.1, 0.12, 0.07]))
        longest = {"jump": 0.02, "bright": 0.012, "blink": 0.03, "stretch": 0.06}.get(kind, 0.10)
        height = int(np.clip(rng.uniform(0.3, 1.0) * longest * size, 1, left))
        first = int(rng.integers(0, size - height + 1))
        lines = slice(first, first + height)
        if not motion.hit[lines].any():
            _move(rng, motion, kind, lines, strength)
            motion.hit[lines] = True
    return motion


def _move(rng: np.random.Generator, motion: Motion, kind: str, lines: slice, strength: float) -> None:
    size, height = motion.hit.size, lines.stop - lines.start
    reach = size * (0.012 + 0.045 * strength)
    if kind == "jump":
        # The scan goes on beside where it was: only the lines around the break show it.
        start = lines.start + height // 2
        back = -np.sign(motion.shift_px[start]) or rng.choice([-1.0, 1.0])
        motion.shift_px[start:] += back * rng.uniform(0.4, 1.0) * reach
        motion.shift_px[lines] += rng.normal(0.0, 0.15 * reach, height)
    elif kind == "shift":
        motion.shift_px[lines] += rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0) * reach
    elif kind == "bright":
        motion.bright[lines] = rng.uniform(0.25, 0.8)
    elif kind == "stretch":
        motion.source_row[lines] = lines.start + np.arange(height) * rng.uniform(0.15, 0.6)
    elif kind == "double":
        motion.source_row[lines] = np.clip(
            np.arange(lines.start, lines.stop) - height * rng.choice([-1, 1]), 0, size - 1
        )
        motion.shift_px[lines] += rng.normal(0.0, 0.4 * reach)
    elif kind == "shake":
        wave = np.sin(2 * np.pi * np.arange(height) / rng.uniform(4.0, 14.0))
        motion.shift_px[lines] += 0.45 * reach * wave + rng.normal(0.0, 0.1 * reach, height)
    else:
        motion.kept[lines] = rng.uniform(0.0, 0.15)


def move_lines(picture: Field, motion: Motion) -> Field:
    """The picture as the moving eye gave it: nearest line, nearest column, mirrored at the edges."""
    return np.asarray(picture[_taken_from(motion)], np.float32)


def move_mask(mask: Mask, motion: Motion) -> Mask:
    """The same for a truth mask."""
    return np.asarray(mask[_taken_from(motion)], np.bool_)


def _taken_from(motion: Motion) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    last = motion.hit.size - 1
    rows = np.rint(motion.source_row).astype(np.intp)[:, None]
    columns = np.abs(np.arange(last + 1, dtype=np.intp)[None, :] + np.rint(motion.shift_px).astype(np.intp)[:, None])
    return rows, np.minimum(columns, 2 * last - columns)


def blur_region(signal: Field, region: Region, sigma_px: float) -> Field:
    """Defocus: the signal blurred where the region says so, in focus elsewhere."""
    soft = ndimage.gaussian_filter(signal, sigma_px, mode="nearest", truncate=3.0)
    return np.asarray(signal + region.weight * (soft - signal), np.float32)
