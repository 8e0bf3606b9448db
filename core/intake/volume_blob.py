"""The one form in which a volume is stored: safetensors bytes that depend on the OctVolume alone, and back.

Blobs are named by their hash, so the same volume must give the same bytes on every machine. All that is not an array
stands as one JSON text under one key of the metadata: with several keys their order would be left to chance. Grey
levels are not compressed, for the reason given in core.intake.canonical.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, numpy

from core.errors import UnreadableScanError
from core.vocabulary import Laterality, ScanPattern
from core.volume import OctVolume

MEDIA_TYPE = "application/vnd.octaudit.volume+safetensors"
"""Media type of the stored form."""

_FORMAT = 1
"""Raised when the meaning of a field changes; a reader refuses what it does not know."""
_KEY = "octaudit_volume"
_BOUNDARY = "boundary."
_SCALES = ("z_mm_per_px", "x_mm_per_px", "slo_mm_per_px")


def encode_volume(volume: OctVolume) -> bytes:
    """The canonical bytes of ``volume``."""
    arrays: dict[str, NDArray[Any]] = {"bscans": np.ascontiguousarray(volume.bscans)}
    if volume.lines_mm is not None:
        arrays["lines_mm"] = np.ascontiguousarray(volume.lines_mm)
    if volume.slo is not None:
        arrays["slo"] = np.ascontiguousarray(volume.slo)
    for name, rows in (volume.device_boundaries or {}).items():
        # One NaN has many bit patterns; the stored one is always the same.
        arrays[_BOUNDARY + name] = np.where(np.isnan(rows), np.float32(np.nan), rows)
    document = {
        "format": _FORMAT,
        "scan_pattern": volume.scan_pattern.value,
        "quality_db": None if volume.quality_db is None else list(volume.quality_db),
        "laterality": None if volume.laterality is None else volume.laterality.value,
    } | {name: getattr(volume, name) for name in _SCALES}
    return numpy.save(arrays, {_KEY: json.dumps(document, sort_keys=True, allow_nan=False)})


def decode_volume(data: bytes) -> OctVolume:
    """The volume of canonical bytes; UnreadableScanError where they are something else."""
    try:
        arrays = numpy.load(data)
        return _volume(arrays, json.loads(_metadata(data)[_KEY]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnreadableScanError(
            "damaged_blob", "The stored volume cannot be read.", remedy="Restore the blobs from the last backup."
        ) from error


def _metadata(data: bytes) -> dict[str, str]:
    """The text metadata of safetensors bytes: their header is JSON behind its length."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


def _volume(arrays: dict[str, NDArray[Any]], document: dict[str, Any]) -> OctVolume:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']} is not known")
    drawn = {name.removeprefix(_BOUNDARY): rows for name, rows in arrays.items() if name.startswith(_BOUNDARY)}
    quality, laterality = document["quality_db"], document["laterality"]
    return OctVolume(
        arrays["bscans"],
        lines_mm=arrays.get("lines_mm"),
        scan_pattern=ScanPattern(document["scan_pattern"]),
        quality_db=None if quality is None else tuple(quality),
        slo=arrays.get("slo"),
        device_boundaries=drawn or None,
        laterality=None if laterality is None else Laterality(laterality),
        **{name: document[name] for name in _SCALES},
    )
