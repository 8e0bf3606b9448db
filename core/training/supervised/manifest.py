"""The manifest of a user's own training images: a CSV that a spreadsheet writes, every fault in it named with its cure.

One row per image. Columns (any order, any of the usual spellings of a header):

- ``file``: the image, relative to the folder; ``subject``: a code of the person, the same for both eyes and all visits
- ``grade`` (coips-quality): 0, 1, 2 or ungradable, gradable, outstanding; or ``mask`` (coips-faz): the mask's file
- optional: ``eye``, ``slab``, ``field_mm``, ``acquisition``, ``source``, ``licence``, and ``split``: train, validation
  or test
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

from core.errors import UsageError
from core.intake.manifest_csv import table_rows
from core.training.folder import LabelledImage, read_folder
from core.training.supervised.record import NOT_STATED, Fault, Label, ManifestError, Part, Record
from core.vocabulary import CoipsGrade, Laterality, Slab

MANIFEST_NAME = "manifest.csv"

T = TypeVar("T")

_ALIASES = {
    "filename": "file", "file_name": "file", "image": "file", "subject_id": "subject", "patient": "subject",
    "patient_id": "subject", "laterality": "eye", "mask_file": "mask", "quality": "grade", "label": "grade",
    "part": "split", "set": "split", "license": "licence", "field_of_view_mm": "field_mm", "fov_mm": "field_mm",
    "device": "source", "site": "source", "acquisition_id": "acquisition",
}  # fmt: skip
_GRADES = {str(int(grade)): grade for grade in CoipsGrade} | {grade.name.lower(): grade for grade in CoipsGrade}
_EYES = {"od": Laterality.OD, "r": Laterality.OD, "right": Laterality.OD,
         "os": Laterality.OS, "l": Laterality.OS, "left": Laterality.OS}  # fmt: skip
_SLABS = {slab.value: slab for slab in Slab}
_SPREADSHEET_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#NV", "#BEZUG!", "#WERT!")
_BEYOND = " beyond"
"""Under which name a row keeps what lies beyond the last column; no header can be written so."""
_SMALLEST_FIELD_MM, _LARGEST_FIELD_MM = 0.5, 30.0


_PARTS = {part.value: part for part in Part} | {
    "training": Part.TRAIN, "val": Part.VALIDATION, "valid": Part.VALIDATION, "tune": Part.VALIDATION,
    "testing": Part.TEST, "held-out": Part.TEST, "held_out": Part.TEST,
}  # fmt: skip


def read_records(
    folder: Path, label: Label, *, complete: bool = True, grades: Mapping[str, IntEnum] = _GRADES
) -> list[Record]:
    """Every image of the folder that has the label, in the manifest's order; with ``complete`` off also those without.

    A folder without a manifest may be laid out as for octa-enface (core.training.folder): its FAZ sets or its grades
    are taken. ``grades`` says what the words of the grade column mean.

    Raises
    ------
    UsageError
        There is no folder or nothing in it; ManifestError where its manifest has faults.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", remedy="Give the folder of your images with --data.")
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return _from_sets(folder, label)
    header, rows = read_table(path)
    needed = ("file", "subject", label.value) if complete else ("file", "subject")
    missing = [Fault(path.name, *_missing(name, header)) for name in needed if name not in header]
    if missing:
        raise ManifestError(folder, missing)
    faults = [fault for line, values in rows for fault in _faults_of_cells(line, values)]
    read = [_record(folder, line, values, faults, grades) for line, values in rows]
    records = _with_grades_of_acquisition(read) if label is Label.GRADE else read
    faults.extend(_faults_of_table(records, rows, label if complete else None))
    if not rows:
        faults.append(Fault(path.name, "It has a header but no rows.", "Add one row per image."))
    if faults:
        raise ManifestError(folder, faults)
    return records


_MISSING_COLUMN = {
    "file": "Add it: the image's name, relative to the manifest.",
    "subject": "Add it: a code of the person (never a name), so that no person is both trained and tested on.",
    "grade": "Add it: 0 ungradable, 1 gradable, 2 outstanding.",
    "mask": "Add it: the file of the FAZ mask (0 outside, 255 inside), relative to the manifest.",
}


def _missing(name: str, header: Sequence[str]) -> tuple[str, str]:
    """That a column is missing, the columns that are there, and the cure."""
    found = ", ".join(repr(each) for each in header if each) or "none with a name"
    return f"The column {name!r} is missing; there are {found}.", _MISSING_COLUMN[name]


def _faults_of_cells(line: int, values: Mapping[str, str]) -> Iterator[Fault]:
    """What a spreadsheet leaves in a row that nobody wrote: its own errors, and values beyond the last column."""
    place = f"line {line}" + (f" ({values['file']})" if values.get("file") else "")
    for name, cell in values.items():
        if cell.upper().startswith(_SPREADSHEET_ERRORS):
            yield Fault(place, f"{name!r} holds the spreadsheet's error {cell!r}.", "Correct the formula behind it.")
    if values.get(_BEYOND):
        yield Fault(
            place,
            f"It has more values than the header has columns: {values[_BEYOND]!r} is left over.",
            "A decimal comma in a file whose cells are parted by commas? Write 3.0, or save with semicolons.",
        )


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Header and rows with their line numbers, by the columns' usual names; ManifestError where it is no table."""
    data = path.read_bytes()
    if data.startswith(b"PK"):
        raise ManifestError(
            path.parent, [Fault(path.name, "It is a workbook.", "In Excel: Save as, CSV UTF-8 (comma delimited).")]
        )
    try:
        lines = table_rows(data)
    except csv.Error as error:
        fault = Fault(path.name, f"It is no valid CSV: {error}.", "Check its quotation marks.")
        raise ManifestError(path.parent, [fault]) from error
    if not lines:
        raise ManifestError(path.parent, [Fault(path.name, "It is empty.", "Write one row per image, a header first.")])
    written = lines[0][1]
    if len(written) == 1 and any(separator in written[0] for separator in ",;\t"):
        fault = Fault(
            path.name,
            f"Every line is a single cell: {written[0]!r}.",
            "Give each value a cell of its own and save as CSV again; no quotation marks around a whole line.",
        )
        raise ManifestError(path.parent, [fault])
    header = [_column(cell) for cell in written]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise ManifestError(path.parent, [Fault(path.name, *_twice(name, header, written)) for name in twice])
    return header, [(line, _by_name(header, cells)) for line, cells in lines[1:]]


def _by_name(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """A row's cells by their columns; what lies beyond the last column joined under a name of its own."""
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    beyond = ", ".join(filter(None, (cell.strip() for cell in cells[len(header) :])))
    return values | ({_BEYOND: beyond} if beyond else {})


def _twice(name: str, header: Sequence[str], written: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a column that is there more than once, perhaps under several names, and the cure."""
    cells = [cell.strip() for cell, known in zip(written, header, strict=True) if known == name]
    if len(set(cells)) == 1:
        return f"The column {cells[0]!r} stands twice.", "Remove one."
    return f"The columns {' and '.join(map(repr, cells))} both mean {name!r}.", "Rename or remove all but one."


def _column(cell: str) -> str:
    name = "_".join(cell.strip().lower().replace("(", " ").replace(")", " ").replace("-", " ").split())
    return _ALIASES.get(name, name)


def _record(
    folder: Path, line: int, values: dict[str, str], faults: list[Fault], grades: Mapping[str, IntEnum]
) -> Record:
    """The row as far as it can be understood; what cannot be is added to ``faults``."""
    place = f"line {line}" + (f" ({values['file']})" if values.get("file") else "")

    def fault(message: str, remedy: str) -> None:
        faults.append(Fault(place, message, remedy))

    subject = values.get("subject", "")
    file, mask = (_posix(folder, values.get(column, "")) for column in ("file", "mask"))
    if not file:
        fault("It names no file.", "Enter the image's name.")
    if not subject:
        fault("It names no subject.", "Enter the person's code, the same for both eyes and all visits.")
    return Record(
        file=file,
        path=folder / file,
        subject=subject,
        grade=_choice(values, "grade", grades, f"Write one of {', '.join(grades)}.", fault),
        mask_path=folder / mask if mask else None,
        eye=_choice(values, "eye", _EYES, "Write OD or OS, or leave it empty.", fault),
        slab=_choice(values, "slab", _SLABS, f"Write one of {', '.join(_SLABS)}.", fault) or Slab.UNKNOWN,
        field_mm=_field_mm(values.get("field_mm", ""), fault),
        acquisition=values.get("acquisition", ""),
        source=values.get("source", ""),
        licence=values.get("licence", "") or NOT_STATED,
        split=_choice(values, "split", _PARTS, "Write train, validation or test.", fault),
    )


def _posix(folder: Path, written: str) -> str:
    """A file's name with slashes where a spreadsheet of Windows has backslashes."""
    return written if "\\" not in written or (folder / written).is_file() else written.replace("\\", "/")


def _choice(
    values: Mapping[str, str], column: str, allowed: Mapping[str, T], remedy: str, fault: Callable[[str, str], None]
) -> T | None:
    """What the cell stands for; None where it is empty or, with a fault, where it stands for nothing."""
    text = values.get(column, "").casefold().replace("_", "-").replace(" ", "-")
    text = text.removesuffix(".0")  # a spreadsheet's whole number
    if text and text not in allowed:
        fault(f"{values[column]!r} is no {column}.", remedy)
    return allowed.get(text)


def _field_mm(text: str, fault: Callable[[str, str], None]) -> float | None:
    if not text:
        return None
    try:
        value = float(text.lower().removesuffix("mm").strip().replace(",", "."))
    except ValueError:
        value = math.nan
    if not _SMALLEST_FIELD_MM <= value <= _LARGEST_FIELD_MM:
        fault(
            f"{text!r} is no field width.", "Write the width of the scanned field in mm, 0.5 to 30, or leave it empty."
        )
        return None
    return value


def _with_grades_of_acquisition(records: Sequence[Record]) -> list[Record]:
    """Superficial and deep image of one acquisition share the grade, as in the paper (section 2.3)."""
    known = {(r.subject, r.acquisition): r.grade for r in records if r.acquisition and r.grade is not None}
    return [
        replace(record, grade=known.get((record.subject, record.acquisition))) if record.grade is None else record
        for record in records
    ]


def _faults_of_table(
    records: Sequence[Record], rows: Sequence[tuple[int, dict[str, str]]], label: Label | None
) -> Iterator[Fault]:
    """What only shows when rows are seen together, and labels that are missing (``label`` None: none has to be)."""
    first_line: dict[str, int] = {}
    n_split = sum(bool(values.get("split")) for _, values in rows)
    for record, (line, values) in zip(records, rows, strict=True):
        place = f"line {line} ({record.file})"
        if record.file and record.file in first_line:
            yield Fault(place, f"Line {first_line[record.file]} names the same file.", "Keep one row per image.")
        first_line.setdefault(record.file, line)
        if label is Label.GRADE and record.grade is None and not values.get("grade"):
            yield Fault(place, "It has no grade.", "Write 0, 1 or 2, or remove the row.")
        if label is Label.MASK and record.mask_path is None:
            yield Fault(place, "It names no mask.", "Write the mask's file, or remove the row.")
        if 0 < n_split < len(rows) and not values.get("split"):
            yield Fault(place, "It names no split, but other rows do.", "Fill in every row, or leave the column empty.")


def _from_sets(folder: Path, label: Label) -> list[Record]:
    """The labelled sets of a folder laid out for octa-enface."""
    try:
        images = read_folder(folder)
    except UsageError as error:
        raise UsageError(
            f"{folder} has no {MANIFEST_NAME}, and is no folder of octa-enface sets either: {error.message}",
            remedy=f"Write {MANIFEST_NAME} with the columns file, subject and {label.value}; see docs/training.md.",
        ) from error
    labelled = [i for i in images if (i.grade if label is Label.GRADE else i.faz_path) is not None]
    if not labelled:
        raise UsageError(f"No image in {folder} has a {label.value}.", remedy="See docs/training.md for the layout.")
    return [_from_image(folder, image) for image in labelled]


def _from_image(folder: Path, image: LabelledImage) -> Record:
    slab = next((slab for slab in Slab if slab.value == image.slab), Slab.UNKNOWN)
    return Record(
        file=image.path.relative_to(folder).as_posix(),
        path=image.path,
        subject=image.subject,
        grade=image.grade,
        mask_path=image.faz_path,
        slab=slab,
        field_mm=image.field_mm,
        source=image.source,
    )
