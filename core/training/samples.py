"""Makes training samples: canvases, geometry and grey-level variation, targets with what is unknown weighted zero.

A batch is a pure function of (bank, recipe, seed, step): a resumed run sees the very batches it would have seen.
No grade or severity that a person gave plays any part: those are for core.training.scan_heads alone, which is why its
cross-validation is honest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from core.scoring.lanes.canvas import CANVAS_PX, MEAN, normalise, place
from core.training.degrade import degrade, grade_after
from core.training.folder import LabelledImage
from core.training.strangers import TRAINING_PHOTOGRAPHS, crop_of, drawn, photograph
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade

ARTIFACTS = OCTA_ARTIFACTS
FAZ_CHANNEL = len(ARTIFACTS)
LARGE_VESSEL_CHANNEL = FAZ_CHANNEL + 1
N_CHANNELS = LARGE_VESSEL_CHANNEL + 1
UNKNOWN_GRADE = -1

CLEAN_SOURCES = ("OCTA500_3M", "OCTA500_6M")
"""Sources of the unlabelled pool with so few artifacts (59 of 62 graded images without severe ones) that a drawn
artifact's mask is the whole truth; elsewhere only its inside is known."""


@dataclass(slots=True)
class Canvas:
    """One image on the canvas with everything known of it."""

    image: NDArray[np.uint8]  # (256, 256)
    masks: NDArray[np.uint8]  # (6, 256, 256), 0 to 255
    known: NDArray[np.bool_]  # (6,), is the mask of this channel known
    source: str
    grade: CoipsGrade | None = None
    """Phantoms only: what their artifacts imply."""
    is_octa: bool = True


@dataclass(frozen=True, slots=True)
class Bank:
    """All canvases a training draws from, by what they can teach."""

    faz: list[Canvas] = field(default_factory=list)
    pool: list[Canvas] = field(default_factory=list)
    strangers: list[Canvas] = field(default_factory=list)
    phantoms: list[Canvas] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrays of one step; B samples."""

    image: NDArray[np.float32]  # (B, 1, 256, 256)
    masks: NDArray[np.float32]  # (B, 6, 128, 128), share of the cell that is masked
    weights: NDArray[np.float32]  # (B, 6, 128, 128), 0 where nothing is known
    grade: NDArray[np.int64]  # (B,), -1 unknown
    is_octa: NDArray[np.float32]  # (B,)


def canvas_of(image: LabelledImage) -> Canvas:
    """A labelled image with the masks that were drawn of it on the canvas."""
    placed, _ = place(image.pixels())
    masks = np.zeros((N_CHANNELS, CANVAS_PX, CANVAS_PX), np.uint8)
    known = np.zeros(N_CHANNELS, bool)
    for channel, mask in ((FAZ_CHANNEL, image.faz()), (LARGE_VESSEL_CHANNEL, image.large_vessels())):
        if mask is not None:
            masks[channel] = _place_mask(mask)
            known[channel] = image.is_octa
    return Canvas(placed, masks, known, image.source, is_octa=image.is_octa)


def _place_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask on the canvas like its image, 0/255 with soft edges; the padding is 0."""
    placed, placement = place(mask.astype(np.uint8) * 255)
    inside = np.zeros_like(placed)
    rows = slice(placement.top_px, placement.top_px + placement.inner_height_px)
    columns = slice(placement.left_px, placement.left_px + placement.inner_width_px)
    inside[rows, columns] = placed[rows, columns]
    return inside


def phantom_canvas(image: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]], grade: CoipsGrade) -> Canvas:
    """A phantom with its six masks (artifacts in order, FAZ, large vessels), everything known."""
    placed, _ = place(image)
    stacked = np.stack([_place_mask(mask) for mask in masks])
    return Canvas(placed, stacked, np.ones(N_CHANNELS, bool), "phantom", grade)


def draw_batch(bank: Bank, shares: dict[str, int], *, seed: int, step: int) -> Batch:
    """The batch of this step; ``shares``: samples of each kind (faz, pool, strangers, phantoms).

    What the folder does not hold is drawn from the phantoms instead.
    """
    rng = np.random.default_rng([seed, step])
    there = {"faz": bool(bank.faz), "pool": bool(bank.pool), "strangers": True, "phantoms": True}
    samples = [
        _DRAWS[kind if there[kind] else "phantoms"](bank, rng) for kind, count in shares.items() for _ in range(count)
    ]
    images, masks, weights, grades, octa = zip(*samples, strict=True)
    return Batch(
        np.stack(images)[:, None],
        np.stack(masks),
        np.stack(weights),
        np.array(grades, np.int64),
        np.array(octa, np.float32),
    )


Sample = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], int, bool]


def _balanced(canvases: Sequence[Canvas], rng: np.random.Generator) -> Canvas:
    """A canvas drawn by source, then by image: no source is drawn for its number."""
    by_source: dict[str, list[Canvas]] = {}
    for canvas in canvases:
        by_source.setdefault(canvas.source, []).append(canvas)
    chosen = by_source[str(rng.choice(sorted(by_source)))]
    return chosen[int(rng.integers(len(chosen)))]


def _draw_faz(bank: Bank, rng: np.random.Generator) -> Sample:
    canvas = bank.faz[int(rng.integers(len(bank.faz)))]
    return _sample(canvas, rng, degrade_chance=0.25)


def _draw_pool(bank: Bank, rng: np.random.Generator) -> Sample:
    return _sample(_balanced(bank.pool, rng), rng, degrade_chance=0.8)


def _draw_phantom(bank: Bank, rng: np.random.Generator) -> Sample:
    return _sample(bank.phantoms[int(rng.integers(len(bank.phantoms)))], rng, degrade_chance=0.0)


def _draw_stranger(bank: Bank, rng: np.random.Generator) -> Sample:
    chance = rng.random()
    if bank.strangers and chance < 0.4:  # noqa: PLR2004 - B-scans: what is most likely uploaded by mistake
        canvas = bank.strangers[int(rng.integers(len(bank.strangers)))]
    else:
        picture = drawn(rng) if chance < 0.75 else _photograph(rng)  # noqa: PLR2004 - a third photographs
        nothing = np.zeros((N_CHANNELS, CANVAS_PX, CANVAS_PX), np.uint8)
        canvas = Canvas(picture, nothing, np.zeros(N_CHANNELS, bool), "stranger", is_octa=False)
    if rng.random() < 0.1:  # noqa: PLR2004 - negatives too
        canvas = Canvas(255 - canvas.image, canvas.masks, canvas.known, canvas.source, is_octa=False)
    return _sample(canvas, rng, degrade_chance=0.0)


def _photograph(rng: np.random.Generator) -> NDArray[np.uint8]:
    return crop_of(photograph(TRAINING_PHOTOGRAPHS[int(rng.integers(len(TRAINING_PHOTOGRAPHS)))]), rng)


_DRAWS: dict[str, Callable[[Bank, np.random.Generator], Sample]] = {
    "faz": _draw_faz,
    "pool": _draw_pool,
    "strangers": _draw_stranger,
    "phantoms": _draw_phantom,
}


@dataclass(slots=True)
class _Draft:
    """A sample while it is being made; the canvas's knowledge moves with its pixels."""

    canvas: Canvas
    values: NDArray[np.float32]  # (256, 256) in [0, 1]
    masks: NDArray[np.float32]  # (6, 256, 256) in [0, 1]
    known: NDArray[np.float32]  # (6, 256, 256), 0 or 1
    inside: NDArray[np.bool_]  # (256, 256), False in the padding
    grade: CoipsGrade | None


def _sample(canvas: Canvas, rng: np.random.Generator, *, degrade_chance: float) -> Sample:
    image, masks, inside = _move(canvas, rng)
    values = np.asarray(image.astype(np.float32) / 255, np.float32)
    known = np.broadcast_to(canvas.known[:, None, None], masks.shape).astype(np.float32).copy()
    draft = _Draft(canvas, values, masks, known, inside, canvas.grade)
    if rng.random() < degrade_chance:
        _degrade(draft, rng)
    varied = np.where(inside, _vary(draft.values, rng), MEAN)
    grey = np.clip(np.rint(varied * 255), 0, 255).astype(np.uint8)
    is_graded = draft.grade is not None and canvas.is_octa
    grade = int(draft.grade) if is_graded and draft.grade is not None else UNKNOWN_GRADE
    return normalise(grey), _halve(draft.masks), _halve(draft.known), grade, canvas.is_octa


def _degrade(draft: _Draft, rng: np.random.Generator) -> None:
    """Draw one to three artifacts into the draft: pixels, masks, what is known of them, and the grade that follows."""
    kinds = [ARTIFACTS[int(index)] for index in rng.permutation(len(ARTIFACTS))[: int(rng.integers(1, 4))]]
    result = degrade(draft.values, rng, kinds)
    draft.values = result.image
    if draft.canvas.source in CLEAN_SOURCES:
        draft.known[:FAZ_CHANNEL] = 1.0
    for kind, drawn_mask in result.masks.items():
        channel = ARTIFACTS.index(kind)
        mask = drawn_mask & draft.inside
        draft.masks[channel] = np.maximum(draft.masks[channel], mask)
        draft.known[channel] = np.maximum(draft.known[channel], mask)
        # Nobody can trace a vessel where there is no signal or only blur.
        draft.known[LARGE_VESSEL_CHANNEL] *= ~mask
    base = CoipsGrade.OUTSTANDING if draft.canvas.source == CLEAN_SOURCES[0] else draft.canvas.grade
    draft.grade = grade_after(base, result.masks)


def _move(canvas: Canvas, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Flip, turn a little, zoom, shift and cut to another shape: image, masks (6, 256, 256) in [0, 1], what is image.

    No quarter turns: motion runs along the scan lines, which are rows.
    """
    zoom, angle = np.exp(rng.uniform(-0.45, 0.35)), np.deg2rad(rng.normal(0, 5))
    flips = rng.choice([-1.0, 1.0], 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    matrix = turn * flips[None, :]
    centre = CANVAS_PX / 2
    offset = centre - matrix @ np.array([centre, centre]) + rng.normal(0, 10, 2)
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])

    def warp(plane: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
        moved = Image.fromarray(plane).transform(
            plane.shape[::-1], Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill
        )
        return np.asarray(moved)

    inside = warp(np.full((CANVAS_PX, CANVAS_PX), 255, np.uint8), 0) > 254  # noqa: PLR2004 - wholly inside
    if rng.random() < 0.15:  # noqa: PLR2004 - inputs that are not square are padded like this
        inside &= _strip(rng)
    masks = np.zeros(canvas.masks.shape, np.float32)
    for channel in np.flatnonzero(canvas.known):
        if canvas.masks[channel].any():
            masks[channel] = warp(canvas.masks[channel], 0) / np.float32(255) * inside
    return warp(canvas.image, round(MEAN * 255)), masks, inside


def _strip(rng: np.random.Generator) -> NDArray[np.bool_]:
    kept = int(CANVAS_PX * rng.uniform(0.55, 0.95))
    start = (CANVAS_PX - kept) // 2
    strip = np.zeros((CANVAS_PX, CANVAS_PX), bool)
    strip[start : start + kept] = True
    return strip if rng.random() < 0.5 else strip.T  # noqa: PLR2004 - either way


def _vary(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Tone curve, sharpness and grain as between devices and export programs."""
    varied = values
    if rng.random() < 0.5:  # noqa: PLR2004 - half get another spectrum
        amount = rng.uniform(-0.5, 0.9)
        smooth = gaussian_filter(varied, 0.7)
        varied = varied + amount * (smooth - varied)
    varied = np.clip(varied, 0, 1) ** rng.uniform(0.8, 1.25)
    varied = varied * rng.uniform(0.85, 1.2) + rng.uniform(-0.03, 0.03)
    grain = rng.normal(0, rng.uniform(0, 0.03), values.shape)
    return (varied + grain).astype(np.float32)


def _halve(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over 2 x 2 cells: (C, 256, 256) to (C, 128, 128)."""
    corners = planes[:, ::2, ::2] + planes[:, 1::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, 1::2]
    return (corners / 4).astype(np.float32)
