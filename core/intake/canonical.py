"""The one form in which a scan's image is stored: an 8-bit grey PNG whose bytes depend on the pixels alone.

Blobs are named by their hash and duplicates are found by it, so the same pixels must give the same bytes on every
machine and with every release of every library. Deflate does not promise that (zlib and zlib-ng differ), so the
image data are *stored* blocks. OCTA speckle hardly compresses: the cost is about a quarter of the disk, and reading
becomes faster.
"""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UnreadableScanError
from core.png import grey_png

MEDIA_TYPE = "image/png"
"""Media type of the stored form."""

_STORED_BLOCK_BYTES = 0xFFFF
"""Longest stored block of a deflate stream (RFC 1951, section 3.2.4)."""


def encode_image(image: NDArray[np.uint8]) -> bytes:
    """The canonical PNG of ``image``, uint8 (height, width): no metadata, no compression, no choice of filter."""
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:  # noqa: PLR2004 - height, width
        raise ValueError(f"Expected a non-empty uint8 array (height, width), got {image.dtype} {image.shape}.")
    height, width = image.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row starts with its filter type, 0: none
    rows[:, 1:] = image
    return grey_png(width, height, _zlib_stored(rows.tobytes()))


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a canonical PNG, uint8 (height, width); UnreadableScanError where it is something else."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            image = np.asarray(picture, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableScanError(
            "damaged_blob", "The stored image cannot be read.", remedy="Restore the blobs from the last backup."
        ) from error
    if image.ndim != 2:  # noqa: PLR2004 - height, width
        raise UnreadableScanError(
            "not_canonical",
            f"The stored image is no grey image: its shape is {image.shape}.",
            remedy="Take it in again.",
        )
    return image


def _zlib_stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) of stored blocks."""
    parts = [b"\x78\x01"]
    for start in range(0, len(data), _STORED_BLOCK_BYTES):
        block = data[start : start + _STORED_BLOCK_BYTES]
        is_last = start + _STORED_BLOCK_BYTES >= len(data)
        parts.append(struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF))
        parts.append(block)
    parts.append(struct.pack(">I", zlib.adler32(data)))
    return b"".join(parts)
