"""How a device sees a simulated B-scan: layers' reflectivity, vessels and their shadows, speckle, tone. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.phantom.bscan_lesion import Curve

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LEVELS = (0.10, 0.74, 0.53, 0.37, 0.52, 0.29, 0.85, 0.47)
"""Display grey of vitreous, RNFL, GCL-IPL, INL, OPL, ONL, ISE and outer segments."""
_RPE, _UNDER_RPE, _CHOROID, _FLUID = 0.88, 0.42, 0.55, 0.11
_ELM_ABOVE_UM, _ELM_UM, _ELM_LIGHT = 14.0, 5.0, 0.10
"""The external limiting membrane: a faint line so far above the ellipsoid zone."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one B-scan lies; rows are counted from 0 at the centre of the top pixel.

    Attributes
    ----------
    x_mm : (width,) mm from the fovea along the line; y_mm : the line's distance from it
    boundary_px : (8, width) rows of the layer boundaries
    rpe_top_px, rpe_bottom_px : (width,) the pigment epithelium, lifted by drusen and CNV
    pocket_px : (width,) height of the fluid above it
    cnv_um : (width,) height of the CNV complex under it
    """

    x_mm: Curve
    y_mm: float
    um_per_px: float
    x_mm_per_px: float
    height_px: int
    boundary_px: Curve
    rpe_top_px: Curve
    rpe_bottom_px: Curve
    pocket_px: Curve
    cnv_um: Curve
    foci_per_mm: float

    @property
    def rows(self) -> Field:
        """Row of every pixel as a column (height, 1)."""
        return np.arange(self.height_px, dtype=np.float32)[:, None]


@dataclass(frozen=True, slots=True)
class BscanLook:
    """A device's and an eye's look.

    Attributes
    ----------
    levels : display grey, 0..1, of vitreous and the layers down to the outer segments
    gain, black, gamma : tone curve of the export
    choroid_mm : depth over which the choroid's light falls to 1 / e
    smoothing_px : how much the export blurs
    """

    levels: tuple[float, ...] = _LEVELS
    gain: float = 1.0
    black: float = 0.03
    gamma: float = 1.0
    choroid_mm: float = 0.28
    smoothing_px: float = 0.4


def random_bscan_look(rng: np.random.Generator) -> BscanLook:
    """A look as devices differ: tone, depth of view, smoothing, and layers a little brighter or darker."""
    levels = np.array(_LEVELS) * (1.0 + 0.09 * np.clip(rng.standard_normal(len(_LEVELS)), -2.0, 2.0))
    return BscanLook(
        levels=tuple(levels.tolist()),
        gain=float(rng.uniform(0.75, 1.15)),
        black=float(rng.uniform(0.0, 0.12)),
        gamma=float(rng.uniform(0.8, 1.7)),
        choroid_mm=float(rng.uniform(0.12, 0.4)),
        smoothing_px=float(rng.uniform(0.2, 1.1)),
    )


def expose(
    rng: np.random.Generator, layout: Layout, look: BscanLook, *, fluid: Mask, noise: float, shadow: float
) -> NDArray[np.uint8]:
    """The 8-bit image (height, width) of a layout."""
    tissue = _reflect(rng, layout, look)
    tissue[fluid] = _FLUID
    _add_foci(rng, layout, tissue)
    seen = tissue * _light(rng, layout, shadow)
    return _record(rng, seen, look, noise)


def _reflect(rng: np.random.Generator, layout: Layout, look: BscanLook) -> Field:
    """Display grey of the tissue, 0..1, edges softened within the pixel they cross."""
    levels, boundary = look.levels, layout.boundary_px
    image = np.full((layout.height_px, boundary.shape[1]), levels[0], np.float32)
    before = levels[0]
    for top, level in zip(boundary[:7], levels[1:], strict=True):
        _step(image, layout, top, level - before)
        before = level
    elm = boundary[5] - _ELM_ABOVE_UM / layout.um_per_px
    _step(image, layout, elm, _ELM_LIGHT)
    _step(image, layout, elm + _ELM_UM / layout.um_per_px, -_ELM_LIGHT)
    _step(image, layout, layout.rpe_top_px, _RPE - before)
    _step(image, layout, layout.rpe_bottom_px, _UNDER_RPE - _RPE)
    _step(image, layout, boundary[7], _CHOROID - _UNDER_RPE)
    _texture_cnv(rng, image, layout)
    _texture_choroid(rng, image, layout, look)
    return image


def _step(image: Field, layout: Layout, top_px: Curve, rise: float) -> None:
    """Add ``rise`` from this row downwards, by the share of each pixel that lies below it."""
    inside = np.clip(layout.rows + 0.5 - top_px.astype(np.float32)[None, :], 0.0, 1.0)
    image += np.float32(rise) * inside


def _texture_cnv(rng: np.random.Generator, image: Field, layout: Layout) -> None:
    """A CNV complex is bright in patches, and the photoreceptors' bands break up above it."""
    if not layout.cnv_um.any():
        return
    rough = _coarse(rng, image.shape, 6.0, 10.0)
    under = (layout.rows >= layout.rpe_bottom_px) & (layout.rows < layout.boundary_px[7]) & (layout.cnv_um > 0.0)
    image[under] = np.clip(0.62 + 0.2 * rough[under], 0.2, 0.95)
    broken = np.clip(layout.cnv_um / 120.0, 0.0, 0.85).astype(np.float32)[None, :]
    bands = (layout.rows >= layout.boundary_px[5]) & (layout.rows < layout.rpe_bottom_px)
    dulled = image * (1.0 - broken) + (0.5 + 0.12 * rough) * broken
    np.copyto(image, dulled, where=bands)


def _texture_choroid(rng: np.random.Generator, image: Field, layout: Layout, look: BscanLook) -> None:
    """Choroidal vessels, and light that fades with depth; the fourth root of an exponential is one again."""
    depth_mm = np.maximum(0.0, layout.rows - layout.boundary_px[7].astype(np.float32)) * (layout.um_per_px / 1000.0)
    vessels = 1.0 + 0.22 * _coarse(rng, image.shape, 7.0, 12.0) * np.minimum(1.0, depth_mm / 0.03)
    fading = np.exp(-depth_mm / look.choroid_mm)
    below = layout.rows >= layout.boundary_px[7]
    np.copyto(image, np.maximum(0.07, image * vessels * fading).astype(np.float32), where=below)


def _add_foci(rng: np.random.Generator, layout: Layout, image: Field) -> None:
    """Bright exudates within the retina, a few pixels large."""
    width = image.shape[1]
    for _ in range(int(rng.poisson(layout.foci_per_mm * width * layout.x_mm_per_px))):
        column = int(rng.integers(2, width - 2))
        row = int(rng.uniform(layout.boundary_px[1, column], layout.boundary_px[5, column]))
        tall, wide = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        if 0 < row < layout.height_px - tall:
            image[row : row + tall, column : column + wide] = rng.uniform(0.75, 1.0)


def _light(rng: np.random.Generator, layout: Layout, shadow: float) -> Field:
    """Share of light that reaches each pixel: vessels of the nerve fibre layer and a broad shadow take some away."""
    width = len(layout.x_mm)
    columns = np.arange(width, dtype=np.float32)
    light = np.ones((layout.height_px, width), np.float32)
    under = np.clip(layout.rows - layout.boundary_px[1].astype(np.float32), 0.0, 6.0) / np.float32(6.0)
    for _ in range(int(rng.integers(2, 9))):
        place, half_mm = rng.uniform(0.0, width), rng.uniform(0.012, 0.05)
        if abs(float(layout.x_mm[int(place)])) < 0.35:  # noqa: PLR2004 - the fovea has no vessels
            continue
        profile = np.exp(-0.5 * np.square((columns - place) * layout.x_mm_per_px / half_mm))
        light *= 1.0 - np.float32(rng.uniform(0.15, 0.5)) * profile[None, :] * under
    if shadow > 0.0:
        place, half = rng.uniform(0.1, 0.9) * width, rng.uniform(0.06, 0.2) * width
        light *= 1.0 - np.float32(0.85 * shadow) * np.exp(-np.square((columns - place) / half))[None, :]
    uneven = 1.0 + 0.1 * np.interp(columns, np.linspace(0, width, 6), rng.standard_normal(6))
    return light * np.clip(uneven, 0.7, 1.3).astype(np.float32)[None, :]


def _record(rng: np.random.Generator, seen: Field, look: BscanLook, noise: float) -> NDArray[np.uint8]:
    """Speckle that grows with the signal, a floor that does not, the export's blur and tone curve."""
    speckle = rng.standard_normal((2, *seen.shape), dtype=np.float32)
    strength = 0.06 + 0.34 * noise
    noisy = seen * (1.0 + strength * speckle[0]) + (0.02 + 0.22 * noise) * np.abs(speckle[1])
    blurred = ndimage.gaussian_filter(noisy, look.smoothing_px, mode="nearest", truncate=3.0)
    tone = np.clip(look.gain * (blurred - look.black), 0.0, 1.0) ** look.gamma
    return np.asarray(255.0 * tone + 0.5, np.uint8)


def _coarse(rng: np.random.Generator, shape: tuple[int, ...], rows_px: float, columns_px: float) -> Field:
    """A smooth random field of about unit variance, with structures of this size."""
    small = tuple(max(3, int(size / step)) for size, step in zip(shape, (rows_px, columns_px), strict=True))
    grid = rng.standard_normal(small, dtype=np.float32)
    zoom = tuple(size / part for size, part in zip(shape, small, strict=True))
    smooth = ndimage.zoom(grid, zoom, order=2, mode="grid-constant", grid_mode=True)
    return np.asarray(smooth[: shape[0], : shape[1]] * 1.5, np.float32)
