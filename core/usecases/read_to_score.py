"""Reads one file that `octaudit score` is to score: its pixels, and what a DICOM object says where nobody said it.

The command line and the manifest go first; an object that contradicts itself, or is of another kind, is not scored.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableScanError
from core.intake.dicom_facts import DicomFacts
from core.intake.problems import blocking
from core.intake.readers.dicom import MAGIC, PREAMBLE_BYTES, is_dicom, read_dicom
from core.intake.readers.raster import read_raster
from core.usecases.collect_files import FileToScore
from core.vocabulary import ScaleSource, ScanKind, Slab

_PICTURES = frozenset({ScanKind.BSCAN, ScanKind.VOLUME})
"""What a B-scan may be scored as: a single one is a volume of one."""


def read_to_score(file: FileToScore, kind: ScanKind, *, max_megapixels: float) -> tuple[NDArray[np.uint8], FileToScore]:
    """The image, uint8 (height, width), and the file with what it states of itself; UnreadableScanError with a code.

    By content, whatever the name says. Of several frames of a DICOM object the middle one is scored.
    """
    with file.path.open("rb") as opened:
        head = opened.read(PREAMBLE_BYTES + len(MAGIC))
    if not is_dicom(head):
        return read_raster(file.path, max_megapixels=max_megapixels).image, file
    return _of_dicom(file.path, file, kind, max_megapixels)


def _of_dicom(
    path: Path, file: FileToScore, kind: ScanKind, max_megapixels: float
) -> tuple[NDArray[np.uint8], FileToScore]:
    scan = read_dicom(path, max_megapixels=max_megapixels)
    for problem in blocking(scan.notes):
        raise UnreadableScanError(problem.code, problem.message, remedy=problem.remedy)
    stated = scan.facts.kind
    if stated is not None and stated is not kind and not {stated, kind} <= _PICTURES:
        raise UnreadableScanError(
            "kind_differs_from_file",
            f"The object is of kind {stated}, and {kind} is scored.",
            remedy=f"Score it with --kind {stated}.",
        )
    return scan.image, _with_facts(file, scan.facts)


def _with_facts(file: FileToScore, facts: DicomFacts) -> FileToScore:
    """What nobody said, as the object says it."""
    if file.slab is Slab.UNKNOWN and facts.slab is not None:
        file = replace(file, slab=facts.slab)
    if file.laterality is None and facts.eye is not None:
        file = replace(file, laterality=facts.eye)
    if file.field_mm is None and facts.field_mm is not None:
        file = replace(file, field_mm=facts.field_mm, scale_source=ScaleSource.FILE)
    return file
