"""Reads one file that `octaudit score` is to score: its pixels, and what the file says where nobody said it.

The command line and the manifest go first; a file that contradicts itself, or is of another kind, is not scored.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableScanError
from core.intake.dicom_facts import DicomFacts
from core.intake.problems import blocking
from core.intake.readers.dicom import MAGIC, PREAMBLE_BYTES, is_dicom, read_dicom, read_dicom_volume
from core.intake.readers.raster import read_raster
from core.intake.readers.vol import is_vol, read_vol
from core.intake.vol_facts import raster_field_mm, read_vol_facts
from core.usecases.collect_files import FileToScore
from core.vocabulary import ScaleSource, ScanKind, Slab
from core.volume import OctVolume

_PICTURES = frozenset({ScanKind.BSCAN, ScanKind.VOLUME})
"""What a B-scan may be scored as: a single one is a volume of one."""


@dataclass(frozen=True, slots=True)
class PixelsToScore:
    """What was read: the image, uint8 (height, width), and the file with what it states of itself.

    ``volume`` holds all B-scans of a `.vol` export or a DICOM object where it is scored as a volume; ``image`` is the
    central one.
    """

    image: NDArray[np.uint8]
    file: FileToScore
    volume: OctVolume | None = None


def read_to_score(file: FileToScore, kind: ScanKind, *, max_megapixels: float) -> PixelsToScore:
    """Read a file by its content, whatever its name says; UnreadableScanError with a code."""
    with file.path.open("rb") as opened:
        head = opened.read(PREAMBLE_BYTES + len(MAGIC))
    if is_vol(head):
        return _of_vol(file, kind)
    if not is_dicom(head):
        return PixelsToScore(read_raster(file.path, max_megapixels=max_megapixels).image, file)
    return _of_dicom(file, kind, max_megapixels)


def _of_vol(file: FileToScore, kind: ScanKind) -> PixelsToScore:
    volume = read_vol(file.path).volume
    facts = read_vol_facts(volume)
    _require_kind(facts, kind)
    known = _with_facts(file, facts)
    return PixelsToScore(volume.central_bscan, known, volume if kind is ScanKind.VOLUME else None)


def _of_dicom(file: FileToScore, kind: ScanKind, max_megapixels: float) -> PixelsToScore:
    scan = read_dicom(file.path, max_megapixels=max_megapixels)
    for problem in blocking(scan.notes):
        raise UnreadableScanError(problem.code, problem.message, remedy=problem.remedy)
    _require_kind(scan.facts, kind)
    if kind is not ScanKind.VOLUME:
        return PixelsToScore(scan.image, _with_facts(file, scan.facts))
    volume = read_dicom_volume(file.path, scan.facts, max_megapixels=max_megapixels)
    facts = replace(scan.facts, field_mm=raster_field_mm(volume))
    return PixelsToScore(scan.image, _with_facts(file, facts), volume)


def _require_kind(facts: DicomFacts, kind: ScanKind) -> None:
    stated = facts.kind
    if stated is not None and stated is not kind and not {stated, kind} <= _PICTURES:
        raise UnreadableScanError(
            "kind_differs_from_file",
            f"The file is of kind {stated}, and {kind} is scored.",
            remedy=f"Score it with --kind {stated}.",
        )


def _with_facts(file: FileToScore, facts: DicomFacts) -> FileToScore:
    """What nobody said, as the file says it."""
    if file.slab is Slab.UNKNOWN and facts.slab is not None:
        file = replace(file, slab=facts.slab)
    if file.laterality is None and facts.eye is not None:
        file = replace(file, laterality=facts.eye)
    if file.field_mm is None and facts.field_mm is not None:
        file = replace(file, field_mm=facts.field_mm, scale_source=ScaleSource.FILE)
    return file
