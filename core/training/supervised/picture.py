"""Reads every image of a manifest once: can it be read, does its mask fit, and what tells it from all others."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UnreadableScanError
from core.intake.readers.raster import read_raster
from core.training.supervised.record import Fault, ManifestError, Record
from core.training.thumbnails import thumbnail

MAX_MEGAPIXELS = 64.0
"""An en-face image has less than 5 megapixels; more is something else."""
LARGEST_FAZ_SHARE = 0.5
"""A mask that covers more of the image than this has its sense inverted: even a diabetic FAZ leaves most free."""
_N_MASK_VALUES = 2
MAX_VALUES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Picture:
    """A record whose files were read and found in order."""

    record: Record
    pixel_sha256: str
    """Of size and grey levels, not of the file: the same picture saved twice has the same."""
    thumbnail: NDArray[np.float32]
    """Grey levels (1024,), mean 0 and length 1: the product of two is their correlation."""
    mask_sha256: str = ""

    @property
    def key(self) -> str:
        """Everything that a training takes from this image, as one line."""
        label = self.mask_sha256 if self.record.grade is None else str(int(self.record.grade))
        return f"{self.record.file} {self.record.subject} {self.pixel_sha256} {label}"


def read_grey_levels(path: Path) -> NDArray[np.uint8]:
    """Grey levels (height, width) as intake would store them: what is trained on is what is later scored."""
    return read_raster(path, max_megapixels=MAX_MEGAPIXELS).image


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask (height, width) of a two-valued image file; the larger value is inside, a picture of zeros is empty."""
    return _grey_mask(path) > 0


def _grey_mask(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label map (height, width): the pixel values of a grey image, or the indices of one with a palette."""
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode == "P" else picture.convert("L"), np.uint8)


def read_pictures(
    folder: Path,
    records: Sequence[Record],
    *,
    on_read: Callable[[int], None] = lambda _: None,
    label_values: frozenset[int] | None = None,
) -> list[Picture]:
    """Read and check every file the records name; masks are label maps of ``label_values``, or FAZ masks where None.

    Raises
    ------
    ManifestError
        Files are missing, cannot be read or contradict each other; all of them are named.
    """
    faults: list[Fault] = []
    pictures: list[Picture] = []
    for number, record in enumerate(records, start=1):
        picture = _read(record, faults, label_values)
        if picture is not None:
            pictures.append(picture)
        on_read(number)
    faults.extend(_contradictions(pictures))
    if faults:
        raise ManifestError(folder, faults)
    return pictures


def image_or_fault(record: Record, faults: list[Fault]) -> NDArray[np.uint8] | None:
    """Grey levels (height, width) of a record's file; None where it cannot be read, and ``faults`` says why."""
    if not record.path.is_file():
        faults.append(Fault(record.file, "The file is not there.", _cure_of_missing(record)))
        return None
    try:
        return read_grey_levels(record.path)
    except UnreadableScanError as error:
        faults.append(Fault(record.file, error.message, error.remedy))
        return None


def _cure_of_missing(record: Record) -> str:
    """What to do about a file that is not there: what it may have been meant for is named."""
    if Path(record.file).is_absolute() or record.file[1:2] == ":":
        return "Write its name relative to the manifest, with the images below the manifest's folder."
    folder, stem = record.path.parent, record.path.stem.casefold()
    if not folder.is_dir():
        return f"There is no folder {folder.name!r} either: correct the name in the manifest, or add the files."
    alike = sorted(path.name for path in folder.iterdir() if path.stem.casefold() == stem)
    if alike:
        return f"There is {alike[0]!r}: capitals and the ending count. Correct the name in the manifest."
    return "Correct the name in the manifest, or add the file."


def _read(record: Record, faults: list[Fault], label_values: frozenset[int] | None) -> Picture | None:
    image = image_or_fault(record, faults)
    if image is None:
        return None
    mask_sha256 = ""
    if record.mask_path is not None:
        found = list(faults_of_mask(record, record.mask_path, image.shape, label_values))
        faults.extend(found)
        if found:
            return None
        levels = np.packbits(read_mask(record.mask_path)) if label_values is None else read_labels(record.mask_path)
        mask_sha256 = hashlib.sha256(levels.tobytes()).hexdigest()
    return Picture(record, pixel_sha256(image), thumbnail(image), mask_sha256)


def pixel_sha256(image: NDArray[np.uint8]) -> str:
    """Hex digest of size and grey levels (height, width)."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def faults_of_mask(
    record: Record, path: Path, size: tuple[int, ...], label_values: frozenset[int] | None
) -> Iterator[Fault]:
    """What is wrong with an image's mask: gone, unreadable, of another size, of other values."""
    place = f"{record.file}, mask {path.name}"
    if not path.is_file():
        cure = _cure_of_missing(replace(record, file=path.name, path=path))
        yield Fault(place, "The mask is not there.", cure)
        return
    try:
        values = _grey_mask(path) if label_values is None else read_labels(path)
    except (OSError, SyntaxError, ValueError):
        yield Fault(place, "The mask is no image that can be read.", "Export it again as PNG.")
        return
    if values.shape != size:
        yield Fault(
            place,
            f"The mask has {values.shape[1]} x {values.shape[0]} px, the image {size[1]} x {size[0]}.",
            "Export the mask in the size of its image.",
        )
    levels = np.unique(values)
    if label_values is not None:
        yield from _faults_of_labels(place, levels, label_values)
    elif len(levels) > _N_MASK_VALUES or levels[0] != 0:
        yield Fault(
            place,
            f"The mask has {len(levels)} grey levels from {levels[0]} to {levels[-1]}, not 0 and one other.",
            "Save it as PNG, not JPEG, with 0 outside and 255 inside, without smooth edges.",
        )
    elif (values > 0).mean() > LARGEST_FAZ_SHARE:
        yield Fault(place, "The mask covers more than half of the image.", "Invert it: 0 outside, 255 inside.")


def _faults_of_labels(place: str, levels: NDArray[np.uint8], allowed: frozenset[int]) -> Iterator[Fault]:
    strange = sorted({int(level) for level in levels} - allowed)
    if strange:
        yield Fault(
            place,
            f"The label map holds the values {', '.join(str(value) for value in strange[:MAX_VALUES_SHOWN])}.",
            f"Save it as PNG, not JPEG, with the values {', '.join(str(value) for value in sorted(allowed))} only.",
        )


def _contradictions(pictures: Sequence[Picture]) -> Iterator[Fault]:
    """Two files with the same pixels and different labels: one of them is wrong."""
    same: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        same[picture.pixel_sha256].append(picture)
    for group in same.values():
        first = group[0]
        for other in group[1:]:
            if other.record.grade != first.record.grade:
                grades = f"{_name(first.record.grade)} and {_name(other.record.grade)}"
                yield Fault(
                    f"{first.record.file} and {other.record.file}",
                    f"They show the same pixels but are graded {grades}.",
                    "Decide which grade holds, and keep one row.",
                )


def _name(grade: IntEnum | None) -> str:
    return "not" if grade is None else grade.name.lower()
