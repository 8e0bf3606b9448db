"""Renders one en-face OCT scan of the optic nerve head with its labels. Seeded, pure, no files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.phantom.artifacts import Mask, Motion, Region, lay_share, move_lines, move_mask
from core.phantom.onh_spec import DARK, DISC, MOTION, SHALLOW, OnhPhantom, OnhPhantomSpec
from core.phantom.texture import Field, directed_mesh, smooth_field
from core.vocabulary import ArtifactType

_FINE = 2
"""Vessels are drawn so many times as fine and brought down."""
_STEP_MM = 0.1
_DARK_LEFT = (0.02, 0.16)
_SHALLOW_LEFT = (0.38, 0.62)
"""Share of the signal that comes back from a dark and from a shallow area."""
_BREAK_HEIGHT = (0.008, 0.03)
"""Height of a break as a share of the image's."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where every pixel lies as seen from the disc; all (height, width)."""

    spec: OnhPhantomSpec
    x_mm: Field
    """Towards temporal in the eye's own sense: positive on the temporal side of either eye."""
    y_mm: Field
    """Downwards."""
    beyond_disc: Field
    """Distance from the disc's margin in disc radii, negative inside."""

    @property
    def px_per_mm(self) -> float:
        return self.spec.size_px / self.spec.field_mm


def render_onh(spec: OnhPhantomSpec, seed: int) -> OnhPhantom:
    """The scan that ``spec`` describes; the same spec and seed give the same bytes.

    Three independent streams: the eye, the capture (where signal is lost, when the eye moved), the noise.
    """
    eye, capture, noise = (np.random.default_rng([stream, seed]) for stream in (1, 2, 3))
    place = _places(spec)
    signal = _draw_eye(eye, place)
    shallow = lay_share(capture, ArtifactType.SHADOW, spec.shallow, spec.size_px)
    dark = lay_share(capture, ArtifactType.SHADOW, spec.dark, spec.size_px)
    motion = lay_breaks(capture, spec.motion, spec.size_px)
    image = _expose(noise, spec, signal * _light(capture, shallow, dark), motion)
    return _with_truth(place, seed, image, (shallow, dark), motion)


def _places(spec: OnhPhantomSpec) -> _Place:
    axis = (np.arange(spec.size_px, dtype=np.float32) + 0.5) * spec.field_mm / spec.size_px - spec.field_mm / 2.0
    x, y = axis[None, :] - np.float32(spec.disc_mm[0]), axis[:, None] - np.float32(spec.disc_mm[1])
    x, y = np.broadcast_arrays(x, y)
    radial = np.hypot(x / spec.disc_radius_mm[0], y / spec.disc_radius_mm[1]) - 1.0
    temporal = -x if spec.is_right_eye else x  # a right eye's fovea lies to the left of its disc
    return _Place(spec, np.asarray(temporal, np.float32), np.asarray(y, np.float32), np.asarray(radial, np.float32))


def _draw_eye(rng: np.random.Generator, place: _Place) -> Field:
    """The retina around the disc as a perfect device would show it, about 0..1."""
    spec, size = place.spec, place.spec.size_px
    fibres = _fibre_layer(rng, place)
    level = rng.uniform(0.30, 0.42)
    retina = level + 0.40 * fibres + 0.035 * smooth_field(rng, size, 0.12)
    if spec.atrophy > 0.0:
        retina = retina + _crescent(rng, place)
    retina = np.where(place.beyond_disc < 0.0, _nerve_head(rng, place), retina)
    trees = _vessels(rng, place)
    # In a thick slab vessels show by their shadow, in a thin inner one by their own brightness.
    shown = rng.uniform(0.45, 0.75) if rng.random() < 0.75 else rng.uniform(-0.55, -0.3)  # noqa: PLR2004 - thick slabs mostly
    return np.asarray(np.clip(retina * (1.0 - np.float32(shown) * trees), 0.0, 1.3), np.float32)


def _fibre_layer(rng: np.random.Generator, place: _Place) -> Field:
    """Brightness of the nerve fibre layer, 0..1: two humps above and below that bend to the temporal side, striated."""
    spec = place.spec
    distance = np.hypot(place.x_mm, place.y_mm)
    around = np.arctan2(-place.y_mm, place.x_mm - 0.25 * distance)  # the humps lie a little temporal of vertical
    hump = np.exp(-0.5 * ((np.abs(around) - np.pi / 2.0) / rng.uniform(0.5, 0.7)) ** 2)
    fading = np.exp(-np.clip(distance - 0.9, 0.0, None) / rng.uniform(1.6, 2.8))
    if spec.fibre_loss > 0.0:
        hump = hump * (1.0 - spec.fibre_loss * _wedge(rng, around))
    # Fibres leave the disc straight and arch towards the fovea.
    heading = around + np.float32(0.18) * distance * np.sign(around)
    striae = directed_mesh(rng, spec.size_px, 0.07 * place.px_per_mm, -np.asarray(heading, np.float32))
    return np.asarray((0.25 + 0.75 * hump) * fading * (0.62 + 0.38 * striae), np.float32)


def _wedge(rng: np.random.Generator, around: NDArray[np.floating]) -> Field:
    """Share of fibres in a wedge of lost ones, 0..1; ``around`` is the angle at the disc in radians."""
    side = rng.choice([-1.0, 1.0])
    middle, half = side * rng.uniform(0.9, 2.0), rng.uniform(0.08, 0.3)
    return np.asarray(1.0 / (1.0 + np.exp((np.abs(around - middle) - half) / 0.03)), np.float32)


def _crescent(rng: np.random.Generator, place: _Place) -> Field:
    """Peripapillary atrophy: a bright crescent, mostly temporal."""
    towards = rng.normal(0.0, 0.6)
    around = np.arctan2(-place.y_mm, place.x_mm)
    wide = rng.uniform(0.12, 0.45) * np.clip(np.cos(around - towards), 0.0, None)
    inside = np.clip((wide - place.beyond_disc) / 0.06, 0.0, 1.0) * (wide > 0.02)  # noqa: PLR2004 - thinner than a pixel
    return np.asarray(0.28 * place.spec.atrophy * inside, np.float32)


def _nerve_head(rng: np.random.Generator, place: _Place) -> Field:
    """Rim and cup: the cup is dark where it is deep, bright where the lamina shows."""
    size, cup = place.spec.size_px, place.spec.cup_ratio
    rim, floor = rng.uniform(0.5, 0.8), rng.uniform(0.1, 0.75)
    in_cup = 1.0 / (1.0 + np.exp(np.clip((place.beyond_disc + 1.0 - cup) / rng.uniform(0.04, 0.12), -30.0, 30.0)))
    pores = 0.05 * smooth_field(rng, size, 0.03)
    return np.asarray(rim + (floor - rim + pores) * in_cup + 0.03 * smooth_field(rng, size, 0.08), np.float32)


def _vessels(rng: np.random.Generator, place: _Place) -> Field:
    """Arteries and veins that leave the disc above and below and branch, 0..1, drawn finer and brought down."""
    size = place.spec.size_px
    canvas = Image.new("L", (size * _FINE, size * _FINE), 0)
    draw = ImageDraw.Draw(canvas)
    for up in (-1.0, 1.0):
        for _ in range(int(rng.integers(2, 4))):
            heading = up * np.pi / 2.0 + rng.normal(-0.25 * up, 0.45)
            start = rng.normal(0.0, 0.12), rng.normal(0.0, 0.12)
            _grow(rng, draw, place, _Shoot(start, heading, rng.uniform(0.05, 0.085), 3))
    for _ in range(int(rng.integers(2, 5))):  # small ones to both sides
        heading = rng.choice([0.0, np.pi]) + rng.normal(0.0, 0.5)
        _grow(rng, draw, place, _Shoot((0.0, 0.0), heading, rng.uniform(0.02, 0.035), 1))
    flow = np.asarray(canvas.resize((size, size), Image.Resampling.BOX), np.float32)
    return np.asarray(flow / np.float32(255.0), np.float32)


@dataclass(frozen=True, slots=True)
class _Shoot:
    """A vessel about to grow: from where (temporal, down), in which direction, how thick, how often it may branch."""

    start_mm: tuple[float, float]
    heading: float
    """Radians; 0 is temporal, a quarter turn up."""
    radius_mm: float
    generations: int


def _grow(rng: np.random.Generator, draw: ImageDraw.ImageDraw, place: _Place, shoot: _Shoot) -> None:
    """Let one vessel walk and branch, and draw it."""
    at, path, heading = np.array(shoot.start_mm), [np.array(shoot.start_mm)], shoot.heading
    branches = shoot.generations > 1
    sway, steps = 0.0, int(rng.uniform(18, 46) if branches else rng.uniform(10, 28))
    for step in range(steps):
        sway = 0.75 * sway + rng.normal(0.0, 0.13)
        # The arcades bend around the fovea, on the temporal side.
        heading -= 0.022 * np.sign(np.sin(heading))
        course = heading + sway
        at = at + _STEP_MM * np.array([np.cos(course), -np.sin(course)])
        path.append(at.copy())
        if branches and step > 4 and rng.random() < 0.09:  # noqa: PLR2004 - a branch each millimetre, off the disc
            aside = course + rng.choice([-1.0, 1.0]) * rng.uniform(0.45, 1.0)
            side_shoot = _Shoot((at[0], at[1]), aside, 0.62 * shoot.radius_mm, shoot.generations - 1)
            _grow(rng, draw, place, side_shoot)
    _trace(draw, place, np.array(path), shoot.radius_mm)


def _trace(draw: ImageDraw.ImageDraw, place: _Place, path_mm: NDArray[np.float64], radius_mm: float) -> None:
    """Draw a path (points, 2) that thins towards its end."""
    spec, scale = place.spec, place.px_per_mm * _FINE
    turned = path_mm * np.array([-1.0 if spec.is_right_eye else 1.0, 1.0])
    points = (turned + np.array(spec.disc_mm) + spec.field_mm / 2.0) * scale
    for first in range(len(points) - 1):
        width = 2.0 * radius_mm * scale * (1.0 - 0.6 * first / len(points))
        level = int(255 * min(1.0, 0.35 + 0.3 * width))
        draw.line([tuple(points[first]), tuple(points[first + 1])], fill=level, width=max(1, round(width)))


def lay_breaks(rng: np.random.Generator, share: float, size: int) -> Motion:
    """Breaks, stretched lines and blinks until this share (0..1) of the lines is hit.

    Unlike in OCTA no line turns bright: structural OCT measures no decorrelation.
    """
    rows = np.arange(size, dtype=np.float32)
    nothing = np.zeros(size, np.float32)
    motion = Motion(rows, nothing.copy(), nothing.copy(), np.ones(size, np.float32), np.zeros(size, np.bool_))
    wanted = round(share * size)
    tries = 0
    while (left := wanted - int(motion.hit.sum())) > 0 and tries < 40 * size:
        tries += 1
        height = int(np.clip(round(rng.uniform(*_BREAK_HEIGHT) * size), 1, left))
        first = int(rng.integers(0, size - height + 1))
        lines = slice(first, first + height)
        if not motion.hit[lines].any():
            _break(rng, motion, str(rng.choice(["jump", "shift", "stretch", "blink"], p=[0.5, 0.2, 0.15, 0.15])), lines)
            motion.hit[lines] = True
    return motion


def _break(rng: np.random.Generator, motion: Motion, kind: str, lines: slice) -> None:
    size, height = motion.hit.size, lines.stop - lines.start
    reach = rng.choice([-1.0, 1.0]) * size * rng.uniform(0.012, 0.04)
    if kind == "jump":
        # The scan goes on beside where it was: only the lines around the break show it.
        middle = lines.start + height // 2
        back = motion.shift_px[min(middle, size - 1)]
        motion.shift_px[middle:] += -np.sign(back) * abs(reach) if back else reach
        motion.shift_px[lines] += rng.normal(0.0, 0.006 * size, height)
    elif kind == "shift":
        motion.shift_px[lines] += reach
    elif kind == "stretch":
        motion.source_row[lines] = lines.start + np.arange(height) * rng.uniform(0.0, 0.4)
        motion.shift_px[lines] += 0.3 * reach
    else:
        motion.kept[lines] = rng.uniform(0.0, 0.12)


def _light(rng: np.random.Generator, shallow: Region | None, dark: Region | None) -> Field | float:
    """Share of the signal that comes back, per pixel."""
    light: Field | float = 1.0
    for region, left in ((shallow, _SHALLOW_LEFT), (dark, _DARK_LEFT)):
        kept = rng.uniform(*left)
        if region is not None:
            light = np.asarray(light * (1.0 - (1.0 - kept) * region.weight), np.float32)
    return light


def _expose(rng: np.random.Generator, spec: OnhPhantomSpec, seen: Field, motion: Motion) -> NDArray[np.uint8]:
    """What the device makes of it: uneven light, movement, speckle, the detector's floor, the export's tone curve."""
    size = spec.size_px
    seen = seen * (1.0 + np.float32(rng.uniform(0.02, 0.08)) * smooth_field(rng, size, 0.45)) * np.float32(spec.signal)
    if motion.hit.any():
        seen = move_lines(np.asarray(seen, np.float32), motion) * motion.kept[:, None]
    noise = rng.standard_normal((2, size, size), dtype=np.float32)
    floor = np.float32(0.055 + 0.10 * (1.0 - spec.signal))
    seen = seen * (1.0 + np.float32(rng.uniform(0.10, 0.17)) * noise[0]) + floor * np.abs(noise[1])
    seen = seen * (1.0 + np.float32(rng.uniform(0.005, 0.02)) * rng.standard_normal((size, 1), dtype=np.float32))
    seen = ndimage.gaussian_filter(np.asarray(seen, np.float32), rng.uniform(0.45, 0.8), mode="nearest", truncate=3.0)
    gain, gamma = rng.uniform(0.9, 1.2), rng.uniform(0.85, 1.15)
    tone = np.clip(np.float32(gain) * (seen - 0.02), 0.0, 1.0) ** np.float32(gamma)
    return np.asarray(255.0 * tone + 0.5, np.uint8)


def _with_truth(
    place: _Place, seed: int, image: NDArray[np.uint8], losses: tuple[Region | None, Region | None], motion: Motion
) -> OnhPhantom:
    """Everything that is known of the scan, from what was drawn and not from what is seen."""
    spec = place.spec
    disc = move_mask(np.asarray(place.beyond_disc < 0.0, np.bool_), motion)
    labels = np.where(disc, DISC, 0).astype(np.uint8)
    for label, region in zip((SHALLOW, DARK), losses, strict=True):
        if region is not None:
            labels[move_mask(region.mask, motion)] = label
    hit: Mask = np.repeat(motion.hit[:, None], spec.size_px, axis=1)
    labels[hit] = MOTION
    whole_px = np.pi * spec.disc_radius_mm[0] * spec.disc_radius_mm[1] * place.px_per_mm**2
    seen_px = np.count_nonzero(disc & (labels != DARK) & (labels != MOTION))
    return OnhPhantom(
        spec=spec,
        seed=seed,
        image=image,
        labels=labels,
        line_fraction=float(motion.hit.mean()),
        disc_lost_fraction=float(np.clip(1.0 - seen_px / whole_px, 0.0, 1.0)),
    )
