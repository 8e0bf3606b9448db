"""A structural OCT capture in memory: B-scans, where each lies on the fundus, and what the device itself drew.

Holds no identity: no name, no date, no device serial number. Knows no file format, no network and no database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import Laterality, ScanPattern

N_LINE_VALUES = 4
"""StartX, StartY, EndX, EndY."""

_MM_PER_UM = 1e-3


@dataclass(frozen=True, slots=True)
class OctVolume:
    """One or more B-scans of one capture of one eye.

    Attributes
    ----------
    bscans : uint8 array (n, height, width)
        Grey levels for display: 255 times the fourth root of the reflectivity, as the device's own viewer shows it.
    z_mm_per_px : float or None, > 0
        Depth of one row. None: unknown, and nothing is given in micrometres.
    x_mm_per_px : float or None, > 0
        Width of one A-scan along its B-scan. None: unknown.
    lines_mm : float64 array (n, 4) or None
        StartX, StartY, EndX, EndY of each B-scan in millimetres on the fundus image, whose origin is its upper left
        corner, x to the right and y down: the outer edges of the first and the last A-scan, as real files state them
        (their distance is the number of A-scans times ``x_mm_per_px``). None: unknown, and no map can be drawn. Of a
        circle, the start is the circle's first point and the end its centre.
    scan_pattern : ScanPattern
        Only ``ScanPattern.VOLUME`` has a surface between its B-scans.
    quality_db : tuple of float, or None
        The device's own signal-to-noise figure of each B-scan, in decibels.
    slo : uint8 array (height, width) or None
        The fundus image that the B-scans were placed on (scanning laser ophthalmoscope).
    slo_mm_per_px : float or None
        Millimetres per pixel of ``slo``, along both axes.
    device_boundaries : mapping of name to float32 array (n, width), or None
        The layer boundaries that the device drew, as 0-based rows of the B-scan; NaN where it drew none. The names
        are the device's own: ILM, RNFL, GCL, IPL, INL, OPL, ELM, PR1, PR2, RPE, BM.
    laterality : Laterality or None
        The eye as the file states it.
    """

    bscans: NDArray[np.uint8]
    z_mm_per_px: float | None = None
    x_mm_per_px: float | None = None
    lines_mm: NDArray[np.float64] | None = None
    scan_pattern: ScanPattern = ScanPattern.UNKNOWN
    quality_db: tuple[float, ...] | None = None
    slo: NDArray[np.uint8] | None = None
    slo_mm_per_px: float | None = None
    device_boundaries: Mapping[str, NDArray[np.float32]] | None = field(default=None)
    laterality: Laterality | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that contradict each other: a volume is right or it is not made."""
        if self.bscans.ndim != 3 or self.bscans.size == 0:  # noqa: PLR2004 (slice, depth, width)
            message = f"B-scans must be (n, height, width) and not empty; got {self.bscans.shape}."
            raise ValueError(message)
        if self.lines_mm is not None and self.lines_mm.shape != (self.n_bscans, N_LINE_VALUES):
            message = f"Lines must be ({self.n_bscans}, {N_LINE_VALUES}); got {self.lines_mm.shape}."
            raise ValueError(message)
        if self.quality_db is not None and len(self.quality_db) != self.n_bscans:
            message = f"Quality must be given for {self.n_bscans} B-scans; got {len(self.quality_db)}."
            raise ValueError(message)
        for name, rows in (self.device_boundaries or {}).items():
            if rows.shape != (self.n_bscans, self.width_px):
                message = f"Boundary {name} must be ({self.n_bscans}, {self.width_px}); got {rows.shape}."
                raise ValueError(message)

    @classmethod
    def of_image(cls, image: NDArray[np.uint8], *, laterality: Laterality | None = None) -> "OctVolume":
        """A single B-scan image (height, width) as a volume of one: no millimetres, no place on the fundus."""
        return cls(image[np.newaxis], laterality=laterality)

    @property
    def n_bscans(self) -> int:
        """Number of B-scans."""
        return int(self.bscans.shape[0])

    @property
    def height_px(self) -> int:
        """Rows of a B-scan."""
        return int(self.bscans.shape[1])

    @property
    def width_px(self) -> int:
        """A-scans of a B-scan."""
        return int(self.bscans.shape[2])

    @property
    def central_index(self) -> int:
        """Index of the B-scan that stands for the volume where one image is shown."""
        return middle_of(self.n_bscans)

    @property
    def central_bscan(self) -> NDArray[np.uint8]:
        """The middle B-scan, uint8 (height, width)."""
        central: NDArray[np.uint8] = self.bscans[self.central_index]
        return central

    @property
    def z_um_per_px(self) -> float | None:
        """Depth of one row in micrometres."""
        return None if self.z_mm_per_px is None else self.z_mm_per_px / _MM_PER_UM


def middle_of(n_bscans: int) -> int:
    """Which of so many B-scans stands for all of them where one image is shown, from 0."""
    return n_bscans // 2
