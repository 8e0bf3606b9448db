"""The manifest as CSV: the template that people fill in, and a reader that takes what spreadsheets make of it."""

import csv
import io
from dataclasses import dataclass

from core.intake.manifest import COLUMN_LABELS, COLUMNS, OPTIONAL_COLUMNS, Entry
from core.intake.problems import Problem

MAX_MANIFEST_BYTES = 5_000_000
"""A manifest of 2000 rows has about 0.4 MB; a larger file is something else."""

_ALIASES = {
    "filename": "file", "file_name": "file", "laterality": "eye", "subject_id": "subject", "patient": "subject",
    "visit_id": "visit", "acquired": "acquired_at", "acquisition_time": "acquired_at", "width_mm": "field_width_mm",
    "height_mm": "field_height_mm", "software": "software_version", "operator": "technician", "age": "age_years",
    "device_id": "device", "acquisition_id": "acquisition",
}  # fmt: skip
_IDENTIFYING = ("name", "birth", "dob", "mrn", "chart", "address", "phone", "email", "insurance")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row as written: ``line`` counts from 1 as an editor does; ``values`` maps column to text."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class ManifestTable:
    """What a manifest file holds. With a blocking problem there are no rows."""

    rows: tuple[ManifestRow, ...]
    problems: tuple[Problem, ...]


def manifest_template() -> str:
    """The CSV template: the header and one example row."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerow([(Entry.model_fields[name].examples or [""])[0] for name in COLUMNS])
    return buffer.getvalue()


def read_manifest(data: bytes) -> ManifestTable:
    """Read a manifest CSV: UTF-8 or UTF-16 with or without byte order mark, or Windows-1252; ``,`` ``;`` or tab."""
    if len(data) > MAX_MANIFEST_BYTES:
        return _refused("manifest_too_large", "The manifest is larger than 5 MB.", "Upload a CSV of the table only.")
    if b"\x00" in data and not data.startswith(_UTF_16_MARKS):
        return _refused(
            "manifest_not_text",
            "The manifest is no text file.",
            "Save the table as CSV (in Excel: Save as, CSV UTF-8), not as a workbook.",
        )
    try:
        lines = table_rows(data)
    except csv.Error:
        return _refused(
            "manifest_broken", "The manifest is no valid CSV.", "Check its quotation marks, or start from the template."
        )
    if not lines:
        return _refused("manifest_empty", "The manifest is empty.", "Fill in the template, one row per file.")
    return _table(lines)


def _refused(code: str, message: str, remedy: str) -> ManifestTable:
    return ManifestTable((), (Problem(code, message, remedy),))


def _decoded(data: bytes) -> str:
    if data.startswith(_UTF_16_MARKS):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def table_rows(data: bytes) -> list[tuple[int, list[str]]]:
    """Line number and cells of every row that is not empty, whatever encoding and delimiter the spreadsheet chose.

    Raises csv.Error where the quotation marks make no table.
    """
    text = _decoded(data)
    first_line = text.split("\n", 1)[0]
    if first_line.lower().startswith("sep="):  # Excel's own way of naming the delimiter
        text = text.split("\n", 1)[1] if "\n" in text else ""
        first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]


def _table(lines: list[tuple[int, list[str]]]) -> ManifestTable:
    header = [_column_name(cell) for cell in lines[0][1]]
    problems = _header_problems(header)
    if any(problem.is_blocking for problem in problems):
        return ManifestTable((), problems)
    rows = tuple(
        ManifestRow(
            line,
            {
                name: cell.strip()
                for name, cell in zip(header, cells, strict=False)
                if name in COLUMNS and cell.strip() != ""
            },
        )
        for line, cells in lines[1:]
    )
    return ManifestTable(rows, problems + _row_problems(rows))


def _plain(heading: str) -> str:
    return "_".join(heading.strip().lower().replace("(", " ").replace(")", " ").replace("-", " ").split())


def _column_name(cell: str) -> str:
    """The column that a heading means: its own name, what the upload page calls it, or what others call it."""
    labels = {_plain(label): name for name, label in COLUMN_LABELS.items()}
    name = _plain(cell)
    return name if name in COLUMNS else (_ALIASES | labels).get(name, name)


def _header_problems(header: list[str]) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    if "file" not in header:
        known = ", ".join(name for name in COLUMNS if name not in OPTIONAL_COLUMNS)
        problems.append(
            Problem(
                "manifest_no_file_column",
                "The manifest's first row has no column 'file'.",
                f"Start from the template. Columns: {known}.",
            )
        )
    problems.extend(
        Problem("manifest_column_twice", f"The column {name!r} stands twice in the header.", "Remove one of them.")
        for name in sorted({name for name in header if name in COLUMNS and header.count(name) > 1})
    )
    for name in header:
        if name in COLUMNS or not name:
            continue
        is_identifying = any(word in name for word in _IDENTIFYING)
        problems.append(
            Problem(
                "manifest_identifying_column" if is_identifying else "manifest_unknown_column",
                f"The column {name!r} is not known; it was not read and is not stored.",
                "Do not send identifying columns: remove it before the next upload."
                if is_identifying
                else "Nothing to do if it was meant for other readers; else compare it with the template.",
                is_blocking=False,
            )
        )
    return tuple(problems)


def _row_problems(rows: tuple[ManifestRow, ...]) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    first_lines: dict[str, int] = {}
    for row in rows:
        name = row.values.get("file", "")
        if not name:
            problems.append(
                Problem(
                    "manifest_row_without_file", f"Line {row.line} names no file.", "Enter the file's name.", "file"
                )
            )
        elif name.casefold() in first_lines:
            first = first_lines[name.casefold()]
            problems.append(
                Problem(
                    "manifest_file_twice",
                    f"Lines {first} and {row.line} describe the same file; the first one counts.",
                    "Keep one row per file.",
                    "file",
                )
            )
        else:
            first_lines[name.casefold()] = row.line
    return tuple(problems)
