"""Values of A-scans laid on a millimetre grid of the fundus, interpolated between B-scans and nowhere beyond. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.values import NotComputable
from core.vocabulary import ScanPattern
from core.volume import OctVolume

GRID_MM = 0.02
"""Side of a cell of the map: finer than any volume's B-scan spacing, coarser than its A-scans; the central subfield of
1 mm then has 1,963 cells."""

MAX_GAP_MM = 0.5
"""Largest distance of two B-scans between which is interpolated: the central subfield of 1 mm then always has at least
two B-scans across it. Sparse clinical volumes have 0.24 mm."""

_MAX_TURN_DEG = 5.0
"""B-scans of a volume lie parallel; an eye tracker turns one by less than this."""
_MAX_CELLS = 4_000_000
"""A field beyond 40 mm a side is a fault of the file, not an eye."""

NO_PLACE = NotComputable("the file does not state where the B-scans lie")
ONE_BSCAN = NotComputable("one B-scan has no surface: a map needs a volume scan")
NOT_PARALLEL = NotComputable("the B-scans do not lie side by side")
TOO_SPARSE = NotComputable(f"the B-scans lie more than {MAX_GAP_MM:g} mm apart")

NO_MAP = {
    ScanPattern.LINE: NotComputable("a line scan has no surface: a map needs a volume scan"),
    ScanPattern.CIRCLE: NotComputable("a circle scan has no surface: a map needs a volume scan"),
    ScanPattern.RADIAL: NotComputable("a radial scan samples too unevenly for a map: take a volume scan"),
}
"""Why a capture of this pattern has no map and no ETDRS sectors."""


@dataclass(frozen=True, slots=True)
class FundusMap:
    """A surface over the fundus.

    Attributes
    ----------
    values : float32 (rows, columns)
        In the unit of what was laid out; NaN in cells that no two neighbouring B-scans enclose.
    x_mm, y_mm : float64 (columns,), (rows,)
        Centres of the cells on the fundus image: its upper left corner is the origin, y runs down.
    """

    values: NDArray[np.float32]
    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]

    @property
    def cell_mm2(self) -> float:
        """Area of one cell in mm^2."""
        return GRID_MM * GRID_MM

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """Cells that have a value, (rows, columns)."""
        return np.asarray(np.isfinite(self.values), np.bool_)


def lay_out(ascans: NDArray[np.float32], volume: OctVolume) -> FundusMap | NotComputable:
    """``ascans`` (n, width), a value of each A-scan or NaN, on a grid of GRID_MM, linear along and between B-scans.

    A cell takes its value from the two B-scans that enclose it, each at the cell's own place along it. It stays NaN
    outside the outermost B-scans, beyond a B-scan's ends, where either B-scan has no value there, and between B-scans
    more than MAX_GAP_MM apart: nothing is extrapolated and no hole is closed.

    NotComputable where the capture is no volume (ScanPattern), has one B-scan, or does not state its places.
    """
    fault = refusal(volume)
    if fault is not None or volume.lines_mm is None:
        return fault or NO_PLACE
    frame = _Frame.of(volume.lines_mm)
    if isinstance(frame, NotComputable):
        return frame
    x_mm, y_mm = _axes(volume.lines_mm)
    if len(x_mm) * len(y_mm) > _MAX_CELLS:
        return NotComputable("the stated places span more than any eye")
    values = np.full((len(y_mm), len(x_mm)), np.nan, np.float32)
    points = np.stack(np.broadcast_arrays(x_mm[None, :], y_mm[:, None]), axis=-1)  # (rows, columns, 2)
    across = points @ frame.normal
    for lower, upper in zip(frame.order[:-1], frame.order[1:], strict=True):
        from_mm, to_mm = frame.across_mm[lower], frame.across_mm[upper]
        between = (across >= from_mm) & (across <= to_mm)
        if 0.0 < to_mm - from_mm <= MAX_GAP_MM and between.any():
            share = (across[between] - from_mm) / (to_mm - from_mm)
            first, second = (_along(ascans[i], volume.lines_mm[i], points[between]) for i in (lower, upper))
            values[between] = first * (1.0 - share) + second * share
    return FundusMap(values, x_mm, y_mm)


def refusal(volume: OctVolume) -> NotComputable | None:
    """Why this capture can have no map; None where it can."""
    if volume.scan_pattern in NO_MAP:
        return NO_MAP[volume.scan_pattern]
    if volume.n_bscans == 1:
        return ONE_BSCAN
    return NO_PLACE if volume.lines_mm is None else None


@dataclass(frozen=True, slots=True)
class _Frame:
    """How the B-scans lie: the direction across them, and how far each lies along it, sorted."""

    normal: NDArray[np.float64]
    across_mm: NDArray[np.float64]
    order: list[int]

    @classmethod
    def of(cls, lines_mm: NDArray[np.float64]) -> "_Frame | NotComputable":
        start, end = lines_mm[:, :2], lines_mm[:, 2:]
        run = end - start
        length = np.hypot(run[:, 0], run[:, 1])
        if not (length > 0).all():
            return NOT_PARALLEL
        unit = run / length[:, None]
        mean = unit.mean(axis=0)
        mean /= max(float(np.hypot(*mean)), 1e-9)
        if (unit @ mean).min() < np.cos(np.radians(_MAX_TURN_DEG)):
            return NOT_PARALLEL
        normal = np.array([-mean[1], mean[0]])
        across = ((start + end) / 2.0) @ normal
        order = [int(i) for i in np.argsort(across, kind="stable")]
        gaps = np.diff(across[order])
        if not (gaps > 0).any():
            return NOT_PARALLEL
        return TOO_SPARSE if gaps[gaps > 0].min() > MAX_GAP_MM else cls(normal, across, order)


def _axes(lines_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell centres that cover the box of all B-scans."""
    x, y = lines_mm[:, [0, 2]], lines_mm[:, [1, 3]]
    return _axis(float(x.min()), float(x.max())), _axis(float(y.min()), float(y.max()))


def _axis(low_mm: float, high_mm: float) -> NDArray[np.float64]:
    n_cells = min(_MAX_CELLS, max(1, int(np.ceil((high_mm - low_mm) / GRID_MM))))
    return np.asarray(low_mm + GRID_MM * (np.arange(n_cells) + 0.5), np.float64)


def _along(
    ascans: NDArray[np.float32], line_mm: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values of one B-scan (width,) at the feet of ``points`` (m, 2) on its line; NaN beyond its ends.

    The stated ends are the outer edges of the first and the last A-scan: in real files the line is exactly ``width``
    A-scans long, not one less. A point that lies in the outer half of an end A-scan takes that A-scan's value.
    """
    start, run = line_mm[:2], line_mm[2:] - line_mm[:2]
    foot = (points - start) @ run / float(run @ run) * len(ascans) - 0.5
    inside = np.abs(foot - (len(ascans) - 1) / 2.0) <= len(ascans) / 2.0
    clipped = np.clip(foot, 0.0, len(ascans) - 1.0)
    left = np.minimum(clipped.astype(np.intp), max(len(ascans) - 2, 0))
    right = np.minimum(left + 1, len(ascans) - 1)
    share = clipped - left
    # A neighbour of weight zero must not spread its NaN.
    value = np.where(share > 0, ascans[left] * (1.0 - share) + ascans[right] * share, ascans[left])
    value = np.where(share >= 1.0, ascans[right], value)
    return np.where(inside, value, np.nan)
