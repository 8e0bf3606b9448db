"""Writes grey images as lossless JPEG (ITU-T T.81, process 14) for tests: no library that we have writes it.

Import as `from lossless_jpeg import lossless_jpeg`. One Huffman table whose 17 codes all have five bits.
"""

import struct

import numpy as np

CODE_BITS = 5
N_CATEGORIES = 17


def lossless_jpeg(image: np.ndarray, *, predictor: int = 1) -> bytes:
    """``image`` (height, width), uint8 or uint16; ``predictor`` 1 (left) or 7 (mean of left and above), table H.1."""
    height, width = image.shape
    precision = 8 * image.dtype.itemsize
    frame = struct.pack(">BHHBBBB", precision, height, width, 1, 1, 0x11, 0)
    table = bytes((0, *(N_CATEGORIES if bits == CODE_BITS else 0 for bits in range(1, 17)), *range(N_CATEGORIES)))
    scan = bytes((1, 1, 0, predictor, 0, 0))
    segments = ((0xC3, frame), (0xC4, table), (0xDA, scan))
    head = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return b"\xff\xd8" + head + _entropy_coded(image.astype(np.int64), precision, predictor) + b"\xff\xd9"


def _entropy_coded(image: np.ndarray, precision: int, predictor: int) -> bytes:
    differences = (image - _predicted(image, precision, predictor)).ravel()
    bits = "".join(_coded(int(each)) for each in (differences + 32768) % 65536 - 32768)
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")


def _predicted(image: np.ndarray, precision: int, predictor: int) -> np.ndarray:
    """H.1.2.1: the first row from the left, the first column from above, the first sample from half of the range."""
    left, above = np.roll(image, 1, axis=1), np.roll(image, 1, axis=0)
    predicted = left if predictor == 1 else (left + above) >> 1
    predicted[0], predicted[1:, 0] = left[0], above[1:, 0]
    predicted[0, 0] = 1 << (precision - 1)
    return predicted


def _coded(difference: int) -> str:
    """Category and then as many bits; of category 16 (32768) none follow."""
    category = abs(difference).bit_length()
    code = f"{category:0{CODE_BITS}b}"
    if category in (0, 16):
        return code
    value = difference if difference > 0 else difference + (1 << category) - 1
    return code + f"{value:0{category}b}"
