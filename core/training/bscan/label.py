"""What is known of a training B-scan: which classes it may show, which it does, and where the lesions lie.

A manifest.csv has the usual columns (core.training.supervised.manifest), and

- ``class``: one class; ``drusen+cnv`` where both are there; ``cnv|fluid`` where it is one of them, not known which
- ``mask``: the lesions, 0 outside and 255 inside, or one mask per class: ``mask_drusen``, ``mask_cnv`` and so on
- ``drawn_by``: who drew the masks; the model's card says so

A normal scan needs no mask. A lesion without one teaches the class alone: nothing is learned of where it is.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from core.errors import UsageError
from core.training.supervised.manifest import MANIFEST_NAME, read_records, read_table
from core.training.supervised.picture import Picture, faults_of_mask, read_grey_levels, read_mask, read_pictures
from core.training.supervised.record import NOT_STATED, Fault, Label, ManifestError, Record

NORMAL = "normal"
_ALL_OF, _ONE_OF = "+", "|"
_MASK_COLUMN = "mask_"


@dataclass(frozen=True, slots=True)
class BscanRecord(Record):
    """A row of the manifest with what it says of the scan."""

    classes: tuple[str, ...] = ()
    """The classes it names; all are there, or, where ``is_one_of``, one of them is."""
    is_one_of: bool = False
    mask_paths: tuple[tuple[str, Path], ...] = ()
    """Lesion's class (empty: all lesions together) and mask file."""
    drawn_by: str = ""
    """Who drew the masks; empty: not stated."""

    @property
    def is_mask_known(self) -> bool:
        """Whether it is known where the lesions lie: of a normal scan it is, for it has none."""
        return bool(self.mask_paths) or self.classes == (NORMAL,)


def read_bscans(
    folder: Path, *, licence: str = NOT_STATED, on_read: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Picture]:
    """The folder's B-scans, each picture's record a BscanRecord; ``on_read`` hears how many of how many are done.

    Raises
    ------
    UsageError
        There is no folder; ManifestError where the manifest or a file has faults: all of them are named.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise UsageError(
            f"{folder} has no {MANIFEST_NAME}.",
            remedy="Write one with the columns file, subject and class, and mask where there are lesions; "
            "octaudit phantom DIR --kind bscan writes an example in DIR/training.",
        )
    plain = read_records(folder, Label.MASK, complete=False)
    header, rows = read_table(folder / MANIFEST_NAME)
    if "class" not in header:
        fault = Fault(MANIFEST_NAME, "The column 'class' is missing.", f"Add it: {NORMAL}, or what the scan shows.")
        raise ManifestError(folder, [fault])
    faults: list[Fault] = []
    records = [
        _with_classes(folder, record, line, values, faults) for record, (line, values) in zip(plain, rows, strict=True)
    ]
    if faults:
        raise ManifestError(folder, faults)
    records = [replace(r, licence=licence) if r.licence == NOT_STATED else r for r in records]
    pictures = read_pictures(folder, records, on_read=lambda done: on_read(done, len(records)))
    faults = [fault for picture in pictures for fault in _faults_of_masks(picture)]
    if faults:
        raise ManifestError(folder, faults)
    return [replace(picture, mask_sha256=_label_sha256(picture)) for picture in pictures]


def record_of(picture: Picture) -> BscanRecord:
    """The picture's record, as ``read_bscans`` made it."""
    assert isinstance(picture.record, BscanRecord)
    return picture.record


def class_names(pictures: Sequence[Picture]) -> tuple[str, ...]:
    """Every class of the pictures, the normal one first, the others by name.

    Raises
    ------
    UsageError
        There is no normal scan, or nothing else: there would be nothing to tell apart.
    """
    found = {name for picture in pictures for name in record_of(picture).classes}
    lesions = sorted(found - {NORMAL})
    if NORMAL not in found or not lesions:
        raise UsageError(
            f"The classes are {', '.join(sorted(found)) or 'none'}: there must be {NORMAL} and at least one other.",
            remedy=f"Add scans of both, and write {NORMAL} in the class column of those without a lesion.",
        )
    return (NORMAL, *lesions)


def _with_classes(
    folder: Path, record: Record, line: int, values: Mapping[str, str], faults: list[Fault]
) -> BscanRecord:
    """The record with its classes and masks; what cannot be understood is added to ``faults``."""
    place = f"line {line} ({record.file})"
    text = values.get("class", "").casefold().strip()
    is_one_of = _ONE_OF in text
    classes = tuple(dict.fromkeys(part.strip() for part in text.split(_ONE_OF if is_one_of else _ALL_OF)))
    if not all(classes) or (is_one_of and _ALL_OF in text):
        remedy = f"Write {NORMAL}, a class, several joined by {_ALL_OF}, or the possible ones joined by {_ONE_OF}."
        faults.append(Fault(place, f"{values.get('class', '')!r} is no class.", remedy))
    elif NORMAL in classes and len(classes) > 1 and not is_one_of:
        faults.append(Fault(place, f"{text!r} is {NORMAL} and ill at once.", "Name what it shows."))
    masks = {"": record.mask_path} if record.mask_path is not None else {}
    for column, cell in values.items():
        if column.startswith(_MASK_COLUMN) and cell:
            masks[column.removeprefix(_MASK_COLUMN)] = folder / cell
    strange = sorted(name for name in masks if name and name not in classes)
    if strange:
        remedy = "Name the class in its row, or empty the mask's cell."
        faults.append(Fault(place, f"It has a mask of {', '.join(strange)}, which its class does not name.", remedy))
    plain = {field.name: getattr(record, field.name) for field in fields(Record)}
    return BscanRecord(
        **plain | {"mask_path": None, "stratum": text},
        classes=classes,
        is_one_of=is_one_of,
        mask_paths=tuple(masks.items()),
        drawn_by=values.get("drawn_by", "").strip(),
    )


def _faults_of_masks(picture: Picture) -> Iterator[Fault]:
    record = record_of(picture)
    size = read_grey_levels(record.path).shape if record.mask_paths else ()
    for _, path in record.mask_paths:
        yield from faults_of_mask(record, path, size, None)


def _label_sha256(picture: Picture) -> str:
    """Of everything that is learned beside the pixels."""
    record = record_of(picture)
    digest = hashlib.sha256(repr((record.classes, record.is_one_of)).encode())
    for name, path in record.mask_paths:
        digest.update(name.encode() + read_mask(path).tobytes())
    return digest.hexdigest()
