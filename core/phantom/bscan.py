"""Simulated macular B-scans and whole volumes with their true layer boundaries, lesions and thickness. Seeded, pure."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.phantom.bscan_lesion import BscanLesion, Curve, Lesions, draw_lesions, height_um
from core.phantom.bscan_light import BscanLook, Layout, Mask, expose, random_bscan_look
from core.phantom.retina import RetinaShape, random_shape

__all__ = ["BscanLesion", "BscanPhantom", "BscanSpec", "VolumePhantom", "VolumeSpec", "draw_bscan", "draw_volume_lines"]

N_BOUNDARIES = 8
"""ILM, RNFL/GCL, IPL/INL, INL/OPL, OPL/ONL, ONL/ISE, ISE/OS-RPE, RPE/Bruch: from top to bottom."""

LIFT_SHARE = (0.30, 0.30, 0.33, 0.36, 0.42, 1.0, 1.0, 0.0)
"""Share of a lesion's height by which each boundary above it rises; the outer nuclear layer gives way."""
LEAST_ONL_UM = 12.0
"""What is left of the outer nuclear layer over the highest lesion."""
RPE_UM = 22.0
"""Thickness of the pigment epithelium with Bruch's membrane, part of the seventh layer."""


@dataclass(frozen=True, slots=True)
class BscanSpec:
    """One B-scan to simulate.

    Attributes
    ----------
    height_px, width_px : int, >= 64
    z_mm_per_px, x_mm_per_px : float
        Depth of a row and width of a column.
    lesion : BscanLesion
    noise : float, 0..1
        0 is the average of many frames, 1 a single bad one.
    shadow : float, 0..1
        How much light a broad shadow takes away (cataract, floaters); vessels' shadows are always there.
    foveal_offset_mm : float
        Where the fovea lies to the right of the image's centre.
    line_offset_mm : float
        How far below the fovea the scan line runs; 0 goes through the pit.
    tilt_mm_per_mm : float
        Slope of the retina from left to right; moves whole columns and leaves the thickness alone.
    bend_per_mm : float
        Curvature of the retina, mm down per mm squared from the image's centre.
    depth_fraction : float, 0..1
        Row of Bruch's membrane at the image's centre, as a share of the height.
    retina, look : None draws them from the seed
    """

    height_px: int = 496
    width_px: int = 512
    z_mm_per_px: float = 0.0039
    x_mm_per_px: float = 0.0116
    lesion: BscanLesion = BscanLesion.NONE
    noise: float = 0.25
    shadow: float = 0.0
    foveal_offset_mm: float = 0.0
    line_offset_mm: float = 0.0
    tilt_mm_per_mm: float = 0.0
    bend_per_mm: float = 0.0
    depth_fraction: float = 0.55
    retina: RetinaShape | None = None
    look: BscanLook | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if min(self.height_px, self.width_px) < 64:  # noqa: PLR2004 - the limit named in the docstring
            raise ValueError(f"a B-scan has at least 64 x 64 px, got {self.width_px} x {self.height_px}")
        for name in ("noise", "shadow", "depth_fraction"):
            if not 0.0 <= float(getattr(self, name)) <= 1.0:
                raise ValueError(f"{name} lies between 0 and 1, got {getattr(self, name)}")

    @property
    def x_mm(self) -> Curve:
        """Place of every column, mm to the right of the image's centre."""
        return (np.arange(self.width_px, dtype=np.float64) + 0.5 - self.width_px / 2.0) * self.x_mm_per_px


@dataclass(frozen=True, slots=True)
class BscanPhantom:
    """A drawn B-scan and the truth about it.

    Attributes
    ----------
    image : uint8 (height, width)
        Display grey, as devices export it: the fourth root of the reflectivity, about.
    boundary_row_px : float32 (8, width)
        Rows of ILM, RNFL/GCL, IPL/INL, INL/OPL, OPL/ONL, ONL/ISE, ISE/OS-RPE and RPE/Bruch, counted from 0 at the
        centre of the top pixel: layer k takes the rows r with boundary[k-1] <= r < boundary[k]. Never NaN; rows
        outside the frame say that the retina leaves it.
    labels : uint8 (height, width)
        0 background, 1 ILM-RNFL, 2 GCL-IPL, 3 INL, 4 OPL, 5 ONL-ISM, 6 ISE, 7 OS-RPE (with what lies under it).
    rpe_row_px : float32 (2, width)
        Upper and lower border of the pigment epithelium within the seventh layer; drusen and CNV lie under it.
    lesions : bool (height, width) by name
        "drusen", "cnv" and "fluid"; empty where there is none.
    """

    spec: BscanSpec
    seed: int
    image: NDArray[np.uint8]
    boundary_row_px: NDArray[np.float32]
    rpe_row_px: NDArray[np.float32]
    labels: NDArray[np.uint8]
    lesions: dict[str, Mask]
    retina: RetinaShape

    @property
    def z_mm_per_px(self) -> float:
        """Depth of one row."""
        return self.spec.z_mm_per_px

    @property
    def x_mm_per_px(self) -> float:
        """Width of one column."""
        return self.spec.x_mm_per_px

    @property
    def thickness_um(self) -> NDArray[np.float32]:
        """True thickness of every column from the ILM to Bruch's membrane, float32 (width,)."""
        height_px = self.boundary_row_px[-1] - self.boundary_row_px[0]
        return np.asarray(height_px * (1000.0 * self.spec.z_mm_per_px), np.float32)


@dataclass(frozen=True, slots=True)
class _Eye:
    """What all B-scans of one eye share."""

    retina: RetinaShape
    lesions: Lesions
    look: BscanLook


def draw_bscan(spec: BscanSpec, seed: int) -> BscanPhantom:
    """The B-scan that ``spec`` describes; the same spec and seed give the same bytes."""
    return _draw(spec, seed, _draw_eye(spec, seed, spec.line_offset_mm), np.random.default_rng([3, seed]))


def _draw_eye(spec: BscanSpec, seed: int, line_mm: float) -> _Eye:
    """Retina, lesions and look, from the spec where it names them, else from the seed."""
    eye, capture = np.random.default_rng([1, seed]), np.random.default_rng([2, seed])
    retina = spec.retina or random_shape(eye)
    lesions = draw_lesions(eye, spec.lesion, line_mm, spec.width_px * spec.x_mm_per_px / 2.0)
    return _Eye(retina, lesions, spec.look or random_bscan_look(capture))


def _draw(spec: BscanSpec, seed: int, eye: _Eye, rng: np.random.Generator) -> BscanPhantom:
    lesions, layout = eye.lesions, _lay_out(spec, eye.retina, eye.lesions)
    fluid = _fluid_mask(layout, lesions)
    image = expose(rng, layout, eye.look, fluid=fluid, noise=spec.noise, shadow=spec.shadow)
    rows = layout.rows
    lifted = _between(rows, layout.rpe_bottom_px, layout.boundary_px[-1])
    named = {
        "drusen": lifted & (height_um(lesions.drusen, layout.x_mm, layout.y_mm) > 0.0),
        "cnv": lifted & (height_um(lesions.cnv, layout.x_mm, layout.y_mm) > 0.0),
        "fluid": fluid,
    }
    boundary = layout.boundary_px.astype(np.float32)
    return BscanPhantom(
        spec=spec,
        seed=seed,
        image=image,
        boundary_row_px=boundary,
        rpe_row_px=np.stack([layout.rpe_top_px, layout.rpe_bottom_px]).astype(np.float32),
        labels=labels_of(boundary, spec.height_px),
        lesions=named,
        retina=eye.retina,
    )


def labels_of(boundary_row_px: NDArray[np.floating], height_px: int) -> NDArray[np.uint8]:
    """The duke-7 label of every pixel, uint8 (height, width), from boundaries (8, width) in rows from 0."""
    rows = np.arange(height_px, dtype=np.float32)[:, None]
    passed = np.zeros((height_px, boundary_row_px.shape[1]), np.uint8)
    for boundary in boundary_row_px:
        passed += rows >= boundary[None, :]
    passed[passed == N_BOUNDARIES] = 0  # below Bruch's membrane
    return passed


def _lay_out(spec: BscanSpec, retina: RetinaShape, lesions: Lesions) -> Layout:
    """Rows of all boundaries: thickness stacked up from Bruch's membrane, then lifted by what lies on it."""
    x_mm = spec.x_mm - spec.foveal_offset_mm
    y_mm = spec.line_offset_mm
    layers = retina.layers_um(x_mm, y_mm)  # (7, width)
    swollen = height_um(lesions.oedema, x_mm, y_mm)
    layers[2] += 0.3 * swollen
    layers[4] += 0.7 * swollen
    below = np.concatenate([np.cumsum(layers[::-1], axis=0)[::-1], np.zeros((1, len(x_mm)))])  # (8, width), um
    lift = height_um((*lesions.drusen, *lesions.cnv), x_mm, y_mm)
    pocket = height_um(lesions.subretinal, x_mm, y_mm)
    risen = below + np.outer(LIFT_SHARE, lift) + np.outer(LIFT_SHARE, pocket)
    # The outer nuclear layer gives way only so far: what it cannot give lifts everything above it.
    missing = np.maximum(0.0, LEAST_ONL_UM - (risen[4] - risen[5]))
    risen[:5] += missing
    um_per_px = 1000.0 * spec.z_mm_per_px
    slope_mm = spec.tilt_mm_per_mm * spec.x_mm + spec.bend_per_mm * np.square(spec.x_mm)
    bruch_px = spec.depth_fraction * spec.height_px + slope_mm / spec.z_mm_per_px
    boundary = bruch_px - risen / um_per_px
    return Layout(
        x_mm=x_mm,
        y_mm=y_mm,
        um_per_px=um_per_px,
        x_mm_per_px=spec.x_mm_per_px,
        height_px=spec.height_px,
        boundary_px=boundary,
        rpe_top_px=bruch_px - (lift + RPE_UM) / um_per_px,
        rpe_bottom_px=bruch_px - lift / um_per_px,
        pocket_px=pocket / um_per_px,
        cnv_um=height_um(lesions.cnv, x_mm, y_mm),
        foci_per_mm=lesions.foci_per_mm,
    )


def _fluid_mask(layout: Layout, lesions: Lesions) -> Mask:
    """Where fluid is: ellipsoids within their layers, and pockets on the pigment epithelium."""
    rows, boundary = layout.rows, layout.boundary_px
    mask = _between(rows, layout.rpe_top_px - layout.pocket_px, layout.rpe_top_px)
    for cyst in lesions.cysts:
        column = int(np.argmin(np.abs(layout.x_mm - cyst.x_mm)))
        top, bottom = boundary[cyst.layer, column], boundary[cyst.layer + 1, column]
        across = (np.square(layout.x_mm - cyst.x_mm) + (layout.y_mm - cyst.y_mm) ** 2) / cyst.radius_mm**2
        half = 0.5 * cyst.share * (bottom - top) * np.sqrt(np.maximum(0.0, 1.0 - across))
        # It follows its layer, and ends where the layer does.
        middle = boundary[cyst.layer] + cyst.depth * (boundary[cyst.layer + 1] - boundary[cyst.layer])
        inner = np.maximum(middle - half, boundary[cyst.layer] + 1.0)
        mask |= _between(rows, inner, np.minimum(middle + half, boundary[cyst.layer + 1] - 1.0))
    return mask


def _between(rows: NDArray[np.float32], top: Curve, bottom: Curve) -> Mask:
    """Pixels (height, width) whose rows lie from ``top`` to below ``bottom``."""
    return np.asarray((rows >= top[None, :]) & (rows < bottom[None, :]), np.bool_)


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A raster of parallel B-scans to simulate, centred on the field.

    Attributes
    ----------
    n_lines : int, >= 1
    line_distance_mm : float
        Between neighbouring B-scans.
    fovea_mm : tuple of float
        Where the fovea lies from the centre of the field, x right and y down.
    bscan : BscanSpec
        What every B-scan has in common; its offsets are taken from ``fovea_mm`` instead.
    """

    n_lines: int = 97
    line_distance_mm: float = 0.06
    fovea_mm: tuple[float, float] = (0.0, 0.0)
    bscan: BscanSpec = field(default_factory=BscanSpec)


@dataclass(frozen=True, slots=True)
class VolumePhantom:
    """A simulated volume; its thickness anywhere is known from ``retina`` where it has no lesion.

    Attributes
    ----------
    lines : the B-scans from the top of the field to its bottom
    lines_mm : float64 (n, 4)
        StartX, StartY, EndX, EndY of each B-scan: outer edges of its first and last column, mm from the field's upper
        left corner, y downwards, as in core.volume.
    fovea_mm : tuple of float
        The fovea in the coordinates of ``lines_mm``.
    """

    spec: VolumeSpec
    lines: tuple[BscanPhantom, ...]
    lines_mm: NDArray[np.float64]
    fovea_mm: tuple[float, float]
    retina: RetinaShape


def draw_volume_lines(spec: VolumeSpec, seed: int) -> VolumePhantom:
    """All B-scans of one eye: one retina, one set of lesions crossed at each line, fresh noise for each."""
    common = spec.bscan
    eye = _draw_eye(common, seed, 0.0)
    rows = np.arange(spec.n_lines, dtype=np.float64)
    places = (rows - (spec.n_lines - 1) / 2.0) * spec.line_distance_mm
    lines = tuple(
        _draw(
            replace(common, foveal_offset_mm=spec.fovea_mm[0], line_offset_mm=float(place) - spec.fovea_mm[1]),
            seed,
            eye,
            np.random.default_rng([3, seed, number]),
        )
        for number, place in enumerate(places)
    )
    return VolumePhantom(spec, lines, *_grid_mm(spec, places), eye.retina)


def _grid_mm(spec: VolumeSpec, places: Curve) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Start and end of every line, and the fovea, from the field's upper left corner."""
    width_mm = spec.bscan.width_px * spec.bscan.x_mm_per_px
    down = places - places[0] + spec.line_distance_mm / 2.0
    lines = np.stack([np.zeros_like(down), down, np.full_like(down, width_mm), down], axis=1)
    middle = spec.n_lines * spec.line_distance_mm / 2.0
    return lines, (width_mm / 2.0 + spec.fovea_mm[0], middle + spec.fovea_mm[1])


def random_bscan_spec(
    rng: np.random.Generator, lesion: BscanLesion, *, height_px: int = 496, width_px: int = 512
) -> BscanSpec:
    """A B-scan as training wants it: fields from 4.4 to 9 mm, every depth, tilt and quality."""
    width_mm, depth_mm = float(rng.uniform(4.4, 9.0)), float(rng.uniform(1.6, 2.1))
    return BscanSpec(
        height_px=height_px,
        width_px=width_px,
        z_mm_per_px=depth_mm / height_px,
        x_mm_per_px=width_mm / width_px,
        lesion=lesion,
        noise=float(rng.beta(1.2, 2.2)),
        shadow=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.15 else 0.0,  # noqa: PLR2004 - rare, yet seen
        foveal_offset_mm=float(rng.normal(0.0, 0.12) * width_mm),
        line_offset_mm=float(rng.choice((0.0, 1.0)) * rng.normal(0.0, 0.9)),
        tilt_mm_per_mm=float(rng.normal(0.0, 0.025)),
        bend_per_mm=float(rng.uniform(-0.008, 0.004)),
        depth_fraction=float(rng.uniform(0.42, 0.72)),
    )
