"""Retinal thickness of each A-scan in micrometres, by layer boundaries and by the runs of a retina mask. Pure.

Total thickness here reaches from the inner limiting membrane (ILM) to the outer border of the retinal pigment
epithelium / Bruch's membrane. A device that stops at another boundary measures another thing: the difference is no
error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.values import Measure, Measured, NotComputable
from core.volume import OctVolume

MIN_RUN_FRACTION = 0.10
"""Share of the image's height from which a run of bright pixels counts as the retina: Mariscal Calvo 2021 (thesis,
Universidad Politecnica de Madrid), second step; shorter ones are mistakes of the prediction."""

TOTAL_THICKNESS = "From the inner limiting membrane to the outer border of the pigment epithelium / Bruch's membrane."
"""What total thickness means, as it stands on screen and in exports."""

NO_DEPTH_SCALE = NotComputable("the file states no depth scale")
NO_RETINA = NotComputable("no retina was found")
NO_DEVICE_LAYERS = NotComputable("the device drew no layers")

_INNER = "ILM"
_OUTER = ("BM", "RPE")
"""The device's outer boundaries, the one we measure to first."""

Rows = NDArray[np.float32]


def thickness_by_boundaries_um(inner_row_px: Rows, outer_row_px: Rows, z_um_per_px: float) -> Rows:
    """Distance in um between two boundaries (..., width), float32; NaN where either is NaN or they cross.

    Rows count downwards, so the outer boundary has the larger row. Thickness runs along the A-scan, not perpendicular
    to the retina, as all devices report it.
    """
    thickness = np.asarray((outer_row_px - inner_row_px) * np.float32(z_um_per_px), np.float32)
    return np.where(thickness >= 0.0, thickness, np.float32(np.nan))


def retina_extent_px(retina: NDArray[np.bool_], min_run_fraction: float = MIN_RUN_FRACTION) -> tuple[Rows, Rows]:
    """First and last border of the retina in every A-scan of a mask (height, width), by the paper's rule.

    Down each column, the first dark-to-bright run that is longer than ``min_run_fraction`` of the height starts the
    retina and the last bright-to-dark change ends it, whatever lies between (Mariscal Calvo 2021, figure 29). Both
    are rows of the borders between pixels, float32 (width,): the border above row r is r - 0.5, so that end minus
    start is the number of rows. NaN where there is no such run, and where the mask runs into the upper or lower edge:
    there the change is not seen, and nothing is made up.
    """
    height, width = retina.shape
    steps = np.diff(retina.astype(np.int8), axis=0)  # (height - 1, width): +1 before a run, -1 at its end
    start = np.full(width, np.nan, np.float32)
    end = np.full(width, np.nan, np.float32)
    leaves = retina[0] | retina[-1]
    for column in np.flatnonzero(retina.any(axis=0) & ~leaves):
        first = np.flatnonzero(steps[:, column] == 1) + 0.5
        last = np.flatnonzero(steps[:, column] == -1) + 0.5
        long = first[last - first > min_run_fraction * height]
        if len(long):
            start[column], end[column] = long[0], last[-1]
    return start, end


def thickness_by_runs_um(
    retina: NDArray[np.bool_], z_um_per_px: float, min_run_fraction: float = MIN_RUN_FRACTION
) -> Rows:
    """Thickness in um of every A-scan of one B-scan's retina mask (height, width), by ``retina_extent_px``.

    Columns without retina are NaN: removed, never interpolated.
    """
    start, end = retina_extent_px(retina, min_run_fraction)
    return thickness_by_boundaries_um(start, end, z_um_per_px)


def leaving_fraction(retina: NDArray[np.bool_]) -> float:
    """Share (0..1) of the A-scans with retina of a mask (..., height, width) that touch its upper or lower edge."""
    seen = retina.any(axis=-2)
    leaves = retina[..., 0, :] | retina[..., -1, :]
    return float(leaves.sum() / seen.sum()) if seen.any() else 0.0


def mean_thickness_um(thickness_um: Rows) -> Measure:
    """Mean in um of all A-scans that have a thickness: what a line or a circle scan can say, which has no map."""
    measured = thickness_um[np.isfinite(thickness_um)]
    return Measured(float(measured.mean(dtype=np.float64))) if measured.size else NO_RETINA


@dataclass(frozen=True, slots=True)
class DeviceThickness:
    """Total thickness by the device's own boundaries.

    Attributes
    ----------
    thickness_um : float32 (n, width), NaN where the device drew nothing
    outer_boundary : str
        Where the device stops: ``BM``, or ``RPE`` where it drew no Bruch's membrane.
    """

    thickness_um: Rows
    outer_boundary: str


def device_thickness(volume: OctVolume) -> DeviceThickness | NotComputable:
    """The device's own total thickness, where the file holds its boundaries and its depth scale."""
    drawn = volume.device_boundaries or {}
    outer = next((name for name in _OUTER if name in drawn and np.isfinite(drawn[name]).any()), None)
    if outer is None or _INNER not in drawn:
        return NO_DEVICE_LAYERS
    if volume.z_um_per_px is None:
        return NO_DEPTH_SCALE
    thickness = thickness_by_boundaries_um(drawn[_INNER], drawn[outer], volume.z_um_per_px)
    return DeviceThickness(thickness, outer) if np.isfinite(thickness).any() else NO_DEVICE_LAYERS


@dataclass(frozen=True, slots=True)
class ThicknessAgreement:
    """Ours against the device's, A-scan by A-scan.

    ``bias_um`` is the mean of ours minus the device's; ``low_um`` and ``high_um`` are the 95 % limits of agreement
    (bias -/+ 1.96 s.d. of the differences; Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8). They describe
    this capture: A-scans of one eye are not independent, so no interval is given.
    """

    bias_um: float
    low_um: float
    high_um: float
    mean_absolute_um: float
    n_ascans: int
    outer_boundary: str


_LIMITS_95 = 1.96
_FEWEST_ASCANS = 3


def compare_with_device(thickness_um: Rows, device: DeviceThickness) -> ThicknessAgreement | NotComputable:
    """Agreement of ours (n, width) with the device's, over the A-scans that both measured."""
    difference = np.asarray(thickness_um, np.float64) - device.thickness_um
    difference = difference[np.isfinite(difference)]
    if difference.size < _FEWEST_ASCANS:
        return NotComputable("fewer than three A-scans were measured by both")
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    return ThicknessAgreement(
        bias_um=bias,
        low_um=bias - _LIMITS_95 * spread,
        high_um=bias + _LIMITS_95 * spread,
        mean_absolute_um=float(np.abs(difference).mean()),
        n_ascans=int(difference.size),
        outer_boundary=device.outer_boundary,
    )
