"""Reads Heidelberg `.vol` exports into an OctVolume: the measured data, never the person.

Only the fields of core.vol_layout are unpacked. Name, chart number, birth date, visit and examination time stand
elsewhere in the header and are not read into this process's data at all.

Nothing that the file says of its own size is believed before it fits the file and the limits; one B-scan is in memory
as floats at a time. Why no library: eyepy believes the header's BScanHdrSize, refuses circle and radial scans and
unpacks every personal field; others fix the SLO at 30 degrees.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableScanError
from core.intake.problems import Problem
from core.vocabulary import Laterality, ScanPattern
from core.vol_layout import (
    BOUNDARIES,
    BSCAN_HEADER,
    BSCAN_HEADER_BYTES,
    FILE_HEADER_BYTES,
    HEADER,
    MAGIC_BYTES,
    MAGICS,
    PATTERN_CIRCLE,
    PATTERN_FAST_VOLUME,
    PATTERN_LINE,
    PATTERN_RADIAL,
    PATTERN_VOLUME,
    VALID_BELOW,
)
from core.volume import N_LINE_VALUES, OctVolume

MAX_VOXELS = 200_000_000
"""What a volume may hold, one byte each in memory: the densest macular cube of the device, 512 x 496 x 512, has 130
million."""
MAX_ASCANS = 2_000_000
"""Of all B-scans together: each carries a row of every boundary. The densest cube has 260 thousand."""
MAX_SLO_PX = 16_000_000
_SIDES_PX = (16, 8192)
_MAX_BSCANS = 5000
_MAX_BSCAN_HEADER_BYTES = 4_000_000
DEPTH_MM_PER_PX = (0.0005, 0.02)
WIDTH_MM_PER_PX = (0.0005, 0.2)
_PLACE_MM = 50.0
"""No point of the fundus lies farther from the image's corner: a field of 100 degrees is 30 mm wide."""
_QUALITY_DB = 100.0
_SAME_SCALE = 0.01
_MAX_SEGMENTS = 64
_GREY_SHARE = 0.01
"""Share of values above 1 from which the file holds grey levels and not reflectivities."""

_PATTERNS = {
    PATTERN_LINE: ScanPattern.LINE,
    PATTERN_CIRCLE: ScanPattern.CIRCLE,
    PATTERN_VOLUME: ScanPattern.VOLUME,
    PATTERN_FAST_VOLUME: ScanPattern.VOLUME,
    PATTERN_RADIAL: ScanPattern.RADIAL,
}


@dataclass(frozen=True, slots=True)
class VolScan:
    """One file. ``notes`` say what it states and could not be used; none of them keeps the scan out.

    ``is_of_device`` is False where the values are grey levels: another program wrote them.
    """

    volume: OctVolume
    notes: tuple[Problem, ...]
    is_of_device: bool


@dataclass(frozen=True, slots=True)
class _Header:
    """What the file header says, as it says it."""

    width: int
    n_bscans: int
    height: int
    x_mm_per_px: float
    z_mm_per_px: float
    slo_width: int
    slo_height: int
    slo_x_mm_per_px: float
    slo_y_mm_per_px: float
    eye: bytes
    pattern: int
    bscan_header_bytes: int

    @classmethod
    def unpack(cls, data: bytes, byte_order: str = "<") -> "_Header":
        values = struct.unpack(byte_order + HEADER.format.removeprefix("<"), data[: HEADER.size])
        _, width, n, height, x, _, z, slo_width, slo_height, slo_x, slo_y, _, _, eye, pattern, bscan_bytes = values
        return cls(width, n, height, x, z, slo_width, slo_height, slo_x, slo_y, eye, pattern, bscan_bytes)

    @property
    def is_possible(self) -> bool:
        sides = all(_SIDES_PX[0] <= side <= _SIDES_PX[1] for side in (self.width, self.height))
        slo = self.slo_width >= 0 <= self.slo_height and self.slo_width * self.slo_height <= MAX_SLO_PX
        return sides and slo and 1 <= self.n_bscans <= _MAX_BSCANS

    @property
    def n_voxels(self) -> int:
        return self.width * self.height * self.n_bscans

    @property
    def data_bytes(self) -> int:
        """Reflectivities of one B-scan."""
        return 4 * self.width * self.height

    @property
    def first_bscan(self) -> int:
        return FILE_HEADER_BYTES + self.slo_width * self.slo_height

    def end(self, header_bytes: int) -> int:
        """Where the last B-scan ends if each has a header of ``header_bytes``."""
        return self.first_bscan + self.n_bscans * (header_bytes + self.data_bytes)


def is_vol(head: bytes) -> bool:
    """Whether a file's first bytes are those of a `.vol` export."""
    return head.startswith(MAGICS)


def read_vol(path: Path) -> VolScan:
    """Read the export at ``path``.

    Raises UnreadableScanError with a stable code: ``damaged``, ``byte_order``, ``absurd_size`` or ``too_large``. Places
    and scales that cannot be are left out, each with a note; so are quality and boundaries, which a file may lack.
    """
    with path.open("rb") as file:
        file_bytes = file.seek(0, 2)
        file.seek(0)
        header = _read_header(file.read(HEADER.size))
        stride = _bscan_header_bytes(file, header, file_bytes)
        slo = _read_slo(file, header)
        return _assembled(file, header, stride, slo)


def _read_header(data: bytes) -> _Header:
    if len(data) < HEADER.size:
        raise _cut("inside its header")
    header = _Header.unpack(data)
    if not header.is_possible:
        if _Header.unpack(data, ">").is_possible:
            raise UnreadableScanError(
                "byte_order",
                "The numbers of the .vol file are in the wrong byte order (big endian).",
                remedy="Export the scan again from HEYEX; do not convert the file on the way.",
            )
        raise UnreadableScanError(
            "absurd_size",
            f"The .vol file claims {header.n_bscans} B-scans of {header.width} x {header.height} pixels and a fundus "
            f"image of {header.slo_width} x {header.slo_height}: no device writes that.",
            remedy="Export the scan again from HEYEX; the file is damaged or not what its first bytes say.",
        )
    if header.n_voxels > MAX_VOXELS or header.width * header.n_bscans > MAX_ASCANS:
        raise UnreadableScanError(
            "too_large",
            f"The .vol file claims {header.n_bscans} B-scans of {header.width} x {header.height} pixels "
            f"({header.n_voxels / 1e6:.0f} million values); at most {MAX_VOXELS / 1e6:.0f} million are read.",
            remedy="Export the volume with fewer B-scans.",
        )
    return header


def _cut(where: str) -> UnreadableScanError:
    return UnreadableScanError(
        "damaged",
        f"The .vol file is cut off {where}.",
        remedy="Copy or export the file again and upload it once more.",
    )


def _bscan_header_bytes(file: IO[bytes], header: _Header, file_bytes: int) -> int:
    """Size of the header before each B-scan, as the B-scans themselves bear it out.

    Some programs write a file header whose claim is wrong; every B-scan header still states its own size. Of the two,
    that one holds with which all B-scans begin where they must, and the file ends with the last of them.
    """
    if file_bytes < header.first_bscan + BSCAN_HEADER_BYTES:
        raise _cut("before its first B-scan")
    file.seek(header.first_bscan)
    _, own, *_ = BSCAN_HEADER.unpack(file.read(BSCAN_HEADER.size))
    sizes = [size for size in (own, header.bscan_header_bytes) if _is_header_size(size)]
    fitting = [size for size in sizes if _fits(file, header, size, file_bytes)]
    if not fitting:
        raise _misplaced(header, sizes, file_bytes)
    return min(fitting, key=lambda size: header.end(size) != file_bytes)


def _misplaced(header: _Header, sizes: list[int], file_bytes: int) -> UnreadableScanError:
    """Why the B-scans cannot be found: the file is too short for them, or they do not lie where they should."""
    if sizes and header.end(min(sizes)) > file_bytes:
        whole = max(0, file_bytes - header.first_bscan) // (min(sizes) + header.data_bytes)
        return _cut(f"in B-scan {whole + 1} of {header.n_bscans}")
    return UnreadableScanError(
        "damaged",
        "The B-scans of the .vol file do not lie where its header says.",
        remedy="Copy or export the file again and upload it once more.",
    )


def _is_header_size(size: int) -> bool:
    return BSCAN_HEADER_BYTES <= size <= _MAX_BSCAN_HEADER_BYTES


def _fits(file: IO[bytes], header: _Header, size: int, file_bytes: int) -> bool:
    """Whether all B-scans lie within the file, and the last one begins like a B-scan, with headers of ``size``."""
    if header.end(size) > file_bytes:
        return False
    file.seek(header.first_bscan)
    first_magic = file.read(MAGIC_BYTES)
    file.seek(header.end(size) - size - header.data_bytes)
    return file.read(MAGIC_BYTES) == first_magic


def _read_slo(file: IO[bytes], header: _Header) -> NDArray[np.uint8] | None:
    file.seek(FILE_HEADER_BYTES)
    data = file.read(header.slo_width * header.slo_height)
    if min(header.slo_width, header.slo_height) < _SIDES_PX[0]:
        return None
    return np.frombuffer(data, np.uint8).reshape(header.slo_height, header.slo_width).copy()


@dataclass(frozen=True, slots=True)
class _Bscan:
    """One B-scan as read: its place, its quality, its boundaries by name, and its values (height, width)."""

    line_mm: tuple[float, ...]
    quality_db: float
    boundaries: dict[str, NDArray[np.float32]]
    values: NDArray[np.float32]


def _bscans(file: IO[bytes], header: _Header, header_bytes: int) -> Iterator[_Bscan]:
    for number in range(header.n_bscans):
        file.seek(header.first_bscan + number * (header_bytes + header.data_bytes))
        head = file.read(header_bytes)
        _, _, *line, n_segments, offset, quality, _ = BSCAN_HEADER.unpack(head[: BSCAN_HEADER.size])
        values = np.frombuffer(file.read(header.data_bytes), "<f4").reshape(header.height, header.width)
        yield _Bscan(tuple(line), quality, _boundaries(head, header, n_segments, offset), values)


def _boundaries(head: bytes, header: _Header, n_segments: int, offset: int) -> dict[str, NDArray[np.float32]]:
    """The device's boundaries of one B-scan; what is no row of it is NaN, and a boundary without a row is left out."""
    row_bytes = 4 * header.width
    fits = offset >= BSCAN_HEADER_BYTES and 0 < n_segments <= _MAX_SEGMENTS
    if not fits or offset + n_segments * row_bytes > len(head):
        return {}
    found = {}
    for index, name in BOUNDARIES.items():
        if index < n_segments:
            rows = np.frombuffer(head, "<f4", header.width, offset + index * row_bytes).astype(np.float32)
            # Zero is what writers leave where nothing was drawn; the first row of a B-scan is never retina.
            rows[~((rows > 0) & (rows < header.height))] = np.nan
            if np.isfinite(rows).any():
                found[name] = rows
    return found


def _assembled(file: IO[bytes], header: _Header, header_bytes: int, slo: NDArray[np.uint8] | None) -> VolScan:
    is_grey = _holds_grey_levels(file, header, header_bytes)
    images = np.empty((header.n_bscans, header.height, header.width), np.uint8)
    lines = np.empty((header.n_bscans, N_LINE_VALUES), np.float64)
    quality = np.empty(header.n_bscans, np.float64)
    drawn: dict[str, NDArray[np.float32]] = {}
    for number, bscan in enumerate(_bscans(file, header, header_bytes)):
        images[number] = _grey(bscan.values, is_grey=is_grey)
        lines[number], quality[number] = bscan.line_mm, bscan.quality_db
        for name, rows in bscan.boundaries.items():
            empty = np.full((header.n_bscans, header.width), np.nan, np.float32)
            drawn.setdefault(name, empty)[number] = rows
    scales, notes = _scales(header)
    has_places = bool((np.isfinite(lines) & (np.abs(lines) <= _PLACE_MM)).all())
    has_quality = bool((np.isfinite(quality) & (np.abs(quality) <= _QUALITY_DB)).all())
    volume = OctVolume(
        images,
        lines_mm=lines if has_places else None,
        scan_pattern=_PATTERNS.get(header.pattern, ScanPattern.UNKNOWN),
        quality_db=tuple(float(value) for value in quality) if has_quality else None,
        slo=slo,
        device_boundaries=drawn or None,
        laterality=_eye(header.eye),
        **scales,
    )
    notes += () if has_places else (_NO_PLACES,)
    return VolScan(volume, notes + ((_GREY_LEVELS,) if is_grey else ()), not is_grey)


def _holds_grey_levels(file: IO[bytes], header: _Header, header_bytes: int) -> bool:
    """Whether the values are grey levels up to 255 and not reflectivities up to 1, by the middle B-scan."""
    middle = header.n_bscans // 2
    file.seek(header.first_bscan + middle * (header_bytes + header.data_bytes) + header_bytes)
    values = np.frombuffer(file.read(header.data_bytes), "<f4")
    with np.errstate(invalid="ignore"):
        return bool(((values > 1.0) & (values <= 255.0)).mean() > _GREY_SHARE)  # noqa: PLR2004 - levels of 8 bits


def _grey(values: NDArray[np.float32], *, is_grey: bool) -> NDArray[np.uint8]:
    """Display grey: 255 times the fourth root of the reflectivity; black where the device has no value."""
    with np.errstate(invalid="ignore"):
        valid = np.where(values < VALID_BELOW, values, np.float32(0.0))
    level = np.clip(valid, 0.0, 255.0) if is_grey else 255.0 * np.sqrt(np.sqrt(np.clip(valid, 0.0, 1.0)))
    return np.asarray(level + 0.5, np.float32).astype(np.uint8)


def _scales(header: _Header) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    depth, width = header.z_mm_per_px, header.x_mm_per_px
    has_depth = DEPTH_MM_PER_PX[0] <= depth <= DEPTH_MM_PER_PX[1]
    has_width = WIDTH_MM_PER_PX[0] <= width <= WIDTH_MM_PER_PX[1]
    slo_x, slo_y = header.slo_x_mm_per_px, header.slo_y_mm_per_px
    has_slo = WIDTH_MM_PER_PX[0] <= slo_x <= WIDTH_MM_PER_PX[1] and abs(slo_y / slo_x - 1.0) <= _SAME_SCALE
    notes = (() if has_depth else (_NO_DEPTH,)) + (() if has_slo or header.slo_width == 0 else (_NO_SLO_SCALE,))
    return {
        "z_mm_per_px": depth if has_depth else None,
        "x_mm_per_px": width if has_width else None,
        "slo_mm_per_px": slo_x if has_slo else None,
    }, notes


def _eye(stated: bytes) -> Laterality | None:
    text = stated.split(b"\0", 1)[0].strip()
    return {b"OD": Laterality.OD, b"OS": Laterality.OS}.get(text)


_NO_PLACES = Problem(
    "places_unusable",
    "The places of the B-scans on the fundus are no numbers that can be; there will be no thickness map.",
    "Export the scan again from HEYEX if the map is needed; the layers are measured all the same.",
    is_blocking=False,
)
_NO_DEPTH = Problem(
    "depth_scale_unusable",
    "The stated depth of a pixel is none that a device has; nothing will be given in micrometres.",
    "Export the scan again from HEYEX if thickness is needed.",
    is_blocking=False,
)
_NO_SLO_SCALE = Problem(
    "slo_scale_unusable",
    "The stated scale of the fundus image cannot be; B-scans will not be drawn on it.",
    "Export the scan again from HEYEX if the map over the fundus is needed.",
    is_blocking=False,
)
_GREY_LEVELS = Problem(
    "grey_levels_kept",
    "The values are grey levels up to 255 and not reflectivities; they were kept as they are.",
    "Nothing to do; export from HEYEX itself if the device's own values matter.",
    is_blocking=False,
)
