"""What a `.vol` export says of its scan, in the words of a manifest: kind, eye and field, and nothing of a person."""

import numpy as np

from core.intake.dicom_facts import FIELD_MM, DicomFacts
from core.vocabulary import ScanKind, ScanPattern
from core.volume import OctVolume

MANUFACTURER = "Heidelberg Engineering"


def read_vol_facts(volume: OctVolume) -> DicomFacts:
    """The facts of a volume as read. Its moment is left out: beside a name it is the patient's visit date."""
    quality = None if volume.quality_db is None else ("Quality (dB)", round(float(np.mean(volume.quality_db)), 1))
    return DicomFacts(
        kind=ScanKind.VOLUME,
        eye=volume.laterality,
        slab=None,
        field_mm=raster_field_mm(volume),
        acquired_at=None,
        manufacturer=MANUFACTURER,
        model="",
        serial="",
        software_version="",
        quality=quality,
        rows=volume.height_px,
        columns=volume.width_px,
        frames=volume.n_bscans,
    )


def raster_field_mm(volume: OctVolume) -> tuple[float, float] | None:
    """Width and height in mm of the field that a raster covers; None for other patterns: a line has no height.

    Height is the distance of the outermost B-scans and one spacing more, as the device counts it.
    """
    is_raster = volume.scan_pattern in (ScanPattern.VOLUME, ScanPattern.UNKNOWN) and volume.n_bscans > 1
    if not is_raster or volume.lines_mm is None:
        return None
    start, end = volume.lines_mm[:, :2], volume.lines_mm[:, 2:]
    width = float(np.hypot(*(end - start).mean(axis=0)))
    middle = (start + end) / 2.0
    span = float(np.hypot(*(middle[-1] - middle[0])))
    height = span * volume.n_bscans / (volume.n_bscans - 1)
    in_range = all(FIELD_MM[0] <= side <= FIELD_MM[1] for side in (width, height))
    return (round(width, 2), round(height, 2)) if in_range else None
