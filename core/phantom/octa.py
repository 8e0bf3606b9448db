"""Renders one OCTA en-face scan with its truth: anatomy, device look, artifacts. Seeded, pure, no files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.phantom.artifacts import Mask, Motion, Region, blur_region, lay_motion, lay_region, move_lines, move_mask
from core.phantom.fovea import FazOutline, draw_faz, in_slab
from core.phantom.spec import SLABS, OctaPhantom, OctaPhantomSpec
from core.phantom.strength import FARTHEST_OFFSET, centration_severity, severity_of_share, true_ordinal
from core.phantom.texture import Field, directed_mesh, grain_field, lobular_mesh, smooth_field
from core.phantom.vessels import Vessels, grow_vessels
from core.values import Scale
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, ScaleSource, Slab

_REGIONAL = (ArtifactType.SHADOW, ArtifactType.DEFOCUS, ArtifactType.LOW_SIGNAL)
"""Artifacts that take a region; motion takes lines."""

_BRIGHTNESS = (235, 225, 195, 165)
"""Grey level of arcades, branches, twigs and end twigs before grain."""

_LARGE_RADIUS_MM = 0.0075
"""Vessels from this radius on count as large, end twigs never.

So the share of the field under them is what the hand-made masks of the public sets mark: in the central nine tenths of
images 5 to 7 % (OCTA-500, 3 mm), 7 to 11 % (OCTA-500, 6 mm) and 9 to 13 % (ROSSA)."""

_CAPILLARY_FROM = 0.5
"""Brightness, as a share of that of a capillary's middle, from which a pixel counts as under a capillary."""

_MACULA_MM = (2.0, 1.0)
"""Half width and half height of the oval in which a look may dim capillaries: within the arcades."""

_JOINED_PX = 9.0
"""Canvas width from which gaps between the pieces of a bent vessel would show."""


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


@dataclass(frozen=True, slots=True)
class _Scene:
    """One eye's slab in the window: what is there to be seen."""

    spec: OctaPhantomSpec
    view: _View
    faz: FazOutline
    generations: list[Vessels]
    beyond_faz: Field
    """Distance of every pixel from the FAZ's rim in mm; negative inside, 1 everywhere where there is no FAZ."""
    angle: Field
    """Direction of every pixel as seen from the fovea, radians."""


@dataclass(frozen=True, slots=True)
class _Retina:
    """The slab as a perfect device would see it, and what each pixel is; all (height, width)."""

    signal: Field
    """Blood flow, about 0..1."""
    capillaries: Mask
    large_vessels: Mask
    vessels: Mask
    """Capillaries that carry blood and every drawn vessel."""


@dataclass(frozen=True, slots=True)
class _Capture:
    """What went wrong while the scan was taken."""

    regions: dict[ArtifactType, Region | None]
    motion: Motion


def render_octa(spec: OctaPhantomSpec, seed: int) -> OctaPhantom:
    """The scan that ``spec`` describes; the same spec and seed give the same bytes.

    Three independent streams: the eye (vessels, FAZ), the capture (where artifacts lie, fixation), the noise.
    """
    eye = np.random.default_rng([1, seed if spec.eye_seed is None else spec.eye_seed])
    fixation = np.random.default_rng([2, seed if spec.capture_seed is None else spec.capture_seed])
    noise = np.random.default_rng([3, seed, SLABS.index(spec.slab)])
    scene = _look_at(eye, spec, _aim(fixation, spec))
    capture = _Capture(
        {kind: lay_region(fixation, kind, spec.strength(kind), spec.size_px) for kind in _REGIONAL},
        lay_motion(fixation, spec.motion, spec.size_px),
    )
    retina = _draw_retina(eye, scene)
    image = _expose(noise, scene, capture, retina.signal)
    return _with_truth(seed, scene, capture, retina, image)


def _look_at(rng: np.random.Generator, spec: OctaPhantomSpec, view: _View) -> _Scene:
    """The eye's vessels and FAZ; the tree is grown around the superficial FAZ, so that all slabs share it."""
    superficial = draw_faz(rng, spec.faz_area_mm2)
    generations = grow_vessels(rng, superficial, spec.field_mm / 2.0 + 0.6, is_right_eye=spec.is_right_eye)
    faz = in_slab(superficial, spec.slab)
    distance, angle = view.polar()
    beyond = distance - faz.radius_at(angle).astype(np.float32) if spec.has_faz else np.ones_like(distance)
    return _Scene(spec, view, faz, generations, np.asarray(beyond, np.float32), angle)


def _aim(rng: np.random.Generator, spec: OctaPhantomSpec) -> _View:
    """Fixation: an ordinary wobble of some 2 % of the field, and the decentration asked for."""
    around = rng.uniform(0.0, 2.0 * np.pi)
    wobble = rng.normal(0.0, 0.015, 2)
    share = spec.decentration * FARTHEST_OFFSET
    offset = np.array([np.cos(around), np.sin(around)]) * share + wobble * (1.0 - spec.decentration)
    return _View(spec.size_px, spec.field_mm, (float(offset[0] * spec.field_mm), float(offset[1] * spec.field_mm)))


def _draw_retina(rng: np.random.Generator, scene: _Scene) -> _Retina:
    """The slab's flow and its true vessels."""
    bed, full = _capillaries(rng, scene)
    perfused = _perfusion(rng, scene)
    capillaries = np.asarray((bed > _CAPILLARY_FROM) & (perfused > 0.5), np.bool_)  # noqa: PLR2004 - mostly perfused
    mesh = full * perfused
    trees, drawn, large = _trace(rng, scene)
    if scene.spec.slab is Slab.DEEP:
        # Projections of superficial vessels show bright; where software took them out, dark gaps stay. Neither is a
        # vessel of this slab.
        residue = rng.uniform(-0.5, 0.55)
        shown = mesh * (1.0 + min(residue, 0.0) * trees) + max(residue, 0.0) * trees * 0.75
        signal = np.asarray(np.clip(shown, 0.0, 1.2), np.float32)
        return _Retina(signal, capillaries, np.zeros_like(capillaries), capillaries)
    signal = np.asarray(np.maximum(mesh * (1.0 - 0.6 * trees), trees), np.float32)
    return _Retina(signal, capillaries & ~large, large, capillaries | drawn)


def _capillaries(rng: np.random.Generator, scene: _Scene) -> tuple[Field, Field]:
    """The capillary bed as if it filled the field, 0..1, and its flow: spacing in mm by plexus, a little uneven."""
    px, size, slab = scene.view.px_per_mm, scene.view.size, scene.spec.slab
    if slab is Slab.DEEP:
        mesh, level = lobular_mesh(rng, size, 0.036 * px), 0.50
    else:
        turned = scene.angle + np.float32(0.3) * smooth_field(rng, size, 0.25)
        mesh, level = directed_mesh(rng, size, 0.040 * px, turned), 0.43
    if slab is Slab.INNER_RETINA:
        mesh, level = np.maximum(mesh, np.float32(0.7) * lobular_mesh(rng, size, 0.034 * px)), 0.46
    uneven = (1.0 + 0.07 * smooth_field(rng, size, 0.12)) * _macular_light(scene)
    look = scene.spec.look
    return mesh, np.asarray(level * look.mesh_gain * (1.0 - look.mesh_contrast * (1.0 - mesh)) * uneven, np.float32)


def _macular_light(scene: _Scene) -> Field | float:
    """Share of the capillaries' brightness that the look leaves in the oval around the fovea."""
    dimming, view = scene.spec.look.macular_dimming, scene.view
    if dimming == 0.0:
        return 1.0
    distance, angle = view.polar()
    oval = np.square(distance * np.cos(angle) / _MACULA_MM[0]) + np.square(distance * np.sin(angle) / _MACULA_MM[1])
    return np.asarray(1.0 - dimming * np.exp(-0.5 * np.square(oval)), np.float32)


def _perfusion(rng: np.random.Generator, scene: _Scene) -> Field:
    """Share of capillaries that carry blood, 0..1: none in the FAZ behind a ragged rim, fewer in diseased patches."""
    px, size, lost_to = scene.view.px_per_mm, scene.view.size, scene.spec.nonperfusion
    rim_mm = 0.10 if scene.spec.slab is Slab.DEEP else 0.05
    ragged = scene.beyond_faz + 0.022 * grain_field(rng, size, 0.09 * px)
    perfused = _soft_step(ragged / (0.5 * rim_mm))
    if lost_to > 0.0:
        patches = smooth_field(rng, size, 0.05) + 0.25 * grain_field(rng, size, 0.2 * px)
        # Drop-out that touched the FAZ would hide its rim, and the drawn outline would be no truth any more.
        lost = _soft_step((patches - 1.6 + 1.8 * lost_to) / 0.12) * _soft_step((scene.beyond_faz - 0.12) / 0.02)
        perfused = perfused * (1.0 - 0.9 * lost)
    return perfused


def _soft_step(x: NDArray[np.floating]) -> Field:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))), np.float32)


def _trace(rng: np.random.Generator, scene: _Scene) -> tuple[Field, Mask, Mask]:
    """The vessel tree drawn twice as fine and brought down: its flow 0..1, where a vessel is, where a large one is."""
    fine, size = 2, scene.view.size
    canvas = Image.new("LA", (size * fine, size * fine), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for vessels, brightness in reversed(list(zip(scene.generations, _BRIGHTNESS, strict=True))):
        _trace_generation(draw, scene.view, vessels, fine, brightness)
    if scene.spec.has_faz:
        _trace_rim(rng, draw, scene, fine)
    flow, large = (np.asarray(band.resize((size, size), Image.Resampling.BOX)) for band in canvas.split())
    trees = np.asarray(flow, np.float32) / np.float32(255.0)
    is_large = np.asarray(large >= 128, np.bool_)  # noqa: PLR2004 - half of the pixel
    return trees, np.asarray(is_large | (trees > 0.25), np.bool_), is_large  # noqa: PLR2004 - half of a thin one's level


def _trace_generation(draw: ImageDraw.ImageDraw, view: _View, vessels: Vessels, fine: int, brightness: int) -> None:
    """Draws flow into the canvas's first band and 255 into its second where the vessel is a large one."""
    mark = np.where((vessels.radius_mm >= _LARGE_RADIUS_MM) & (brightness > _BRIGHTNESS[-1]), 255, 0)
    px = view.to_px(vessels.path_mm, fine)
    width = 2.0 * vessels.radius_mm * view.px_per_mm * fine
    level = (brightness * np.minimum(1.0, 0.45 + 0.3 * width)).astype(int)
    margin = 0.1 * view.size
    inside = np.all((px > -margin) & (px < view.size * fine + margin), axis=-1)  # NaN compares False
    for number in np.flatnonzero(inside.any(axis=1)):
        points, end = px[number].tolist(), int(np.sum(~np.isnan(px[number, :, 0])))
        for first in range(0, end - 1, 4):
            if inside[number, first : first + 5].any():
                broad = float(width[number, first])
                piece = [tuple(point) for point in points[first : min(first + 5, end)]]
                joint = "curve" if broad > _JOINED_PX else None
                draw.line(
                    piece,
                    fill=(int(level[number, first]), int(mark[number, first])),
                    width=max(1, round(broad)),
                    joint=joint,
                )


def _trace_rim(rng: np.random.Generator, draw: ImageDraw.ImageDraw, scene: _Scene, fine: int) -> None:
    """The terminal capillary ring around the FAZ, broken here and there."""
    rim = scene.view.to_px(np.stack(scene.faz.points_mm, axis=-1) * 1.04, fine)
    width = max(1, round(0.011 * scene.view.px_per_mm * fine))
    for first in range(0, len(rim), 24):
        if rng.random() < 0.72:  # noqa: PLR2004 - about a quarter of the ring is out of the slab
            piece = np.take(rim, range(first, first + 25), axis=0, mode="wrap")
            level = int(rng.uniform(90, 190))
            draw.line([(float(x), float(y)) for x, y in piece], fill=(level, 0), width=width)


def _expose(rng: np.random.Generator, scene: _Scene, capture: _Capture, signal: Field) -> NDArray[np.uint8]:
    """What the device makes of the retina: optics, light, movement, grain, export."""
    spec, size = scene.spec, scene.view.size
    blurred = capture.regions[ArtifactType.DEFOCUS]
    if blurred is not None:
        signal = blur_region(signal, blurred, (0.012 + 0.022 * spec.defocus) * scene.view.px_per_mm + 0.6)
    light, floor = _light_and_floor(spec, capture)
    if spec.look.shade > 0.0:
        light *= np.clip(1.0 + spec.look.shade * smooth_field(rng, size, 0.3), 0.3, 1.5)
    noise = rng.standard_normal((2, size, size), dtype=np.float32)
    seen, motion = signal * light, capture.motion
    if motion.hit.any():
        false_signal = motion.bright[:, None] * (0.6 + 0.4 * np.abs(noise[0]))
        seen = move_lines(seen, motion) * motion.kept[:, None] + false_signal
    # Bright vessels saturate, so their grain is finer.
    grain = spec.look.speckle * noise[0] * (1.0 - 0.5 * np.minimum(seen, 1.0))
    gain_error, offset_error = spec.look.line_noise * rng.standard_normal((2, size, 1), dtype=np.float32)
    seen = (seen * (1.0 + grain) + floor * np.abs(noise[1])) * (1.0 + gain_error) + 0.15 * offset_error
    return _export(np.asarray(seen, np.float32), spec)


def _light_and_floor(spec: OctaPhantomSpec, capture: _Capture) -> tuple[Field, Field]:
    """Share of light that comes back, and the noise floor, per pixel.

    A shadow takes light away and dims the floor with it; low signal lets the device raise its gain, so the floor rises.
    """
    light = np.ones((spec.size_px, spec.size_px), np.float32)
    floor = np.full_like(light, spec.look.floor)
    dark, weak = capture.regions[ArtifactType.SHADOW], capture.regions[ArtifactType.LOW_SIGNAL]
    if dark is not None:
        light *= 1.0 - (0.55 + 0.4 * spec.shadow) * dark.weight
        floor *= 0.6 + 0.4 * light
    if weak is not None:
        light *= 1.0 - (0.45 + 0.3 * spec.low_signal) * weak.weight
        floor += (0.05 + 0.12 * spec.low_signal) * weak.weight
    return light, floor


def _export(seen: Field, spec: OctaPhantomSpec) -> NDArray[np.uint8]:
    """Resampling and tone curve of the device's export, 8 bit."""
    look, size = spec.look, spec.size_px
    if look.native_px is not None and look.native_px < size:
        sigma = 0.42 * size / look.native_px
        seen = ndimage.gaussian_filter(seen, sigma, mode="nearest", truncate=3.0)
    else:
        seen = ndimage.gaussian_filter(seen, look.spread_px, mode="nearest", truncate=3.0)
    tone = np.clip(look.gain * (seen - look.black), 0.0, 1.0) ** look.gamma
    return np.asarray(255.0 * tone + 0.5, np.uint8)


def _with_truth(seed: int, scene: _Scene, capture: _Capture, retina: _Retina, image: NDArray[np.uint8]) -> OctaPhantom:
    """Everything that is known of the scan, from what was drawn and not from what is seen."""
    spec, view, faz, motion = scene.spec, scene.view, scene.faz, capture.motion
    empty = np.zeros(image.shape, np.bool_)
    masks: dict[ArtifactType, Mask] = {ArtifactType.MOTION: np.repeat(motion.hit[:, None], view.size, axis=1)}
    for kind, region in capture.regions.items():
        masks[kind] = empty if region is None else move_mask(region.mask, motion)
    masks = {kind: masks[kind] for kind in OCTA_ARTIFACTS}
    faz_mask = move_mask(scene.beyond_faz < 0.0, motion) if spec.has_faz else empty
    shares = {kind: float(mask.mean()) for kind, mask in masks.items()}
    severities = {kind: severity_of_share(share) for kind, share in shares.items()}
    offset = _faz_offset(view, faz) if spec.has_faz else None
    centration = None if offset is None else centration_severity((offset[0] / spec.field_mm, offset[1] / spec.field_mm))
    return OctaPhantom(
        spec=spec,
        seed=seed,
        image=image,
        artifact_masks=masks,
        line_fraction=float(motion.hit.mean()),
        faz_mask=faz_mask,
        vessel_mask=move_mask(retina.vessels, motion),
        large_vessel_mask=move_mask(retina.large_vessels, motion),
        capillary_density_fraction=float(retina.capillaries.mean()),
        faz_area_mm2=faz.area_mm2 if spec.has_faz else None,
        faz_perimeter_mm=faz.perimeter_mm if spec.has_faz else None,
        centre_offset_mm=offset,
        severities=severities,
        centration_severity=centration,
        ordinal=true_ordinal(severities, shares, centration),
        scale=Scale(1.0 / view.px_per_mm, 1.0 / view.px_per_mm, ScaleSource.MANIFEST),
    )


def _faz_offset(view: _View, faz: FazOutline) -> tuple[float, float]:
    own = faz.centroid_mm
    return view.fovea_mm[0] + own[0], view.fovea_mm[1] + own[1]
