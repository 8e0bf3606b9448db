"""Simulated lesions in a real B-scan: its own layers are lifted, and its own speckle fills what opens. Seeded, pure.

A phantom's lesions are drawn as in core.phantom.bscan, by the same shapes; what is around them is a device's picture.
So a lesion's place is known where nobody drew it, on pictures as clinics make them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.phantom.bscan import LEAST_ONL_UM, LIFT_SHARE, RPE_UM
from core.phantom.bscan_lesion import BscanLesion, Curve, Cyst, Dome, Lesions, draw_lesions, height_um

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST_COLUMNS_SHARE = 0.5
"""Of the columns must show a retina, else there is nothing to put a lesion into."""
_RETINA_UM = 300.0
"""Thickness of a macula from ILM to Bruch's membrane, about; it gives the depth of a row where no file says it."""
_VITREOUS_PX, _OFF_ILM_PX = 60, 4
LEAST_LESION_SHARE = 0.0005
"""Of the picture; a smaller lesion is no more than a pixel or two where a network sees it."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """A real B-scan with simulated lesions.

    Attributes
    ----------
    image : uint8 (height, width)
    masks : bool (height, width) by lesion; only what was drawn
    moved_mask : bool (height, width)
        The real lesions that were known before, where the picture now shows them.
    """

    image: Image
    masks: dict[str, Mask]
    moved_mask: Mask


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A real B-scan to draw into.

    Attributes
    ----------
    image : uint8 (height, width), white borders filled
    boundary_row_px : (8, width), as core.phantom.bscan.BscanPhantom has them; NaN where no retina was found
    known : bool (height, width), lesions that are drawn there already; no other is put on their columns
    """

    image: Image
    boundary_row_px: NDArray[np.floating]
    known: Mask


def insert_lesions(backdrop: Backdrop, kind: BscanLesion, rng: np.random.Generator) -> Inserted | None:
    """Lesions of one kind in the free columns of a real B-scan; None where no lesion of visible size found a place."""
    found = np.isfinite(backdrop.boundary_row_px).all(axis=0)
    if found.mean() < LEAST_COLUMNS_SHARE:
        return None
    old = _whole(backdrop.boundary_row_px, found)
    taken: Mask = np.asarray(backdrop.known.any(axis=0), np.bool_)
    free = found & ~ndimage.binary_dilation(taken, iterations=6)
    if not free.any():
        return None
    width = len(free)
    mm_per_px = float(rng.uniform(4.4, 9.0)) / width
    centre = int(rng.choice(np.flatnonzero(free)))
    x_mm: Curve = np.asarray((np.arange(width) - centre) * mm_per_px, np.float64)
    lesions = _in_free_columns(draw_lesions(rng, kind, 0.0, 0.35 * width * mm_per_px), x_mm, free)
    um_per_px = _RETINA_UM / max(20.0, float(np.median((old[-1] - old[0])[found])))
    scene = _lift(old, lesions, x_mm, um_per_px)
    image = _moved(backdrop.image.astype(np.float32), scene)
    shown = image.copy()
    drawn = {name: mask & found for name, mask in _fill(rng, shown, backdrop, scene, lesions).items()}
    masks = {name: mask for name, mask in drawn.items() if mask.mean() >= LEAST_LESION_SHARE}
    if kind is not BscanLesion.NONE and kind.value not in masks:
        return None
    moved = _moved(backdrop.known.astype(np.float32), scene) > 0.5  # noqa: PLR2004 - the larger part of a pixel
    return Inserted(np.asarray(np.clip(shown, 0, 255) + 0.5, np.uint8), masks, moved)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Rows (width,) or (8, width) before and after the lesions came; ``x_mm`` (width,) from where they gather."""

    x_mm: Curve
    old: Curve
    new: Curve
    rpe_px: float
    lift_px: Curve
    pocket_px: Curve

    @property
    def rpe_bottom_px(self) -> Curve:
        return np.asarray(self.new[-1] - self.lift_px)


def _whole(boundary: NDArray[np.floating], found: Mask) -> Curve:
    """The boundaries in every column: beside the retina as at its end."""
    columns = np.arange(boundary.shape[1])
    return np.stack([np.interp(columns, columns[found], row[found]) for row in boundary])


def _in_free_columns(lesions: Lesions, x_mm: Curve, free: Mask) -> Lesions:
    """Those lesions all of whose columns are free and within the picture."""

    def fits(lesion: Dome | Cyst) -> bool:
        under = np.abs(x_mm - lesion.x_mm) <= lesion.radius_mm
        is_within = x_mm[0] <= lesion.x_mm - lesion.radius_mm and lesion.x_mm + lesion.radius_mm <= x_mm[-1]
        return bool(is_within and under.any() and free[under].all())

    return Lesions(
        drusen=tuple(filter(fits, lesions.drusen)),
        cnv=tuple(filter(fits, lesions.cnv)),
        subretinal=tuple(filter(fits, lesions.subretinal)),
        cysts=tuple(filter(fits, lesions.cysts)),
        oedema=lesions.oedema,
        foci_per_mm=lesions.foci_per_mm,
    )


def _lift(old: Curve, lesions: Lesions, x_mm: Curve, um_per_px: float) -> _Scene:
    """Where the boundaries lie with the lesions, by the shares that core.phantom.bscan lifts them."""
    lift = height_um((*lesions.drusen, *lesions.cnv), x_mm, 0.0)
    pocket = height_um(lesions.subretinal, x_mm, 0.0)
    swollen = height_um(lesions.oedema, x_mm, 0.0) if lesions.cysts or lesions.subretinal else np.zeros_like(x_mm)
    risen = np.outer(LIFT_SHARE, lift + pocket)
    risen[:3] += swollen
    risen[3:5] += 0.7 * swollen
    onl = (old[5] - old[4]) * um_per_px + risen[4] - risen[5]
    risen[:5] += np.maximum(0.0, np.minimum(LEAST_ONL_UM, (old[5] - old[4]) * um_per_px) - onl)
    new = old - risen / um_per_px
    return _Scene(x_mm, old, new, RPE_UM / um_per_px, lift / um_per_px, pocket / um_per_px)


def _moved(image: Field, scene: _Scene) -> Field:
    """The picture with every layer where the scene has it; what opens shows anything yet."""
    height, width = image.shape
    rpe_old, rpe_new = scene.old[-1] - scene.rpe_px, scene.rpe_bottom_px - scene.rpe_px
    # The first row stays: the vitreous gives way, and where the device's picture ends in it, it ends as before.
    above = tuple(np.minimum(0.0, boundary[:1] - _OFF_ILM_PX) for boundary in (scene.new, scene.old))
    below = scene.new[-1:] + height, scene.old[-1:] + height
    new = np.concatenate([above[0], scene.new[:6], (rpe_new - scene.pocket_px)[None], rpe_new[None],
                          scene.rpe_bottom_px[None], scene.new[-1:] + 1e-3, below[0]])  # fmt: skip
    old = np.concatenate([above[1], scene.old[:6], rpe_old[None], rpe_old[None],
                          scene.old[-1:], scene.old[-1:] + 1e-3, below[1]])  # fmt: skip
    new = np.maximum.accumulate(new, axis=0)
    rows = np.arange(height, dtype=np.float64)
    source = np.stack([np.interp(rows, new[:, column], old[:, column]) for column in range(width)], axis=1)
    columns = np.broadcast_to(np.arange(width, dtype=np.float64), source.shape)
    return np.asarray(ndimage.map_coordinates(image, [source, columns], order=1, mode="nearest"), np.float32)


def _fill(
    rng: np.random.Generator, shown: Field, backdrop: Backdrop, scene: _Scene, lesions: Lesions
) -> dict[str, Mask]:
    """Draw what opened into ``shown``; where each lesion now is."""
    rows = np.arange(shown.shape[0], dtype=np.float32)[:, None]
    seen = backdrop.image.astype(np.float32)
    old, bottom, x_mm = scene.old, scene.rpe_bottom_px, scene.x_mm
    under = (rows >= bottom) & (rows < scene.new[-1])
    drusen = under & (height_um(lesions.drusen, x_mm, 0.0) > 0)
    cnv_um = height_um(lesions.cnv, x_mm, 0.0)
    cnv = under & (cnv_um > 0)
    tissue = _tiled(seen, old[1], old[5])
    _blend(rng, shown, drusen & ~cnv, tissue * rng.uniform(0.8, 1.5))
    if cnv.any():
        rough = 1.0 + rng.uniform(0.05, 0.35) * _coarse(rng, shown.shape)
        deep = np.clip((rows - bottom) / np.maximum(scene.lift_px, 1.0), 0.0, 1.0)
        level = rng.uniform(0.6, 1.7) * (1.0 - rng.uniform(-0.2, 0.7) * deep)
        _blend(rng, shown, cnv, (tissue * rough * level).astype(np.float32))
        bands = (rows >= scene.new[5]) & (rows < bottom - 0.6 * scene.rpe_px)
        broken = np.clip(cnv_um / 120.0, 0.0, 0.85).astype(np.float32)[None, :]
        np.copyto(shown, shown * (1 - broken) + tissue * rough.astype(np.float32) * broken, where=bands)
    rpe_top = bottom - scene.rpe_px
    fluid = (rows >= rpe_top - scene.pocket_px) & (rows < rpe_top)
    for cyst in lesions.cysts:
        fluid |= _cyst(cyst, scene, rows)
    vitreous = _tiled(seen, np.maximum(0, old[0] - _VITREOUS_PX), old[0] - _OFF_ILM_PX)
    _blend(rng, shown, fluid, vitreous * rng.uniform(0.8, 1.5))
    _shade(rng, shown, rows, scene)
    return {"drusen": drusen & ~cnv, "cnv": cnv, "fluid": fluid}


def _cyst(cyst: Cyst, scene: _Scene, rows: Field) -> Mask:
    """An ellipse that follows its layer and ends where the layer does."""
    top, bottom = scene.new[cyst.layer], scene.new[cyst.layer + 1]
    column = int(np.argmin(np.abs(scene.x_mm - cyst.x_mm)))
    across = np.square(scene.x_mm - cyst.x_mm) / cyst.radius_mm**2
    half = 0.5 * cyst.share * max(0.0, float(bottom[column] - top[column])) * np.sqrt(np.maximum(0.0, 1.0 - across))
    middle = top + cyst.depth * (bottom - top)
    inside = (rows >= np.maximum(middle - half, top + 1.0)) & (rows < np.minimum(middle + half, bottom - 1.0))
    return np.asarray(inside, np.bool_)


def _tiled(image: Field, top_px: Curve, bottom_px: Curve) -> Field:
    """The picture's own texture between two rows of each column, mirrored again and again over the whole height."""
    height, width = image.shape
    top = np.clip(top_px, 0, height - 4).astype(np.int64)
    tall = np.clip(bottom_px.astype(np.int64) - top, 3, height - top)
    place = np.mod(np.arange(height)[:, None] - top, 2 * tall)
    place = np.where(place < tall, place, 2 * tall - 1 - place)
    return np.asarray(image[np.clip(top + place, 0, height - 1), np.arange(width)[None, :]], np.float32)


def _blend(rng: np.random.Generator, shown: Field, mask: Mask, texture: Field) -> None:
    """Draw a texture into the picture, its edge softened as the device softens edges."""
    if mask.any():
        share = ndimage.gaussian_filter(mask.astype(np.float32), rng.uniform(0.4, 1.2))
        shown += share * (texture - shown)


def _shade(rng: np.random.Generator, shown: Field, rows: Field, scene: _Scene) -> None:
    """Below a lifted pigment epithelium more light arrives, or less."""
    if scene.lift_px.any():
        strength = float(rng.uniform(-0.45, 0.25))
        column = ndimage.gaussian_filter1d(np.clip(scene.lift_px / 12.0, 0.0, 1.0), 3.0)
        shown *= np.where(rows >= scene.new[-1], 1.0 + strength * column[None, :], 1.0).astype(np.float32)


def _coarse(rng: np.random.Generator, shape: tuple[int, ...]) -> Field:
    """A smooth random field of unit variance, its structures some 8 pixels large."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (3.0, 4.0))
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)
