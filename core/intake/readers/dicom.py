"""Reads ophthalmic DICOM objects into grey pixels, with what the header states and the UIDs that results will name.

Three classes are read: Ophthalmic Tomography, OPT En Face and Ophthalmic Photography (8 and 16 bits). Transfer
syntaxes: uncompressed (little endian implicit and explicit, big endian), JPEG baseline, JPEG 2000, and by a process
of its own (core.intake.readers.frame_child) JPEG lossless, JPEG-LS and RLE. The others are refused by name: a deflated
object unpacks to any size before it says what it is.

Sizes are checked before anything is decoded, in the header and again in every compressed frame, whose own size is
another claim. What the values become is said in core.intake.dicom_values.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Jpeg2KImagePlugin, JpegImagePlugin
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import JPEG2000 as JPEG2000_LOSSY
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from core.errors import UnreadableScanError
from core.intake.dicom_facts import READABLE, DicomFacts, DicomReference, frame_count, read_facts, read_reference
from core.intake.dicom_values import PALETTE, as_grey
from core.intake.dicom_volume import make_volume
from core.intake.problems import Problem
from core.intake.readers.frame_child import FrameShape, decode_apart
from core.intake.readers.raster import MIN_SIDE_PX
from core.volume import OctVolume

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
"""Values are judged here. pydicom's own warnings quote them, and a quoted value may be a name."""

HEADER_LIMIT_BYTES = 8_000_000
"""What is read before the pixels. A volume of a thousand B-scans has about 1 kB of functional groups per frame."""
MAX_FRAMES = 5_000
PREAMBLE_BYTES = 128
MAGIC = b"DICM"

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
_JPEG = (JPEGBaseline8Bit,)
_JPEG_2000 = (JPEG2000Lossless, JPEG2000_LOSSY)
_APART = {
    JPEGLossless: "gdcm", JPEGLosslessSV1: "gdcm", JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls",
    RLELossless: "pydicom",
}  # fmt: skip
"""What is decoded in a process of its own, and pydicom's name of the decoder that does it."""
TRANSFER_SYNTAXES = (*_NATIVE, *_JPEG, *_JPEG_2000, *_APART)
"""How the pixels may be packed."""
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PIXEL_TAG = [0x7FE0, 0x0010]

_HEADER = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Manufacturer",
    "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "Laterality", "ImageLaterality",
    "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime",
    "TimezoneOffsetFromUTC", "PixelSpacing", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "OphthalmicImageTypeCodeSequence", "AnatomicRegionSequence", "AcquisitionDeviceTypeCodeSequence",
    "OphthalmicEnFaceImageQualityRatingSequence", "BurnedInAnnotation", "NumberOfFrames", "Rows", "Columns",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
)  # fmt: skip
"""All that is read of a header: no attribute of patient, institution or operator is among it."""


@dataclass(frozen=True, slots=True)
class DicomScan:
    """One object. ``image`` is uint8 (height, width): of several frames the middle one; ``notes`` hold its faults."""

    image: NDArray[np.uint8]
    facts: DicomFacts
    reference: DicomReference | None
    is_annotated: bool
    """The object says of itself that it has burned-in annotation."""
    notes: tuple[Problem, ...]


def is_dicom(head: bytes) -> bool:
    """Whether a file's first 132 bytes are those of a DICOM file (PS3.10, 7.1)."""
    return head[PREAMBLE_BYTES : PREAMBLE_BYTES + len(MAGIC)] == MAGIC


def read_dicom(path: Path, *, max_megapixels: float) -> DicomScan:
    """Read the object at ``path``; ``max_megapixels`` (10^6 pixels) limits one frame.

    Raises UnreadableScanError with a stable code: ``damaged``, ``not_ophthalmic``, ``transfer_syntax``, ``no_pixels``,
    ``too_many_pixels``, ``too_many_frames``, ``too_small``, ``unsupported_depth``, ``header_too_large`` or
    ``palette_missing``. Contradictions in the header are problems of the scan that is returned.
    """
    with _reading(path) as opened:
        header = opened.header
        _check(header, max_megapixels)
        _check_frames(path, opened)
        n = frame_count(header)
        values = next(_decode(path, opened, start=n // 2, count=1))
        image, value_notes = as_grey(values, header)
        facts, problems = read_facts(header)
        reference = read_reference(header)
        notes = problems + value_notes + (() if reference else (_NAMELESS,))
        is_annotated = str(header.get("BurnedInAnnotation") or "").upper() == "YES"
        return DicomScan(image, facts, reference, is_annotated, notes)


def iter_frames(path: Path, *, max_megapixels: float) -> Iterator[NDArray[np.uint8]]:
    """Every frame of the object as uint8 (height, width), one in memory at a time. Raises what ``read_dicom`` does."""
    with _reading(path) as opened:
        _check(opened.header, max_megapixels)
        _check_frames(path, opened)
        for values in _decode(path, opened, start=0, count=frame_count(opened.header)):
            yield as_grey(values, opened.header)[0]


def read_dicom_volume(path: Path, facts: DicomFacts, *, max_megapixels: float) -> OctVolume:
    """All frames of an object whose ``facts`` ``read_dicom`` gave. Raises what that does, or ``too_large``."""
    with _reading(path) as opened:
        _check(opened.header, max_megapixels)
        _check_frames(path, opened)
        n = frame_count(opened.header)
        frames = (as_grey(values, opened.header)[0] for values in _decode(path, opened, start=0, count=n))
        return make_volume(opened.header, facts, frames)


_NAMELESS = Problem(
    "dicom_without_uids",
    "The object lacks one of the UIDs by which others could refer to it: no DICOM results can be made of this scan.",
    "Nothing to do for its score; export it again if results as DICOM are wanted.",
    is_blocking=False,
)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A header, how the pixels are packed, and where in the file their element begins."""

    header: Dataset
    syntax: UID
    pixels_at: int


@contextmanager
def _reading(path: Path) -> Iterator[_Opened]:
    """The header of a file; whatever damaged bytes lead to within the block becomes one clear fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values
        try:
            yield _read_header(path)
        except UnreadableScanError:
            raise
        except Exception:  # noqa: BLE001 - pydicom and the decoders raise whatever makes them stumble
            raise UnreadableScanError(
                "damaged",
                "The file is a DICOM object, but its data are damaged or cut off.",
                remedy="Copy or export the object again and upload it once more.",
            ) from None  # the cause may quote a name


class _BoundedFile(io.BufferedReader):
    """A file of which only so much may be read: a header of any length could be claimed. Skipping costs nothing."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._left = HEADER_LIMIT_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count; UnreadableScanError beyond the limit."""
        if size is None or size < 0 or size > self._left:
            raise UnreadableScanError(
                "header_too_large",
                f"The object's header is longer than {HEADER_LIMIT_BYTES / 1e6:.0f} MB, or one of its values is.",
                remedy="Export the object without private data, or as single images.",
            )
        data = super().read(size)
        self._left -= len(data)
        return data


def _read_header(path: Path) -> _Opened:
    with _BoundedFile(io.FileIO(path)) as file:
        syntax = _transfer_syntax(file)
        file.seek(0)
        # The cast: pydicom asks for BinaryIO by name and uses read, seek and tell.
        header = pydicom.dcmread(cast("BinaryIO", file), stop_before_pixels=True, specific_tags=list(_HEADER))
        pixels_at = file.tell()
    class_uid = UID(str(header.get("SOPClassUID", "")))
    if class_uid not in READABLE:
        kind = class_uid.name if class_uid.is_valid and class_uid.name != class_uid else "of an unknown class"
        raise UnreadableScanError(
            "not_ophthalmic",
            f"The object is no ophthalmic scan: {kind}.",
            remedy="Export Ophthalmic Tomography, its En Face image, or a PNG; screenshots and reports are not scored.",
        )
    return _Opened(header, syntax, pixels_at)


def _transfer_syntax(file: "_BoundedFile") -> UID:
    """Asked before the object is read, because reading a deflated one inflates it whole."""
    read_preamble(cast("BinaryIO", file), force=False)
    syntax = UID(str(_read_file_meta_info(cast("BinaryIO", file)).get("TransferSyntaxUID", "")))
    if syntax not in TRANSFER_SYNTAXES:
        name = syntax.name if syntax.is_valid else "unknown"
        raise UnreadableScanError(
            "transfer_syntax",
            f"The object's pixels are packed in a way that is not read here: {name}.",
            remedy="Export it uncompressed, or as JPEG, JPEG 2000, JPEG-LS or RLE.",
        )
    return syntax


def _check(header: Dataset, max_megapixels: float) -> None:
    """Refuse by the header alone what cannot or must not be decoded."""
    if not header.get("Rows") or not header.get("Columns"):
        raise UnreadableScanError(
            "no_pixels", "The object holds no image.", remedy="Export the scan itself, not its report or raw data."
        )
    width, height, n = int(header.Columns), int(header.Rows), frame_count(header)
    if width * height > max_megapixels * 1e6:
        raise UnreadableScanError(
            "too_many_pixels",
            f"The object claims {width} x {height} pixels per image ({width * height / 1e6:.0f} megapixels); "
            f"at most {max_megapixels:g} megapixels are read.",
            remedy="Export the scan at its own resolution; an OCTA en-face image has less than 5 megapixels.",
        )
    if not 1 <= n <= MAX_FRAMES:
        raise UnreadableScanError(
            "too_many_frames",
            f"The object claims {n} images; at most {MAX_FRAMES} are read.",
            remedy="Export the volume in parts.",
        )
    if min(width, height) < MIN_SIDE_PX:
        raise UnreadableScanError(
            "too_small",
            f"The image has only {width} x {height} pixels; at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are needed.",
            remedy="Export the scan itself, not its preview.",
        )
    _check_format(header)


def _check_format(header: Dataset) -> None:
    photometric = str(header.get("PhotometricInterpretation") or "")
    samples = int(header.get("SamplesPerPixel") or 0)
    is_known = (photometric in (*_GREY, PALETTE) and samples == 1) or (photometric in _COLOUR and samples == 3)  # noqa: PLR2004 - red, green, blue
    allocated, stored = int(header.get("BitsAllocated") or 0), int(header.get("BitsStored") or 0)
    is_deep_enough = allocated in (8, 16) and 1 < stored <= allocated and (samples == 1 or allocated == 8)  # noqa: PLR2004 - bits
    if not is_known or not is_deep_enough:
        raise UnreadableScanError(
            "unsupported_depth",
            f"The object's pixel format ({photometric or 'not stated'}, {samples} x {stored} of {allocated} bits) is "
            "not that of an exported scan.",
            remedy="Export the scan with 8 or 16 bits per pixel, grey or RGB.",
        )


def _frame_bytes(header: Dataset) -> int:
    samples = 2 if header.PhotometricInterpretation == "YBR_FULL_422" else int(header.SamplesPerPixel)
    return int(header.Rows) * int(header.Columns) * samples * int(header.BitsAllocated) // 8


def _check_frames(path: Path, opened: _Opened) -> None:
    """All pixels are there, and no compressed frame claims another size than the header does."""
    header, n = opened.header, frame_count(opened.header)
    with path.open("rb") as file:
        file.seek(opened.pixels_at)
        length = _enter_pixels(file, opened.syntax)
        if opened.syntax in _NATIVE:
            there = path.stat().st_size - file.tell()
            if min(length, there) < n * _frame_bytes(header):
                raise EOFError("pixels are missing")
            return
        seen = 0
        for frame in generate_frames(file, number_of_frames=n):
            seen += 1
            size = _encoded_size(frame, opened.syntax)
            if size is not None and size != (int(header.Columns), int(header.Rows)):
                raise ValueError("a frame has another size than the header")
        if seen != n:
            raise EOFError("frames are missing")


def _enter_pixels(file: IO[bytes], syntax: UID) -> int:
    """Read the pixel element's own header and return its length; UnreadableScanError where there is none."""
    order: Literal["little", "big"] = "little" if syntax.is_little_endian else "big"
    element = file.read(8)
    if [int.from_bytes(element[at : at + 2], order) for at in (0, 2)] != _PIXEL_TAG:
        raise UnreadableScanError(
            "no_pixels", "The object holds no image.", remedy="Export the scan itself, not its report or raw data."
        )
    length = element[4:8] if syntax.is_implicit_VR else file.read(4)
    return int.from_bytes(length, order)


def _encoded_size(frame: bytes, syntax: UID) -> tuple[int, int] | None:
    """(width, height) that a compressed frame claims in its own header; None of RLE, which has none."""
    if syntax == RLELossless:
        return None
    if syntax in _APART:
        return _size_in_markers(frame)
    opener: Any = JpegImagePlugin.JpegImageFile if syntax in _JPEG else Jpeg2KImagePlugin.Jpeg2KImageFile
    with opener(io.BytesIO(frame)) as picture:
        return cast("tuple[int, int]", picture.size)


def _size_in_markers(frame: bytes) -> tuple[int, int]:
    """By the first frame header among a JPEG's marker segments (ITU-T T.81, B.2.2; JPEG-LS: T.87, C.2.2)."""
    at = 2  # behind SOI
    while frame[at : at + 1] == b"\xff":
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(frame[at + 5 + k : at + 7 + k], "big") for k in (0, 2))
            return width, height
        at += 2 + max(length, 2)
    raise ValueError("a frame has no header of its own")


_FRAME_HEADERS = {0xC0, 0xC1, 0xC3, 0xF7}
"""SOF of baseline, extended and lossless JPEG, and of JPEG-LS."""


def _decode(path: Path, opened: _Opened, *, start: int, count: int) -> Iterator[NDArray[Any]]:
    """``count`` frames of stored values from frame ``start`` on, one by one; colour as RGB."""
    header, syntax = opened.header, opened.syntax
    if syntax in _APART:
        colour = (3,) if int(header.SamplesPerPixel) == 3 else ()  # noqa: PLR2004 - red, green, blue
        sign = "i" if int(header.get("PixelRepresentation") or 0) else "u"
        expected = FrameShape(
            (int(header.Rows), int(header.Columns), *colour), np.dtype(f"{sign}{int(header.BitsAllocated) // 8}")
        )
        yield from decode_apart(path, _APART[syntax], expected, start=start, count=count)
        return
    # By name: pydicom would ask every decoder that is installed, one after the other.
    plugin = "" if syntax in _NATIVE else "pillow"
    yield from iter_pixels(path, indices=range(start, start + count), decoding_plugin=plugin)
