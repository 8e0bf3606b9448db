"""Reads PNG, JPEG, TIFF and BMP files into grey pixels; believes their content, never their name.

What becomes of each pixel format:

- 16-bit grey is divided by a power of two: the file's declared depth (TIFF MaxSampleValue) counts, else the smallest
  of 8, 10, 12, 14 and 16 bits that holds the largest value. Brightness is never stretched beyond that, because a
  dim scan must stay dim.
- Colour becomes luma (ITU-R BT.601), which leaves grey stored as RGB or palette exactly as it was; 16-bit colour
  keeps its upper eight bits.
- Transparent pixels are laid over black, the background of an OCTA image.
- An EXIF orientation is applied, then dropped with all other metadata.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ExifTags, Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from core.errors import UnreadableScanError
from core.intake.problems import Problem

MIN_SIDE_PX = 64
"""A smaller image is a thumbnail or an icon: a 3 mm field would be coarser than 47 um per pixel."""

_SNIFFED_BYTES = 16
_BIT_DEPTHS = (8, 10, 12, 14, 16)
_TIFF_MAX_SAMPLE_VALUE = 281
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "TIFF": "image/tiff", "BMP": "image/bmp"}
_COLOUR_TOLERANCE = 12
"""JPEG's chroma rounding moves a grey pixel's channels apart by no more than this (8-bit levels)."""
_COLOUR_FRACTION = 0.01
"""Share of coloured pixels from which an image is called a colour image."""

_KNOWN_OTHERS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"<", "a web page or XML document"),
)


@dataclass(frozen=True, slots=True)
class RasterScan:
    """One decoded picture. ``image`` is uint8 (height, width); ``notes`` say what was converted on the way."""

    image: NDArray[np.uint8]
    media_type: str
    notes: tuple[Problem, ...] = ()


def sniff_format(head: bytes) -> str | None:
    """PNG, JPEG, TIFF or BMP by a file's first 16 bytes; None where it is none of them."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    if head.startswith(b"BM") and head[6:10] == b"\x00\x00\x00\x00":
        return "BMP"
    return None


def read_raster(path: Path, *, max_megapixels: float) -> RasterScan:
    """Decode the image file at ``path``.

    The size is read from the header and checked against ``max_megapixels`` (10^6 pixels) before anything is decoded.
    Raises UnreadableScanError with a stable code: ``empty``, ``not_an_image``, ``too_many_pixels``, ``too_small``,
    ``several_pictures``, ``unsupported_depth`` or ``damaged``.
    """
    with path.open("rb") as file:
        name = _sniffed(file)
        try:
            picture = _open(name, file)
            _check_header(picture, max_megapixels)
            _verify(name, path)
            orientation = _orientation(picture)
            picture.load()
            return _as_grey(*_oriented(picture, orientation), name)
        except UnreadableScanError:
            raise
        except Exception as error:  # Pillow raises whatever damaged bytes make its decoders stumble over
            raise UnreadableScanError(
                "damaged",
                f"The file is a {name} image, but its data are damaged or cut off.",
                remedy="Copy or export the file again and upload it once more.",
            ) from error


def _sniffed(file: IO[bytes]) -> str:
    head = file.read(_SNIFFED_BYTES)
    file.seek(0)
    if not head:
        raise UnreadableScanError(
            "empty", "The file is empty (0 bytes).", remedy="Export the scan again; the copy was not completed."
        )
    name = sniff_format(head)
    if name is None:
        kind = next((what for start, what in _KNOWN_OTHERS if head.startswith(start)), "of another kind")
        raise UnreadableScanError(
            "not_an_image",
            f"The content is no PNG, JPEG, TIFF or BMP image, no DICOM object and no .vol export: it is {kind}.",
            remedy="Export the scan as DICOM, .vol, PNG or TIFF; renaming a file does not change what it is.",
        )
    return name


def _open(name: str, file: IO[bytes]) -> Image.Image:
    # The classes are called directly: Image.open would try other formats, and would warn about the pixel count
    # instead of leaving it to our limit.
    match name:
        case "PNG":
            return PngImagePlugin.PngImageFile(file)
        case "JPEG":
            return JpegImagePlugin.JpegImageFile(file)
        case "TIFF":
            return TiffImagePlugin.TiffImageFile(file)
        case _:
            return BmpImagePlugin.BmpImageFile(file)


def _check_header(picture: Image.Image, max_megapixels: float) -> None:
    width, height = picture.size
    if width * height > max_megapixels * 1e6:
        raise UnreadableScanError(
            "too_many_pixels",
            f"The image claims {width} x {height} pixels ({width * height / 1e6:.0f} megapixels); "
            f"at most {max_megapixels:g} megapixels are read.",
            remedy="Export the scan at its own resolution; an OCTA en-face image has less than 5 megapixels.",
        )
    if min(width, height) < MIN_SIDE_PX:
        raise UnreadableScanError(
            "too_small",
            f"The image has only {width} x {height} pixels; at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are needed.",
            remedy="Export the scan itself, not its preview.",
        )
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise UnreadableScanError(
            "several_pictures",
            f"The file holds {frames} pictures; one file must be one scan.",
            remedy="Export each picture as a file of its own.",
        )
    if picture.mode in {"1", "I", "F", "LAB", "HSV"}:
        raise UnreadableScanError(
            "unsupported_depth",
            f"The image's pixel format ({_pixel_format(picture.mode)}) is not that of an exported scan.",
            remedy="Export the scan with 8 or 16 bits per pixel, grey or RGB.",
        )


def _pixel_format(mode: str) -> str:
    names = {"1": "one bit per pixel, a mask", "I": "32-bit or signed integers", "F": "floating-point numbers"}
    return names.get(mode, mode)


def _verify(name: str, path: Path) -> None:
    """Check every chunk's CRC of a PNG; decoding alone does not, and would show damaged rows as retina."""
    if name == "PNG":
        with path.open("rb") as file:
            PngImagePlugin.PngImageFile(file).verify()


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. Asked before loading, because Pillow turns a TIFF by itself and forgets it."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error, OSError):
        # Broken EXIF says nothing about the orientation, and is dropped anyway.
        return 1
    return orientation if orientation in range(1, 9) else 1


def _oriented(picture: Image.Image, orientation: int) -> tuple[Image.Image, tuple[Problem, ...]]:
    if orientation == 1:
        return picture, ()
    note = Problem(
        "orientation_applied",
        "The file asks to be turned or mirrored when shown, and was.",
        "Check that the image looks as it does on the device.",
        is_blocking=False,
    )
    return ImageOps.exif_transpose(picture), (note,)


def _as_grey(picture: Image.Image, notes: tuple[Problem, ...], name: str) -> RasterScan:
    media_type = _MEDIA_TYPES[name]
    if picture.mode.startswith("I;16"):
        image, depth_notes = _from_16_bit(picture)
        return RasterScan(image, media_type, notes + depth_notes)
    if picture.mode == "L" and "transparency" not in picture.info:
        return RasterScan(np.array(picture, dtype=np.uint8), media_type, notes)
    colour = _flattened(picture)
    if _is_coloured(colour):
        notes += (
            Problem(
                "colour_image",
                "The image is in colour; only its brightness was kept.",
                "If the colours show depth, export the slab as a grey image instead.",
                is_blocking=False,
            ),
        )
    return RasterScan(np.array(colour.convert("L"), dtype=np.uint8), media_type, notes)


def _flattened(picture: Image.Image) -> Image.Image:
    """The picture as RGB, transparent parts laid over black."""
    if picture.mode not in {"RGB", "CMYK", "YCbCr"}:
        coloured = picture.convert("RGBA")
        black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, coloured)
    return picture.convert("RGB")


def _is_coloured(picture: Image.Image) -> bool:
    channels = np.asarray(picture, dtype=np.uint8)
    spread = channels.max(axis=2) - channels.min(axis=2)
    return bool((spread > _COLOUR_TOLERANCE).mean() > _COLOUR_FRACTION)


def _from_16_bit(picture: Image.Image) -> tuple[NDArray[np.uint8], tuple[Problem, ...]]:
    values = np.array(picture).astype(np.uint16)
    largest = int(values.max())
    declared = _declared_maximum(picture)
    limit = declared if declared is not None and declared >= largest else largest
    bits = next(depth for depth in _BIT_DEPTHS if limit < 1 << depth)
    image = (values >> (bits - 8)).astype(np.uint8)
    note = Problem(
        "scaled_to_8_bit",
        f"The 16-bit values use {bits} bits and were divided by {1 << (bits - 8)} to 8 bits.",
        "Nothing to do; export with 8 bits if the device's own grey levels matter.",
        is_blocking=False,
    )
    return image, (note,)


def _declared_maximum(picture: Image.Image) -> int | None:
    tags: Any = getattr(picture, "tag_v2", {})
    value = tags.get(_TIFF_MAX_SAMPLE_VALUE)
    if isinstance(value, tuple):
        value = value[0] if value else None
    return int(value) if isinstance(value, int) and 0 < value < 1 << 16 else None
