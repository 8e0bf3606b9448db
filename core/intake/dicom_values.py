"""Turns the stored values of a DICOM image into 8-bit grey, as a viewer would show them. Knows no files.

Where the object states a window it is applied, because that is the picture which the device shows; without one, values
of more than 8 bits lose their lowest bits and are never stretched. MONOCHROME1 is inverted, colour becomes luma.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from core.errors import UnreadableScanError
from core.intake.problems import Problem

PALETTE = "PALETTE COLOR"

_COLOUR_NOTE = Problem(
    "colour_image",
    "The image is in colour; only its brightness was kept.",
    "If the colours show depth, export the slab as a grey image instead.",
    is_blocking=False,
)
_WINDOW_NOTE = Problem(
    "window_applied",
    "The object states a window, and the image was brightened by it as a viewer would.",
    "Check that the image looks as it does on the device.",
    is_blocking=False,
)


def as_grey(values: NDArray[Any], header: Dataset) -> tuple[NDArray[np.uint8], tuple[Problem, ...]]:
    """One frame, (height, width) or RGB (height, width, 3), as uint8 (height, width), and what was done to it.

    Raises UnreadableScanError ``palette_missing`` where the values are numbers of a palette that is not there.
    """
    photometric = str(header.PhotometricInterpretation)
    if photometric == PALETTE:
        values = _with_palette(values, header)
    if values.ndim == 3:  # noqa: PLR2004 - height, width, channel
        eight_bit = (values >> 8 if values.dtype.itemsize > 1 else values).astype(np.uint8)
        return np.asarray(Image.fromarray(eight_bit, "RGB").convert("L"), dtype=np.uint8), (_COLOUR_NOTE,)
    image, notes = _in_eight_bits(values, header)
    return (~image if photometric == "MONOCHROME1" else image), notes


def _with_palette(values: NDArray[Any], header: Dataset) -> NDArray[Any]:
    if "RedPaletteColorLookupTableData" not in header:
        raise UnreadableScanError(
            "palette_missing",
            "The object's colours are numbers of a palette that is not in it.",
            remedy="Export the scan as a grey image.",
        )
    return apply_color_lut(values, header)


def _in_eight_bits(values: NDArray[Any], header: Dataset) -> tuple[NDArray[np.uint8], tuple[Problem, ...]]:
    """Grey values as the device shows them: through the stated window, else by their highest eight bits."""
    bits = int(header.BitsStored)
    offset = -(1 << (bits - 1)) if int(header.get("PixelRepresentation") or 0) else 0
    window = _window(header, lowest=offset, span=1 << bits)
    if window is not None:
        return _through(window, values, header), (_WINDOW_NOTE,)
    shifted = values.astype(np.int32) - offset
    if bits <= 8:  # noqa: PLR2004 - bits of a byte
        return (shifted << (8 - bits)).astype(np.uint8), ()
    note = Problem(
        "scaled_to_8_bit",
        f"The values use {bits} bits and were divided by {1 << (bits - 8)} to 8 bits.",
        "Nothing to do; export with 8 bits if the device's own grey levels matter.",
        is_blocking=False,
    )
    return (shifted >> (bits - 8)).astype(np.uint8), (note,)


def _window(header: Dataset, *, lowest: int, span: int) -> tuple[float, float] | None:
    """(centre, width) of the first window; None where there is none or it shows the whole range as it is."""
    try:
        centre, width = (float(np.atleast_1d(header.get(name))[0]) for name in ("WindowCenter", "WindowWidth"))
    except (TypeError, ValueError):
        return None
    if not np.isfinite([centre, width]).all() or width <= 1:
        return None
    is_whole = abs(width - span) <= 1 and abs(centre - (lowest + span / 2)) <= 1
    is_rescaled = float(header.get("RescaleSlope") or 1) != 1 or float(header.get("RescaleIntercept") or 0) != 0
    return None if is_whole and not is_rescaled else (centre, width)


def _through(window: tuple[float, float], values: NDArray[Any], header: Dataset) -> NDArray[np.uint8]:
    """The linear window of PS3.3, C.11.2.1.2.1, onto 0..255."""
    centre, width = window
    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    scaled = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    shown: NDArray[np.float32] = ((scaled - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)
