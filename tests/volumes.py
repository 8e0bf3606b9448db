"""Structural volumes with a known surface: flat, or with a foveal pit in closed form."""

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import Laterality, ScanPattern
from core.volume import OctVolume

Z_MM, HEIGHT, ILM_ROW = 0.004, 100, 20.0


def pit_um(x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], fovea: tuple[float, float]) -> NDArray[np.float64]:
    """Total thickness: a plain of 280 um, a rim of 60 um at 1 mm, a pit of 120 um."""
    r2 = (x_mm - fovea[0]) ** 2 + (y_mm - fovea[1]) ** 2
    return 280.0 + 60.0 * r2 * np.exp(1.0 - r2) - 120.0 * np.exp(-r2 / 0.18)


def make_volume(
    thickness_um: NDArray[np.float64] | None = None,
    *,
    n: int = 49,
    width: int = 320,
    side_mm: float = 6.4,
    origin_mm: tuple[float, float] = (1.0, 1.2),
    pattern: ScanPattern = ScanPattern.VOLUME,
    laterality: Laterality | None = Laterality.OD,
) -> OctVolume:
    """B-scans from the bottom up, as the device stores them; ILM at ILM_ROW, BM below it by ``thickness_um``."""
    y = origin_mm[1] + np.linspace(side_mm, 0.0, n)
    lines = np.stack([np.full(n, origin_mm[0]), y, np.full(n, origin_mm[0] + side_mm), y], axis=1)
    drawn = None
    if thickness_um is not None:
        ilm = np.full((n, width), ILM_ROW, np.float32)
        drawn = {"ILM": ilm, "BM": ilm + np.asarray(thickness_um / (Z_MM * 1000.0), np.float32)}
    return OctVolume(
        np.zeros((n, HEIGHT, width), np.uint8),
        z_mm_per_px=Z_MM,
        x_mm_per_px=side_mm / width,
        lines_mm=lines,
        scan_pattern=pattern,
        device_boundaries=drawn,
        laterality=laterality,
    )


def ascan_places(volume: OctVolume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y in mm of every A-scan, (n, width)."""
    assert volume.lines_mm is not None
    share = (np.arange(volume.width_px) + 0.5) / volume.width_px
    start, end = volume.lines_mm[:, None, :2], volume.lines_mm[:, None, 2:]
    spot = start + share[None, :, None] * (end - start)
    return spot[..., 0], spot[..., 1]
