"""Simulated macular volumes as a device would hand them over: B-scans, places, fundus image, its own boundaries."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.phantom.bscan import BscanLesion, BscanSpec, VolumePhantom, VolumeSpec, draw_volume_lines
from core.phantom.retina import random_shape
from core.phantom.slo import draw_slo
from core.vocabulary import Laterality, ScanPattern
from core.volume import OctVolume

SLO_PX = 768
SLO_MM = 8.8
"""A field of 30 degrees in a standard eye."""
N_BSCANS = 97
BSCAN_DISTANCE_MM = 0.064
FIELD_WIDTH_MM = 6.2
"""21 degrees: a dense macular raster that just holds the 6 mm circle, unless fixation was off."""
HEIGHT_PX = 496

_DEVICE_BOUNDARIES = {"ILM": 0, "RNFL": 1, "IPL": 2, "INL": 3, "OPL": 4, "BM": 7}
"""Which true boundary each name of the device's SegArray follows."""
_DEVICE_ERROR_PX = 0.6
_DEVICE_BLUR = (1.5, 12.0)
"""The device's own error: half a pixel, alike in neighbouring B-scans and A-scans."""
_LESION_SHARE = (0.55, 0.15, 0.15, 0.15)
_LESIONS = (BscanLesion.NONE, BscanLesion.DRUSEN, BscanLesion.CNV, BscanLesion.FLUID)


@dataclass(frozen=True, slots=True)
class OctVolumePhantom:
    """A volume and the truth about it.

    Attributes
    ----------
    boundary_row_px : float32 (n, 8, width)
        True rows in the order of core.phantom.bscan, B-scans in the volume's order.
    fovea_mm : tuple of float
        On the fundus image.
    drawn : VolumePhantom
        What the truth in closed form is read from (``drawn.retina``), where there is no lesion.
    """

    volume: OctVolume
    boundary_row_px: NDArray[np.float32]
    fovea_mm: tuple[float, float]
    lesion: BscanLesion
    drawn: VolumePhantom

    @property
    def thickness_um(self) -> NDArray[np.float32]:
        """True total thickness of every A-scan, float32 (n, width)."""
        rows = self.boundary_row_px
        return np.asarray((rows[:, -1] - rows[:, 0]) * (1000.0 * self.drawn.spec.bscan.z_mm_per_px), np.float32)


def random_volume_spec(rng: np.random.Generator, *, width_px: int = 512, n_bscans: int = N_BSCANS) -> VolumeSpec:
    """A volume of 6.2 mm width at random: eye, lesion, fixation, noise. Half of all eyes are healthy."""
    lesion = _LESIONS[int(rng.choice(len(_LESIONS), p=_LESION_SHARE))]
    shape = random_shape(rng)
    is_right_eye = bool(rng.random() < 0.5)  # noqa: PLR2004 - both eyes alike
    slope = abs(shape.nasal_slope_um_per_mm) * (1.0 if is_right_eye else -1.0)
    bscan = BscanSpec(
        height_px=HEIGHT_PX,
        width_px=width_px,
        z_mm_per_px=0.00387,
        x_mm_per_px=FIELD_WIDTH_MM / width_px,
        lesion=lesion,
        noise=float(rng.uniform(0.1, 0.5)),
        tilt_mm_per_mm=float(rng.normal(0.0, 0.01)),
        bend_per_mm=float(rng.uniform(-0.006, 0.0)),
        retina=replace(shape, nasal_slope_um_per_mm=slope),
    )
    fovea = rng.normal(0.0, 0.12, 2)
    return VolumeSpec(n_bscans, BSCAN_DISTANCE_MM, (float(fovea[0]), float(fovea[1])), bscan)


def render_volume(spec: VolumeSpec, seed: int) -> OctVolumePhantom:
    """The volume that ``spec`` describes, its raster in the middle of the fundus image; same seed, same bytes.

    B-scans run from the lower edge of the field to the upper one, as the device stores them.
    """
    drawn = draw_volume_lines(spec, seed)
    rng = np.random.default_rng([5, seed])
    lines = drawn.lines[::-1]
    rows = np.stack([line.boundary_row_px for line in lines])
    corner = _corner_mm(drawn)
    fovea = (drawn.fovea_mm[0] + corner[0], drawn.fovea_mm[1] + corner[1])
    is_right_eye = drawn.retina.nasal_slope_um_per_mm >= 0.0
    quality = 34.0 - 18.0 * spec.bscan.noise + rng.normal(0.0, 1.0, len(lines))
    volume = OctVolume(
        np.stack([line.image for line in lines]),
        z_mm_per_px=spec.bscan.z_mm_per_px,
        x_mm_per_px=spec.bscan.x_mm_per_px,
        lines_mm=drawn.lines_mm[::-1] + np.array([*corner, *corner]),
        scan_pattern=ScanPattern.VOLUME,
        quality_db=tuple(float(value) for value in quality.astype(np.float32)),
        slo=draw_slo(rng, size_px=SLO_PX, mm_per_px=SLO_MM / SLO_PX, fovea_mm=fovea, is_right_eye=is_right_eye),
        slo_mm_per_px=SLO_MM / SLO_PX,
        device_boundaries=_device_boundaries(rng, rows),
        laterality=Laterality.OD if is_right_eye else Laterality.OS,
    )
    return OctVolumePhantom(volume, rows, fovea, spec.bscan.lesion, drawn)


def _corner_mm(drawn: VolumePhantom) -> tuple[float, float]:
    """Where the raster's upper left corner lies on the fundus image, the raster in its middle."""
    spec = drawn.spec
    width = spec.bscan.width_px * spec.bscan.x_mm_per_px
    return (SLO_MM - width) / 2.0, (SLO_MM - spec.n_lines * spec.line_distance_mm) / 2.0


def _device_boundaries(rng: np.random.Generator, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What the device would have drawn: the truth with a smooth error, nothing in the outermost A-scans."""
    n_bscans, _, width = rows.shape
    found = {}
    for name, index in _DEVICE_BOUNDARIES.items():
        error = ndimage.gaussian_filter(rng.standard_normal((n_bscans, width)), _DEVICE_BLUR)
        drawn = rows[:, index] + _DEVICE_ERROR_PX * error / max(float(error.std()), 1e-6)
        drawn[:, : width // 64] = np.nan
        drawn[:, width - width // 64 :] = np.nan
        found[name] = np.asarray(drawn, np.float32)
    return found
