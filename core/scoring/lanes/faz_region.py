"""Which zone of a coarse FAZ map is the FAZ, and the region around it that is looked at again at its own scale.

Training cuts its regions with the same functions. NumPy and Pillow only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.measures.faz import SMALLEST_FAZ_PX, faz_component
from core.scoring.lanes.canvas import MEAN, SPREAD

REGION_PX = 96
"""Side of what the refiner sees; the finder's is its network's own (OctaEnfaceShape.finder_px)."""
CENTRAL_SHARE = 0.55
"""Side of the wide region in sides of the scan: a FAZ of 6 mm is there still some 20 of 128 pixels across."""
REGION_DIAMETERS = 2.6
"""Side of the region in diameters of the coarse zone: the ring of vessels around it, and room for what it missed."""
SMALLEST_REGION_PX = 24
"""Of the scan; a smaller region would show nothing but interpolation."""
CENTRE_SPREAD = 0.1
"""Of the image's side: a zone so far from the middle has e^-1/2 of a central one's claim to be the FAZ. Scans are
centred on the fovea (198 of the 200 graded ones); drop-out and shadow lie anywhere. Chosen on phantoms."""

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FazRegion:
    """A square of the scan: its centre, from the image's top left corner, and its side, in pixels of the scan."""

    x_px: float
    y_px: float
    side_px: float

    @classmethod
    def around(cls, zone: NDArray[np.bool_]) -> "FazRegion | None":
        """The region around a zone (height, width); None where the zone is empty."""
        rows, columns = np.nonzero(zone)
        if not len(rows):
            return None
        diameter = 2 * np.sqrt(len(rows) / np.pi)
        return cls(float(columns.mean()) + 0.5, float(rows.mean()) + 0.5, cls.side_of(float(diameter)))

    @staticmethod
    def side_of(diameter_px: float) -> float:
        """The side of a region around a zone of this diameter."""
        return max(SMALLEST_REGION_PX, REGION_DIAMETERS * diameter_px)


@dataclass(frozen=True, slots=True)
class FazDetail:
    """What the refiner said of a region: the probability (size, size) of FAZ."""

    region: FazRegion
    probability: NDArray[np.float32]


def central_region(shape: tuple[int, ...]) -> FazRegion:
    """The middle of a scan (height, width), wide enough for a fovea that is not quite centred."""
    return FazRegion(shape[1] / 2, shape[0] / 2, CENTRAL_SHARE * max(shape))


def likeliest_zone(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of ``mask`` (height, width) that is the FAZ, holes filled: large, and near the middle of the scan.

    Of each connected part (8 neighbours) the root of the area is weighed by a Gaussian of its distance from the
    middle: the largest part alone took another for the FAZ in one of six phantoms of 6 mm.
    """
    labels, n_parts = ndimage.label(mask, structure=np.ones((3, 3)))
    if n_parts <= 1:
        return faz_component(mask)
    parts = np.arange(1, n_parts + 1)
    sizes = np.bincount(labels.ravel())[1:]
    centres = np.array(ndimage.center_of_mass(mask, labels, parts)) + 0.5
    offset = np.hypot(*(centres / mask.shape - 0.5).T)
    claim = np.sqrt(sizes) * np.exp(-((offset / CENTRE_SPREAD) ** 2) / 2) * (sizes >= SMALLEST_FAZ_PX)
    return faz_component(labels == parts[int(np.argmax(claim))])


def region_input(image: Plane, coarse: Plane, region: FazRegion, size_px: int = REGION_PX) -> NDArray[np.float32]:
    """What the refiner sees (2, size, size) of a scan and its coarse FAZ map (0 to 255), both (height, width)."""
    values = cut(image, region, size_px=size_px, fill=round(MEAN * 255))
    first = cut(coarse, region, size_px=size_px)
    return as_input(values.astype(np.float32) / np.float32(255), first.astype(np.float32) / np.float32(255))


def as_input(values: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey values and coarse probability (size, size) in [0, 1] as the refiner's two channels."""
    return np.stack([(values - np.float32(MEAN)) / np.float32(SPREAD), 2 * coarse - 1]).astype(np.float32)


def cut(
    plane: Plane,
    region: FazRegion,
    *,
    size_px: int = REGION_PX,
    turn: NDArray[np.float64] | None = None,
    fill: int = 0,
) -> Plane:
    """The region of a plane (height, width) as (size, size), anti-aliased; ``turn`` (2, 2) distorts it for training."""
    step = region.side_px / size_px
    matrix = (np.eye(2) if turn is None else turn) * step
    source, centre = Image.fromarray(plane), np.array([region.x_px, region.y_px])
    reduced = int(step)
    if reduced > 1:  # bilinear sampling alone would skip pixels
        source, matrix, centre = source.reduce(reduced), matrix / reduced, centre / reduced
    start = centre - matrix @ np.full(2, size_px / 2)
    coefficients = (*matrix[0], start[0], *matrix[1], start[1])
    size = (size_px, size_px)
    moved = source.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill)
    return np.asarray(moved)


def put_back(detail: FazDetail, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The region's probabilities at their place in a scan (height, width), 0 outside."""
    region, size_px = detail.region, len(detail.probability)
    step = size_px / region.side_px
    matrix = (step, 0.0, size_px / 2 - step * region.x_px, 0.0, step, size_px / 2 - step * region.y_px)
    placed = Image.fromarray(detail.probability).transform(
        shape[::-1], Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.asarray(placed, np.float32)
