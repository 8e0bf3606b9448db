"""Renders one OCTA en-face scan with its truth: anatomy, device look, artifacts. Seeded, pure, no files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.phantom.artifacts import Mask, Motion, Region, blur_region, lay_motion, lay_region, move_lines
from core.phantom.fovea import FazOutline, draw_faz
from core.phantom.spec import OctaPhantom, OctaPhantomSpec
from core.phantom.strength import severity_of_share, true_ordinal
from core.phantom.texture import Field, directed_mesh, lobular_mesh, smooth_field
from core.phantom.vessels import Vessels, grow_vessels
from core.values import CENTRATION_LOSS, Scale
from core.vocabulary import ArtifactType, ScaleSource, Severity, Slab

_FARTHEST_OFFSET = 0.35
"""Offset of the fovea at decentration 1, as a share of the field's width."""


@dataclass(frozen=True, slots=True)
class _View:
    """The window on the retina: which millimetre lies under which pixel, fovea at the origin."""

    size: int
    field_mm: float
    fovea_mm: tuple[float, float]
    """Where the fovea lies, from the image's centre, x right and y down."""

    @property
    def px_per_mm(self) -> float:
        return self.size / self.field_mm

    def polar(self) -> tuple[Field, Field]:
        """Distance in mm and angle of every pixel's centre from the fovea."""
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) / self.px_per_mm - self.field_mm / 2.0
        x, y = (axis - self.fovea_mm[0])[None, :], (axis - self.fovea_mm[1])[:, None]
        return np.hypot(x, y), np.arctan2(y, x)

    def to_px(self, path_mm: NDArray[np.float64], oversampling: int) -> NDArray[np.float64]:
        """Millimetres from the fovea to pixels of a canvas ``oversampling`` times as fine."""
        centre = np.array(self.fovea_mm) + self.field_mm / 2.0
        return (path_mm + centre) * (self.px_per_mm * oversampling)


def render_octa(spec: OctaPhantomSpec, seed: int) -> OctaPhantom:
    """The scan that ``spec`` describes; the same spec and seed give the same bytes.

    Three independent streams: the eye (vessels, FAZ), the capture (where artifacts lie, fixation), the noise.
    """
    eye = np.random.default_rng([1, seed if spec.eye_seed is None else spec.eye_seed])
    capture = np.random.default_rng([2, seed if spec.capture_seed is None else spec.capture_seed])
    noise = np.random.default_rng([3, seed, list(Slab).index(spec.slab)])
    view = _aim(capture, spec)
    faz = draw_faz(eye, spec.slab, spec.faz_area_mm2)
    generations = grow_vessels(eye, faz, spec.field_mm / 2.0 + 0.6, is_right_eye=spec.is_right_eye)
    motion = lay_motion(capture, spec.motion, spec.size_px)
    regions = {
        kind: lay_region(capture, kind, spec.strength(kind), spec.size_px)
        for kind in (ArtifactType.SHADOW, ArtifactType.DEFOCUS, ArtifactType.LOW_SIGNAL)
    }
    distance, angle = view.polar()
    beyond_faz = distance - faz.radius_at(angle).astype(np.float32) if spec.has_faz else np.full_like(distance, 1.0)
    signal = _draw_retina(eye, spec, view, faz, generations, beyond_faz, angle)
    image = _expose(noise, spec, view, signal, regions, motion)
    return _with_truth(spec, seed, view, faz, image, beyond_faz, motion, regions)


def _aim(rng: np.random.Generator, spec: OctaPhantomSpec) -> _View:
    """Fixation: an ordinary wobble of some 2 % of the field, and the decentration asked for."""
    around = rng.uniform(0.0, 2.0 * np.pi)
    wobble = rng.normal(0.0, 0.015, 2)
    share = spec.decentration * _FARTHEST_OFFSET
    offset = np.array([np.cos(around), np.sin(around)]) * share + wobble * (1.0 - spec.decentration)
    return _View(spec.size_px, spec.field_mm, (float(offset[0] * spec.field_mm), float(offset[1] * spec.field_mm)))


def _draw_retina(
    rng: np.random.Generator,
    spec: OctaPhantomSpec,
    view: _View,
    faz: FazOutline,
    generations: list[Vessels],
    beyond_faz: Field,
    angle: Field,
) -> Field:
    """Blood flow as a perfect device would see it, about 0..1."""
    mesh = _capillaries(rng, spec, view, beyond_faz, angle)
    trees = _trace(rng, view, faz, generations, has_faz=spec.has_faz)
    if spec.slab is Slab.DEEP:
        large = rng.uniform(-0.5, 0.55)
        # Projection of superficial vessels shows bright; where software took it out, dark gaps stay.
        return np.clip(mesh * (1.0 + min(large, 0.0) * trees) + max(large, 0.0) * trees * 0.75, 0.0, 1.2)
    return np.asarray(np.maximum(mesh * (1.0 - 0.6 * trees), trees), np.float32)


def _capillaries(
    rng: np.random.Generator, spec: OctaPhantomSpec, view: _View, beyond_faz: Field, angle: Field
) -> Field:
    """The capillary bed: spacing in mm by plexus, thinner towards the FAZ's rim, missing where not perfused."""
    px = view.px_per_mm
    if spec.slab is Slab.DEEP:
        mesh = lobular_mesh(rng, view.size, 0.036 * px)
        rim_mm, level = 0.10, 0.62
    else:
        turned = angle + 0.5 * smooth_field(rng, view.size, 0.25)
        mesh = directed_mesh(rng, view.size, 0.040 * px, turned)
        rim_mm, level = 0.03, 0.52
        if spec.slab is Slab.INNER_RETINA:
            mesh, level = np.maximum(mesh, 0.7 * lobular_mesh(rng, view.size, 0.034 * px)), 0.56
    uneven = 1.0 + 0.14 * smooth_field(rng, view.size, 0.12)
    present = 1.0 / (1.0 + np.exp(-np.clip(beyond_faz / rim_mm * 2.0, -30.0, 30.0)))
    if spec.nonperfusion > 0.0:
        patches = smooth_field(rng, view.size, 0.14)
        lost = 1.0 / (1.0 + np.exp(-(patches - 1.4 + 1.9 * spec.nonperfusion) / 0.1))
        present = present * (1.0 - 0.9 * lost)
    return np.asarray(level * spec.look.mesh_gain * (0.22 + 0.78 * mesh) * uneven * present, np.float32)


def _trace(
    rng: np.random.Generator, view: _View, faz: FazOutline, generations: list[Vessels], *, has_faz: bool
) -> Field:
    """The vessel tree drawn twice as fine and brought down, 0..1."""
    fine = 2
    canvas = Image.new("L", (view.size * fine, view.size * fine))
    draw = ImageDraw.Draw(canvas)
    for order in range(len(generations) - 1, -1, -1):
        _trace_generation(draw, view, generations[order], fine, brightness=(255, 250, 225, 190)[order])
    if has_faz:
        _trace_rim(rng, draw, view, faz, fine)
    small = canvas.resize((view.size, view.size), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / np.float32(255.0)


def _trace_generation(draw: ImageDraw.ImageDraw, view: _View, vessels: Vessels, fine: int, brightness: int) -> None:
    px = view.to_px(vessels.path_mm, fine)
    width = 2.0 * vessels.radius_mm * view.px_per_mm * fine
    ends = np.sum(~np.isnan(px[..., 0]), axis=1)
    limit = view.size * fine
    for path, widths, end in zip(px, width, ends, strict=True):
        for first in range(0, int(end) - 1, 4):
            piece = path[first : min(first + 5, end)]
            if piece.max() < -20 or piece.min() > limit + 20:  # noqa: PLR2004 - a margin in canvas pixels
                continue
            broad = float(widths[first])
            level = int(brightness * min(1.0, 0.45 + 0.3 * broad))
            draw.line([(float(x), float(y)) for x, y in piece], fill=level, width=max(1, round(broad)), joint="curve")


def _trace_rim(rng: np.random.Generator, draw: ImageDraw.ImageDraw, view: _View, faz: FazOutline, fine: int) -> None:
    """The terminal capillary ring around the FAZ, broken here and there."""
    rim = view.to_px(np.stack(faz.points_mm, axis=-1) * 1.04, fine)
    width = max(1, round(0.011 * view.px_per_mm * fine))
    for first in range(0, len(rim), 24):
        if rng.random() < 0.72:  # noqa: PLR2004 - about a quarter of the ring is out of the slab
            piece = np.take(rim, range(first, first + 25), axis=0, mode="wrap")
            level = int(rng.uniform(90, 190))
            draw.line([(float(x), float(y)) for x, y in piece], fill=level, width=width)


def _expose(
    rng: np.random.Generator,
    spec: OctaPhantomSpec,
    view: _View,
    signal: Field,
    regions: dict[ArtifactType, Region | None],
    motion: Motion,
) -> NDArray[np.uint8]:
    """What the device makes of the retina: optics, light, grain, movement, export."""
    look, size = spec.look, view.size
    blurred = regions[ArtifactType.DEFOCUS]
    if blurred is not None:
        signal = blur_region(signal, blurred, (0.012 + 0.022 * spec.defocus) * view.px_per_mm + 0.6)
    floor = np.float32(look.floor)
    light = np.ones((size, size), np.float32)
    dark = regions[ArtifactType.SHADOW]
    if dark is not None:
        light *= 1.0 - (0.55 + 0.4 * spec.shadow) * dark.weight
    weak = regions[ArtifactType.LOW_SIGNAL]
    grain = look.speckle
    if weak is not None:
        light *= 1.0 - (0.45 + 0.3 * spec.low_signal) * weak.weight
        floor = floor + (0.10 + 0.12 * spec.low_signal) * weak.weight
    noise = rng.standard_normal((2, size, size), dtype=np.float32)
    seen = signal * light
    if motion.hit.any():
        seen = move_lines(seen, motion) * motion.kept[:, None] + (
            motion.bright[:, None] * (0.6 + 0.4 * np.abs(noise[0]))
        )
    rows = 1.0 + look.line_noise * rng.standard_normal((size, 1), dtype=np.float32)
    seen = (seen * (1.0 + grain * noise[0]) + floor * np.abs(noise[1]) * (0.6 + 0.4 * light)) * rows
    seen += 0.35 * look.line_noise * rng.standard_normal((size, 1), dtype=np.float32) * floor.mean() * 3.0
    return _export(seen, spec)


def _export(seen: Field, spec: OctaPhantomSpec) -> NDArray[np.uint8]:
    """Resampling and tone curve of the device's export, 8 bit."""
    look, size = spec.look, spec.size_px
    if look.native_px is not None and look.native_px < size:
        sigma = 0.42 * size / look.native_px
        seen = ndimage.gaussian_filter(seen, sigma, mode="nearest", truncate=3.0)
    else:
        seen = ndimage.gaussian_filter(seen, 0.35, mode="nearest", truncate=3.0)
    tone = np.clip(look.gain * (seen - look.black), 0.0, 1.0) ** look.gamma
    return (255.0 * tone + 0.5).astype(np.uint8)


def _with_truth(
    spec: OctaPhantomSpec,
    seed: int,
    view: _View,
    faz: FazOutline,
    image: NDArray[np.uint8],
    beyond_faz: Field,
    motion: Motion,
    regions: dict[ArtifactType, Region | None],
) -> OctaPhantom:
    """Everything that is known of the scan, from what was drawn and not from what is seen."""
    empty = np.zeros(image.shape, np.bool_)
    masks: dict[ArtifactType, Mask] = {ArtifactType.MOTION: np.repeat(motion.hit[:, None], view.size, axis=1)}
    for kind, region in regions.items():
        masks[kind] = empty if region is None else np.asarray(move_lines(region.mask, motion), np.bool_)
    masks = {kind: masks[kind] for kind in ArtifactType}
    faz_mask = np.asarray(move_lines(beyond_faz < 0.0, motion), np.bool_) if spec.has_faz else empty
    severities = {kind: severity_of_share(float(mask.mean())) for kind, mask in masks.items()}
    offset = _faz_offset(view, faz) if spec.has_faz else None
    centration = None if offset is None else _centration(offset, view)
    return OctaPhantom(
        spec=spec,
        seed=seed,
        image=image,
        artifact_masks=masks,
        line_fraction=float(motion.hit.mean()),
        faz_mask=faz_mask,
        faz_area_mm2=faz.area_mm2 if spec.has_faz else None,
        faz_perimeter_mm=faz.perimeter_mm if spec.has_faz else None,
        centre_offset_mm=offset,
        severities=severities,
        centration_severity=centration,
        ordinal=true_ordinal(list(severities.values()), centration),
        scale=Scale(1.0 / view.px_per_mm, 1.0 / view.px_per_mm, ScaleSource.MANIFEST),
    )


def _faz_offset(view: _View, faz: FazOutline) -> tuple[float, float]:
    own = faz.centroid_mm
    return view.fovea_mm[0] + own[0], view.fovea_mm[1] + own[1]


def _centration(offset_mm: tuple[float, float], view: _View) -> Severity:
    """Severity by counting which share of the fovea-centred circle of the field's size falls outside the field."""
    half = view.field_mm / 2.0
    axis = np.linspace(-half, half, 201)
    x, y = np.meshgrid(axis, axis)
    circle = np.hypot(x, y) <= half
    outside = np.maximum(np.abs(x + offset_mm[0]), np.abs(y + offset_mm[1])) > half
    return CENTRATION_LOSS.severity(float((circle & outside).sum() / circle.sum()))
