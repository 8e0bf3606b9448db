"""Makes an OctVolume of the frames of a DICOM Ophthalmic Tomography object: its scales, and its places where stated.

Places come from Plane Position and Plane Orientation (PS3.3, C.7.6.16.2.3 and 2.4) in the patient's own axes, of which
a fundus image shows left to the right and head up. Frame locations on a photograph of another object are not followed.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from core.errors import UnreadableScanError
from core.intake.dicom_facts import DicomFacts, frame_count, functional_groups
from core.intake.readers.vol import DEPTH_MM_PER_PX, MAX_VOXELS, WIDTH_MM_PER_PX
from core.vocabulary import ScanPattern
from core.volume import OctVolume

_FRONTAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""The fundus image's axes in the patient's: right is the patient's left (+x), down is away from the head (-z)."""
_IN_PLANE = 0.99
"""Share of a direction that must lie in the frontal plane: within 8 degrees."""


def make_volume(header: Dataset, facts: DicomFacts, frames: Iterable[NDArray[np.uint8]]) -> OctVolume:
    """The volume of an object's ``frames``, each uint8 (height, width), in their order.

    Raises UnreadableScanError ``too_large`` before the first frame is decoded.
    """
    n, height, width = frame_count(header), facts.rows, facts.columns
    if n * height * width > MAX_VOXELS:
        raise UnreadableScanError(
            "too_large",
            f"The object claims {n} B-scans of {width} x {height} pixels; at most {MAX_VOXELS / 1e6:.0f} million "
            "values are read.",
            remedy="Export the volume with fewer B-scans.",
        )
    bscans = np.empty((n, height, width), np.uint8)
    for number, frame in enumerate(frames):
        bscans[number] = frame
    z_mm, x_mm = _scales(facts)
    return OctVolume(
        bscans,
        z_mm_per_px=z_mm,
        x_mm_per_px=x_mm,
        lines_mm=None if x_mm is None else _lines_mm(header, n, width * x_mm),
        scan_pattern=ScanPattern.UNKNOWN if n > 1 else ScanPattern.LINE,
        laterality=facts.eye,
    )


def _scales(facts: DicomFacts) -> tuple[float | None, float | None]:
    """Depth of a row and width of a column; of a B-scan the stated "field" is width times depth."""
    if facts.field_mm is None:
        return None, None
    z_mm, x_mm = facts.field_mm[1] / facts.rows, facts.field_mm[0] / facts.columns
    has_depth = DEPTH_MM_PER_PX[0] <= z_mm <= DEPTH_MM_PER_PX[1]
    has_width = WIDTH_MM_PER_PX[0] <= x_mm <= WIDTH_MM_PER_PX[1]
    return (z_mm if has_depth else None), (x_mm if has_width else None)


def _lines_mm(header: Dataset, n: int, length_mm: float) -> NDArray[np.float64] | None:
    """Places of the frames on the fundus, the upper left corner of their box at 0; None where not stated for all."""
    positions = _vectors(header, "PlanePositionSequence", "ImagePositionPatient", 3)
    orientations = _vectors(header, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    if len(positions) != n or len(orientations) not in (1, n):
        return None
    along = np.broadcast_to(orientations[:, :3] @ _FRONTAL.T, (n, 2))
    start = positions @ _FRONTAL.T
    lies_flat = np.hypot(along[:, 0], along[:, 1]).min() >= _IN_PLANE
    looks_in = np.abs(orientations[:, 4]).min() >= _IN_PLANE  # rows go deeper into the eye: along y
    if not (np.isfinite(start).all() and lies_flat and looks_in):
        return None
    spread = positions - positions.mean(axis=0)
    in_plane = np.square(spread @ _FRONTAL.T).sum()
    if n > 1 and in_plane < _IN_PLANE**2 * np.square(spread).sum():
        return None  # frames that lie behind one another are no B-scans of one fundus
    # The stated position is the first pixel's centre; lines run from outer edge to outer edge.
    start = start - along * (length_mm / int(header.Columns) / 2.0)
    lines = np.concatenate([start, start + along * length_mm], axis=1)
    corner = np.minimum(lines[:, :2], lines[:, 2:]).min(axis=0)
    return np.asarray(lines - np.tile(corner, 2), np.float64)


def _vectors(header: Dataset, sequence: str, name: str, size: int) -> NDArray[np.float64]:
    """One vector per item of a functional group, (items, size); empty where one is no vector."""
    found = [item.get(name) for item in functional_groups(header, sequence)]
    try:
        vectors = np.array([[float(value) for value in vector] for vector in found], np.float64)
    except (TypeError, ValueError):
        return np.empty((0, size))
    return vectors if vectors.ndim == 2 and vectors.shape[1] == size else np.empty((0, size))  # noqa: PLR2004 - items, axes
