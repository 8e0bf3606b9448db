"""The calendar of visits as CSV: which visits are planned when, which moved, which were called off. Reads no database.

A row that cannot be read is a problem with its line; the other rows are taken.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, create_model
from pydantic_core import PydanticCustomError

from core.intake.manifest import Entry
from core.intake.manifest_csv import MAX_MANIFEST_BYTES, table_rows
from core.intake.problems import Problem

CALENDAR_COLUMNS = ("site", "subject", "visit", "planned_on", "window_ends_on", "called_off")
_NEEDED = CALENDAR_COLUMNS[:4]
MAX_PLANNED_VISITS = 5_000
"""In one file: some hundred subjects of a study. Each visit is a row, its expected scans and an audit event."""
MAX_REASON_LENGTH = 200
_ALIASES = {"planned": "planned_on", "date": "planned_on", "window": "window_ends_on", "reason": "called_off"}


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row that could be read. ``called_off`` is the reason; empty: the visit takes place.

    ``window_ends_on`` is None where the protocol's window counts from the planned day; ``line`` is None of a visit that
    a whole calendar does not name.
    """

    line: int | None
    site: str
    subject: str
    visit: str
    planned_on: date
    window_ends_on: date | None
    called_off: str


@dataclass(frozen=True, slots=True)
class CalendarTable:
    """What a calendar holds, in its order."""

    rows: tuple[PlannedRow, ...]
    problems: tuple[Problem, ...]


def calendar_template() -> str:
    """The CSV template: the header, a visit that takes place and one that does not."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(CALENDAR_COLUMNS)
    writer.writerow(["S1", "S1-0042", "V2", "2026-03-14", "", ""])
    writer.writerow(["S1", "S1-0043", "V2", "2026-03-15", "2026-04-15", "Subject withdrew"])
    return buffer.getvalue()


def read_calendar(data: bytes) -> CalendarTable:
    """Read a calendar CSV as spreadsheets write it (encodings and delimiters as in the manifest)."""
    if len(data) > MAX_MANIFEST_BYTES or (b"\x00" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return _refused(
            "calendar_no_table",
            "The calendar is no text of up to 5 MB.",
            "Save the table as CSV (in Excel: Save as, CSV UTF-8), not as a workbook.",
        )
    try:
        lines = table_rows(data)
    except (csv.Error, UnicodeError):
        return _refused("calendar_broken", "The calendar is no valid CSV.", "Start from the template.")
    if not lines:
        return _refused("calendar_empty", "The calendar is empty.", "Fill in the template, one row per visit.")
    header = [_column_name(cell) for cell in lines[0][1]]
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        return _refused(
            "calendar_column_missing",
            f"The calendar's first row lacks: {', '.join(missing)}.",
            f"Start from the template. Columns: {', '.join(CALENDAR_COLUMNS)}.",
        )
    if len(lines) - 1 > MAX_PLANNED_VISITS:
        return _refused(
            "calendar_too_long",
            f"The calendar has {len(lines) - 1} rows; at most {MAX_PLANNED_VISITS} are read at once.",
            "Import it in parts.",
        )
    return _table(header, lines[1:])


def check_rows(rows: list[dict[str, Any]]) -> CalendarTable:
    """The same checks for rows that came as JSON; ``line`` counts them from 1."""
    return _checked([(line, row) for line, row in enumerate(rows, start=1)])


def _refused(code: str, message: str, remedy: str) -> CalendarTable:
    return CalendarTable((), (Problem(code, message, remedy),))


def _column_name(cell: str) -> str:
    name = "_".join(cell.strip().lower().replace("-", " ").split())
    return _ALIASES.get(name, name)


def _table(header: list[str], lines: list[tuple[int, list[str]]]) -> CalendarTable:
    unknown = sorted({name for name in header if name and name not in CALENDAR_COLUMNS})
    table = _checked([(line, dict(zip(header, cells, strict=False))) for line, cells in lines])
    if not unknown:
        return table
    note = Problem(
        "calendar_unknown_column",
        f"Not known, not read and not stored: {', '.join(unknown)}.",
        "Do not send columns that name people; else nothing to do.",
        is_blocking=False,
    )
    return CalendarTable(table.rows, (note, *table.problems))


def _checked(lines: list[tuple[int, dict[str, Any]]]) -> CalendarTable:
    rows: list[PlannedRow] = []
    problems: list[Problem] = []
    first_lines: dict[tuple[str, str, str], int] = {}
    for line, values in lines:
        try:
            entry: Any = _ENTRY.model_validate(values)
        except ValidationError as error:
            problems.extend(_problems(line, error))
            continue
        key = (entry.site, entry.subject, entry.visit)
        if key in first_lines:
            problems.append(
                Problem(
                    "calendar_visit_twice",
                    f"Lines {first_lines[key]} and {line} plan the same visit; the first one counts.",
                    "Keep one row per visit.",
                )
            )
            continue
        first_lines[key] = line
        rows.append(PlannedRow(line, *key, entry.planned_on, entry.window_ends_on, entry.called_off))
    return CalendarTable(tuple(rows), tuple(problems))


def _problems(line: int, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors():
        context = fault.get("ctx", {})
        field = str(fault["loc"][0]) if fault["loc"] else None
        yield Problem(fault["type"], f"Line {line}: {fault['msg']}", str(context.get("remedy", "")), field)


def _day(value: Any, info: ValidationInfo) -> date | None:
    text = str("" if value is None else value).strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError(
            "date_invalid",
            "{message}",
            {
                "message": f"{info.field_name} holds {text!r}, which cannot be read as a day without guessing.",
                "remedy": "Write year-month-day, e.g. 2026-03-14.",
            },
        ) from None


def _planned_day(value: Any, info: ValidationInfo) -> date:
    day = _day(value, info)
    if day is None:
        raise PydanticCustomError(
            "missing", "{message}",
            {"message": "planned_on is empty.", "remedy": "Enter the planned day, e.g. 2026-03-14."},
        )  # fmt: skip
    return day


def _window_end(value: Any, info: ValidationInfo) -> date | None:
    day, planned_on = _day(value, info), info.data.get("planned_on")
    if day is not None and planned_on is not None and day < planned_on:
        raise PydanticCustomError(
            "window_before_visit",
            "{message}",
            {
                "message": f"The window ends on {day}, before the planned day {planned_on}.",
                "remedy": "Correct one of them, or leave the window to the protocol.",
            },
        )
    return day


def _reason(value: Any) -> str:
    """Without NUL, which PostgreSQL does not store."""
    return str("" if value is None else value).replace("\x00", "").strip()[:MAX_REASON_LENGTH]


class _Days(BaseModel):
    """What a row says beside its codes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    planned_on: Annotated[date, BeforeValidator(_planned_day)]
    window_ends_on: Annotated[date | None, BeforeValidator(_window_end)] = None
    called_off: Annotated[str, BeforeValidator(_reason)] = ""


_CODES: dict[str, Any] = {
    name: (Entry.model_fields[name].annotation, Entry.model_fields[name]) for name in ("site", "subject", "visit")
}
_ENTRY: type[BaseModel] = create_model("CalendarEntry", __base__=_Days, **_CODES)
"""A row's codes are checked as the manifest checks them."""
