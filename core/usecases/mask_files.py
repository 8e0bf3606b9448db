"""Masks as people send them: the PNGs of a ZIP one by one, or a single one, each readable and of its image's size."""

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from core.errors import UnreadableScanError
from core.intake.archive import ArchiveLimits, unpack
from core.intake.canonical import MEDIA_TYPE
from core.intake.problems import Problem
from core.storage import BlobStore
from core.store.assessment import NewBlob, add_blobs

MAX_MASK_BYTES = 32_000_000
_LIMITS = ArchiveLimits(max_entries=1_000, max_file_bytes=MAX_MASK_BYTES, max_total_bytes=1_000_000_000)


def png_members(path: Path, name: str) -> Iterator[tuple[str, bytes | Problem]]:
    """Name and bytes of every file that may be a mask; images of the export that came back with it are passed over."""
    if not zipfile.is_zipfile(path):
        yield name, path.read_bytes()
        return
    with tempfile.TemporaryDirectory(prefix="octaudit-masks-") as folder:
        try:
            for member in unpack(path, Path(folder), _LIMITS):
                place = PurePosixPath(member.name)
                if place.suffix.lower() != ".png" or "images" in place.parts[:-1]:
                    continue
                if member.path is None:
                    yield member.name, member.problem or Problem("damaged_zip", "It cannot be read.", "Pack it again.")
                    continue
                yield member.name, member.path.read_bytes()
                member.path.unlink()
        except UnreadableScanError as error:
            yield name, Problem.of(error)


def base_name(name: str) -> str:
    """The last part of a file's name, whatever separates its folders."""
    return PurePosixPath(name.replace("\\", "/")).name


def read_mask(data: bytes, size_px: tuple[int, int]) -> NDArray[np.uint8] | Problem:
    """The grey levels (height, width) of a PNG of that size (width, height), or what is wrong with it."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != size_px:
                return Problem(
                    "mask_size",
                    f"It has {picture.width} x {picture.height} px, the image {size_px[0]} x {size_px[1]}.",
                    "Export the mask in the size of its image.",
                )
            return np.asarray(picture if picture.mode == "P" else picture.convert("L"), np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Problem("unreadable_mask", "It is no PNG that can be read.", "Export it again as PNG.")


def put_mask_blob(session: Session, blobs: BlobStore, mask: NDArray[np.uint8]) -> str:
    """Store a mask and return its hash. Pixels alone are kept: whatever else the file held is gone."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", optimize=True)
    data = buffer.getvalue()
    sha256 = blobs.put(data)
    add_blobs(session, [NewBlob(sha256, len(data), MEDIA_TYPE)])
    return sha256
