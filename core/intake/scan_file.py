"""One uploaded file read once: pixels without identity, their canonical bytes, suspected lettering, and all notes.

Of a DICOM object or a `.vol` export what it states of its scan comes too: of the one with the UIDs by which results
will name it, of the other with the whole volume in its stored form.
"""

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import UnreadableScanError
from core.intake.burned_in_text import Region, find_lettering
from core.intake.canonical import encode_image
from core.intake.dicom_facts import DicomFacts, DicomReference
from core.intake.problems import Problem
from core.intake.readers.dicom import MAGIC, PREAMBLE_BYTES, DicomScan, is_dicom, read_dicom, read_dicom_volume
from core.intake.readers.raster import RasterScan, read_raster
from core.intake.readers.vol import VolScan, is_vol, read_vol
from core.intake.vol_facts import raster_field_mm, read_vol_facts
from core.intake.volume_blob import encode_volume
from core.vocabulary import ScanKind
from core.volume import OctVolume

BURNED_IN_TEXT = "possible_burned_in_text"
"""Code of the problem that holds a file until a person has looked at it."""

_one_at_a_time = threading.Semaphore(1)
"""Decoding a large image takes a few hundred megabytes; uploads that arrive together must not add theirs up."""


@dataclass(frozen=True, slots=True)
class DicomOrigin:
    """What a file stated of its scan; ``reference`` is None where it lacks a UID, as every `.vol` export does."""

    facts: DicomFacts
    reference: DicomReference | None


@dataclass(frozen=True, slots=True)
class ScanFile:
    """What was read from one file: ``png`` is None where it could not be read, and ``problems`` say why.

    ``origin`` is None but for a DICOM object or a `.vol` export. Of several B-scans ``png`` is the central one, and
    ``volume`` the stored form of all of them (core.intake.volume_blob).
    """

    png: bytes | None
    width_px: int | None
    height_px: int | None
    text_regions: tuple[Region, ...]
    problems: tuple[Problem, ...]
    origin: DicomOrigin | None = None
    volume: bytes | None = None


def read_scan_file(path: Path, *, max_megapixels: float) -> ScanFile:
    """Read the file at ``path``; a bad file is a ScanFile with problems, never an exception.

    Everything but the pixels is dropped: EXIF, XMP, PNG text, colour profiles, thumbnails, and every attribute of a
    DICOM object but those of the scan and its device. Text-like regions hold it, and so does an object's own word
    that it has burned-in annotation.
    """
    try:
        with _one_at_a_time:
            scan = _read(path, max_megapixels)
            if isinstance(scan, VolScan):
                return _of_volume(scan)
            volume = _volume_of(path, scan, max_megapixels)
            regions = find_lettering(scan.image)
            png = encode_image(scan.image)
    except UnreadableScanError as error:
        return ScanFile(None, None, None, (), (Problem.of(error),))
    height, width = scan.image.shape
    problems = scan.notes + ((lettering_problem(len(regions)),) if regions else ())
    if isinstance(scan, RasterScan):
        return ScanFile(png, width, height, regions, problems)
    if scan.is_annotated and not regions:
        problems += (_ANNOTATED,)
    if volume is None:
        return ScanFile(png, width, height, regions, problems, DicomOrigin(scan.facts, scan.reference))
    origin = DicomOrigin(replace(scan.facts, field_mm=raster_field_mm(volume)), scan.reference)
    return ScanFile(png, width, height, regions, problems, origin, encode_volume(volume))


def _volume_of(path: Path, scan: RasterScan | DicomScan, max_megapixels: float) -> OctVolume | None:
    """All frames of a DICOM object that states several; of every other file there is no more than its image."""
    if isinstance(scan, RasterScan) or scan.facts.kind is not ScanKind.VOLUME:
        return None
    return read_dicom_volume(path, scan.facts, max_megapixels=max_megapixels)


def _read(path: Path, max_megapixels: float) -> RasterScan | DicomScan | VolScan:
    """By content, whatever the name says."""
    with path.open("rb") as file:
        head = file.read(PREAMBLE_BYTES + len(MAGIC))
    if is_vol(head):
        return read_vol(path)
    read = read_dicom if is_dicom(head) else read_raster
    return read(path, max_megapixels=max_megapixels)


def _of_volume(scan: VolScan) -> ScanFile:
    """What the device measured carries no text; what another program wrote may, and then nothing of it is taken."""
    volume = scan.volume
    pictures = [] if scan.is_of_device else [volume.central_bscan, *([] if volume.slo is None else [volume.slo])]
    problems = scan.notes + ((_TEXT_IN_VOLUME,) if any(find_lettering(picture) for picture in pictures) else ())
    png, origin = encode_image(volume.central_bscan), DicomOrigin(read_vol_facts(volume), None)
    return ScanFile(png, volume.width_px, volume.height_px, (), problems, origin, encode_volume(volume))


_TEXT_IN_VOLUME = Problem(
    "text_in_volume",
    "The .vol file was not written by the device, and its pictures may hold burned-in text.",
    "Export the scan as .vol from HEYEX itself.",
)
_ANNOTATED = Problem(
    BURNED_IN_TEXT,
    "The object says of itself that it has burned-in annotation: (0028,0301) is YES.",
    "Look at it: crop the text away, or confirm that nothing there names a person. Best export without overlay.",
)


def lettering_problem(count: int) -> Problem:
    """Why a file is held."""
    places = "1 place" if count == 1 else f"{count} places"
    return Problem(
        BURNED_IN_TEXT,
        f"The image may hold burned-in text in {places}.",
        "Look at it: crop the text away, or confirm that nothing there names a person. Best export without overlay.",
    )
