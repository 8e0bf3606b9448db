"""The container of an 8-bit grey PNG (ISO/IEC 15948); filters and compression are the caller's. Knows no file."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _GREY = 8, 0


def grey_png(width_px: int, height_px: int, lines: bytes) -> bytes:
    """A PNG whose image data are ``lines``: a zlib stream of the lines, each led by the number of its filter."""
    header = struct.pack(">IIBBBBB", width_px, height_px, _BITS, _GREY, 0, 0, 0)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", lines), _chunk(b"IEND", b"")))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
