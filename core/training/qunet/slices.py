"""A folder of images of which some have a mask: read, checked, every fault named; the layout of annotation rounds.

Either a manifest.csv (file, subject; mask where one was drawn; optional source, acquisition, licence, split), or the
folders images/ and masks/ with the same file names, whose subjects are the part of the name before the last "_". A
mask is a label map: 0 is background, every other grey level a class of its own, the same in all masks.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UsageError
from core.training.supervised.manifest import MANIFEST_NAME, read_records
from core.training.supervised.picture import Picture, image_or_fault, pixel_sha256
from core.training.supervised.record import Fault, Label, ManifestError, Record
from core.training.thumbnails import thumbnail

IMAGES, MASKS = "images", "masks"
MAX_CLASSES = 24
"""More grey levels than this are smooth edges, not classes."""
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class SliceFolder:
    """The images of a folder, and the grey levels that stand for its classes."""

    pictures: tuple[Picture, ...]
    levels: tuple[int, ...]
    """Of the masks, ascending; 0 is background. Empty where nothing is annotated yet."""

    @property
    def annotated(self) -> list[Picture]:
        """Those with a mask."""
        return [picture for picture in self.pictures if picture.record.mask_path is not None]

    @property
    def n_classes(self) -> int:
        """Background and what the masks show; 2 where nothing is annotated."""
        return max(len(self.levels), 2)


def read_slices(folder: Path, on_read: Callable[[int, int], None] = lambda _done, _total: None) -> SliceFolder:
    """Read and check every image and mask. ``on_read`` takes how many were read, and of how many.

    Raises
    ------
    UsageError
        There is no folder or no image in it; ManifestError where files or masks have faults, all of which are named.
    """
    records = _records(folder)
    faults: list[Fault] = []
    pictures, levels = [], set[int]()
    for number, record in enumerate(records, start=1):
        picture = _read(record, faults, levels)
        if picture is not None:
            pictures.append(picture)
        on_read(number, len(records))
    if faults:
        raise ManifestError(folder, faults)
    if levels and len(levels) > MAX_CLASSES:
        raise UsageError(
            f"The masks of {folder} hold {len(levels)} different grey levels.",
            remedy=f"Use one level per class, at most {MAX_CLASSES}, and save as PNG without smooth edges.",
        )
    return SliceFolder(tuple(pictures), tuple(sorted(levels | {0})) if levels else ())


def read_labels(path: Path, levels: Sequence[int]) -> NDArray[np.uint8]:
    """Class indices (height, width) of a mask whose grey levels are ``levels``, ascending."""
    return np.searchsorted(np.asarray(levels), _grey_mask(path)).astype(np.uint8)


def _records(folder: Path) -> list[Record]:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", remedy="Give the folder of your images with --data.")
    if (folder / MANIFEST_NAME).is_file():
        return [replace(r, grade=None) for r in read_records(folder, Label.MASK, complete=False)]
    root = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    files = sorted(path for path in root.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(
            f"{folder} holds no images.",
            remedy=f"Put them below it with a {MANIFEST_NAME} (file, subject, mask), or into {IMAGES}/ and {MASKS}/.",
        )
    masks = folder / MASKS
    return [
        Record(
            file=path.relative_to(folder).as_posix(),
            path=path,
            subject=path.stem.rpartition("_")[0] or path.stem,
            mask_path=masks / path.name if (masks / path.name).is_file() else None,
            source=folder.name,
        )
        for path in files
    ]


def _read(record: Record, faults: list[Fault], levels: set[int]) -> Picture | None:
    image = image_or_fault(record, faults)
    if image is None:
        return None
    digest = ""
    if record.mask_path is not None:
        mask = _checked_mask(record, record.mask_path, image.shape, faults)
        if mask is None:
            return None
        levels.update(int(level) for level in np.unique(mask))
        digest = hashlib.sha256(mask.tobytes()).hexdigest()
    return Picture(record, pixel_sha256(image), thumbnail(image), digest)


def _checked_mask(record: Record, path: Path, size: tuple[int, ...], faults: list[Fault]) -> NDArray[np.uint8] | None:
    place = f"{record.file}, mask {path.name}"
    if not path.is_file():
        faults.append(Fault(place, "The mask is not there.", "Correct its name, or leave the cell empty."))
        return None
    try:
        mask = _grey_mask(path)
    except (OSError, SyntaxError, ValueError):
        faults.append(Fault(place, "The mask is no image that can be read.", "Export it again as PNG."))
        return None
    if mask.shape != size:
        sizes = f"{mask.shape[1]} x {mask.shape[0]} px, the image {size[1]} x {size[0]}"
        faults.append(Fault(place, f"The mask has {sizes}.", "Export the mask in the size of its image."))
        return None
    if len(np.unique(mask)) > MAX_CLASSES:
        words = f"The mask has {len(np.unique(mask))} grey levels, more than there can be classes."
        faults.append(Fault(place, words, "Save it as PNG, not JPEG, one level per class, without smooth edges."))
        return None
    return mask


def _grey_mask(path: Path) -> NDArray[np.uint8]:
    """The grey levels of a mask; of a palette picture its indices, which are the classes."""
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode == "P" else picture.convert("L"), dtype=np.uint8)
