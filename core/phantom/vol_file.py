"""Writes an OctVolume as a Heidelberg `.vol` file, byte by byte as the device does. Pure; shows no person."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import ScanPattern
from core.vol_layout import (
    BOUNDARIES,
    BSCAN_HEADER,
    BSCAN_HEADER_BYTES,
    FILE_HEADER_BYTES,
    HEADER,
    INVALID,
    PATTERN_CIRCLE,
    PATTERN_LINE,
    PATTERN_RADIAL,
    PATTERN_UNKNOWN,
    PATTERN_VOLUME,
)
from core.volume import N_LINE_VALUES, OctVolume

N_SEGMENTS = 17
"""Rows of SegArray in files of current releases, drawn or not."""

_VERSION, _BSCAN_VERSION = b"HSF-OCT-103", b"HSF-BS-103"
_MM_PER_DEGREE = 0.293
"""As in the simulated fundus image: 8.8 mm at 30 degrees. Real files at hand have 0.30 to 0.36, by the eye's length."""
_PATTERNS = {
    ScanPattern.LINE: PATTERN_LINE,
    ScanPattern.CIRCLE: PATTERN_CIRCLE,
    ScanPattern.VOLUME: PATTERN_VOLUME,
    ScanPattern.RADIAL: PATTERN_RADIAL,
    ScanPattern.UNKNOWN: PATTERN_UNKNOWN,
}


def vol_chunks(volume: OctVolume) -> Iterator[bytes]:
    """The file's bytes in order: header, fundus image, then each B-scan; one B-scan in memory at a time.

    Reflectivity is the fourth power of the grey level, so that reading the file gives the same grey levels again. Every
    field of a person is zero.
    """
    slo = np.zeros((0, 0), np.uint8) if volume.slo is None else volume.slo
    header_bytes = BSCAN_HEADER_BYTES + 4 * N_SEGMENTS * volume.width_px
    yield _file_header(volume, slo, header_bytes)
    yield slo.tobytes()
    for number in range(volume.n_bscans):
        yield _bscan_header(volume, number, header_bytes)
        yield (np.power(volume.bscans[number] / 255.0, 4.0)).astype("<f4").tobytes()


def _file_header(volume: OctVolume, slo: NDArray[np.uint8], header_bytes: int) -> bytes:
    slo_mm = volume.slo_mm_per_px or 0.0
    head = HEADER.pack(
        _VERSION,
        volume.width_px,
        volume.n_bscans,
        volume.height_px,
        volume.x_mm_per_px or 0.0,
        _spacing_mm(volume),
        volume.z_mm_per_px or 0.0,
        slo.shape[1],
        slo.shape[0],
        slo_mm,
        slo_mm,
        round(slo.shape[1] * slo_mm / _MM_PER_DEGREE),
        0.0,
        (volume.laterality or "").encode(),
        _PATTERNS[volume.scan_pattern],
        header_bytes,
    )
    return head.ljust(FILE_HEADER_BYTES, b"\0")


def _spacing_mm(volume: OctVolume) -> float:
    """Distance of neighbouring B-scans; 0 where there is one or their places are unknown, as the device writes it."""
    if volume.lines_mm is None or volume.n_bscans == 1:
        return 0.0
    steps = np.diff(volume.lines_mm[:, :2], axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).mean())


def _bscan_header(volume: OctVolume, number: int, header_bytes: int) -> bytes:
    line = [0.0] * N_LINE_VALUES if volume.lines_mm is None else volume.lines_mm[number].tolist()
    quality = INVALID if volume.quality_db is None else volume.quality_db[number]
    drawn = volume.device_boundaries or {}
    rows = np.full((N_SEGMENTS, volume.width_px), INVALID, "<f4")
    for index, name in BOUNDARIES.items():
        if name in drawn:
            rows[index] = np.where(np.isfinite(drawn[name][number]), drawn[name][number], INVALID)
    head = BSCAN_HEADER.pack(_BSCAN_VERSION, header_bytes, *line, N_SEGMENTS, BSCAN_HEADER_BYTES, quality, 0)
    return head.ljust(BSCAN_HEADER_BYTES, b"\0") + rows.tobytes()
