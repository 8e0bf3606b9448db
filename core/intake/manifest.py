"""The manifest: one row per file that says what the pixels cannot. Columns, their checks, and the CSV reader.

A row travels as text, just as it was filled in, until it is checked; so a half-filled table can be stored, shown
again and corrected. The columns are the fields of ``Entry`` and nothing else names them.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from core.intake.problems import Problem
from core.vocabulary import Laterality, ScanKind, Slab

EARLIEST_CAPTURE = date(1996, 1, 1)
"""Before the first commercial OCT device (Humphrey OCT, 1996) nothing can have been captured."""
ZONE_ALLOWANCE = timedelta(hours=14)
"""A moment without time zone is read as UTC; local clocks run up to 14 hours ahead of it."""
CLOCK_ALLOWANCE = timedelta(minutes=10)
"""How far a device's clock may run ahead when the moment carries its time zone."""
UNKNOWN = "unknown"
"""What to write where the field of view is not known: the scan is graded, but gets no value in millimetres."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]{0,63}")
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EYES = {
    "od": Laterality.OD, "r": Laterality.OD, "right": Laterality.OD, "re": Laterality.OD,
    "os": Laterality.OS, "l": Laterality.OS, "left": Laterality.OS, "le": Laterality.OS,
}  # fmt: skip
_BOTH_EYES = frozenset({"ou", "both", "b"})


def _fail(code: str, message: str, remedy: str) -> PydanticCustomError:
    # PydanticCustomError formats its template; a person's input may hold braces and must not be a template.
    return PydanticCustomError(code, "{message}", {"message": message, "remedy": remedy})


def _label(info: ValidationInfo) -> str:
    """The column's heading as a person reads it, in quotation marks."""
    return quoted(str(info.field_name))


def _required(value: Any, info: ValidationInfo) -> str:
    text = str(value or "").strip()
    if not text:
        column = Entry.model_fields[str(info.field_name)]
        raise _fail("missing", f"{_label(info)} is empty.", f"Enter {column.description}")
    return text


def _code(value: Any, info: ValidationInfo) -> str:
    text = _required(value, info)
    if not _CODE.fullmatch(text):
        raise _fail(
            "invalid_code",
            f"{_label(info)} holds {text!r}, which is no code.",
            "Use at most 64 letters, digits, spaces and . _ - / +, starting with a letter or digit.",
        )
    return text


def _subject(value: Any, info: ValidationInfo) -> str:
    text = _required(value, info)
    if not _SUBJECT.fullmatch(text):
        raise _fail(
            "not_a_pseudonym",
            "The subject is no pseudonym: it holds a space, a comma or other characters that codes do not have.",
            "Enter the study's subject number, e.g. S01-0042; never a name, birth date or chart number.",
        )
    return text


def _eye(value: Any) -> Laterality:
    text = str(value or "").strip().lower()
    if text in _EYES:
        return _EYES[text]
    if text in _BOTH_EYES:
        raise _fail(
            "eye_both", "OU is no scan's eye: a scan shows one eye.", "Enter OD for the right or OS for the left eye."
        )
    if not text:
        raise _fail("eye_missing", "The eye is missing.", "Enter OD for the right or OS for the left eye.")
    raise _fail("eye_invalid", f"{str(value)!r} is no eye.", "Enter OD (also R, right) or OS (also L, left).")


def _kind(value: Any, info: ValidationInfo) -> ScanKind:
    text = _required(value, info).lower().replace("_", "-")
    try:
        return ScanKind(text)
    except ValueError:
        known = ", ".join(ScanKind)
        raise _fail("kind_invalid", f"{str(value)!r} is no kind of scan.", f"Enter one of {known}.") from None


def _slab(value: Any) -> Slab | None:
    text = re.sub(r"[\s_]+", "-", str(value or "").strip().lower())
    if not text:
        return None
    try:
        return Slab(text)
    except ValueError:
        raise _fail("slab_invalid", f"{str(value)!r} is no slab.", f"Enter one of {', '.join(Slab)}.") from None


def _number(value: Any, info: ValidationInfo) -> float | None:
    """A decimal number as people type it: a comma is a decimal point, a unit may follow."""
    text = re.sub(r"\s*(mm|years|y)$", "", str("" if value is None else value).strip().lower()).replace(",", ".")
    if not text:
        return None
    if not re.fullmatch(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+", text):
        raise _fail(
            "not_a_number", f"{_label(info)} holds {str(value)!r}, which is no number.", "Enter a number such as 5.8."
        )
    return float(text)


def _field_mm(value: Any, info: ValidationInfo) -> float | None:
    if str(value or "").strip().lower() == UNKNOWN:
        return None
    number = _number(value, info)
    if number is None:
        raise _fail(
            "field_missing",
            f"{_label(info)} is empty.",
            f"Enter the size of the scanned field in mm, e.g. 3, or '{UNKNOWN}': then no value in mm is given.",
        )
    return _between(number, 0.5, 30.0, "mm", info)


def _between(number: float, low: float, high: float, unit: str, info: ValidationInfo) -> float:
    if not low <= number <= high:
        raise _fail(
            "out_of_range",
            f"{_label(info)} holds {number:g}, which is outside {low:g} to {high:g} {unit}.",
            f"Check the number and its unit: {unit} are expected.",
        )
    return number


def _axial_length(value: Any, info: ValidationInfo) -> float | None:
    number = _number(value, info)
    return None if number is None else _between(number, 14.0, 40.0, "mm", info)


def _age(value: Any, info: ValidationInfo) -> float | None:
    number = _number(value, info)
    return None if number is None else _between(number, 0.0, 120.0, "years", info)


def _moment(value: Any, info: ValidationInfo) -> datetime:
    text = _required(value, info)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _fail(
            "time_invalid",
            f"{_label(info)} holds {text!r}, which cannot be read as date and time without guessing.",
            "Write year-month-day hour:minute, e.g. 2026-03-14 09:30, or with a time zone 2026-03-14T09:30+01:00.",
        ) from None
    if re.fullmatch(r"\d{4}-?(\d{2}-?\d{2}|W\d{2}(-?\d)?)", text):
        raise _fail(
            "time_missing",
            f"{_label(info)} holds {text!r}, which has no time of day.",
            "Add the time shown on the device, e.g. 2026-03-14 09:30: it tells two captures of one visit apart.",
        )
    now: datetime = (info.context or {}).get("now", datetime.max.replace(tzinfo=UTC) - ZONE_ALLOWANCE)
    allowance = CLOCK_ALLOWANCE if moment.tzinfo else ZONE_ALLOWANCE
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now + allowance:
        raise _fail(
            "time_in_future",
            f"{_label(info)} holds {text}, which lies in the future.",
            "Check the date, and the clock of the device it came from.",
        )
    if moment.date() < EARLIEST_CAPTURE:
        raise _fail(
            "time_implausible", f"{_label(info)} holds {text}: there were no OCT devices then.", "Check the year."
        )
    return moment.astimezone(UTC)


def _optional_text(value: Any) -> str | None:
    return str(value or "").strip()[:200] or None


def _request_id(value: Any) -> int | None:
    text = str(value or "").strip().lstrip("#")
    if not text:
        return None
    if not text.isdigit():
        raise _fail(
            "replaces_invalid", f"{str(value)!r} is no request number.", "Enter the number shown in the request."
        )
    return int(text)


def _column(title: str, description: str, example: str) -> Any:
    return Field(default="", validate_default=True, title=title, description=description, examples=[example])


_Code = Annotated[str, BeforeValidator(_code)]
_Field = Annotated[float | None, BeforeValidator(_field_mm)]
_Text = Annotated[str | None, BeforeValidator(_optional_text)]


class Entry(BaseModel):
    """One checked manifest row. The order of the fields is the order of the columns."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: Annotated[str, BeforeValidator(_required)] = _column("File", "the file's name as uploaded.", "scan-001.png")
    study: _Code = _column("Study", "the study's code.", "DEMO")
    site: _Code = _column("Site", "the site's code.", "S1")
    subject: Annotated[str, BeforeValidator(_subject)] = _column("Subject", "the subject's pseudonym.", "S1-0042")
    visit: _Code = _column("Visit", "the visit's name in the protocol.", "V1")
    acquisition: _Code = _column("Capture", "a name for the capture; its slabs share it.", "A1")
    acquired_at: Annotated[datetime, BeforeValidator(_moment)] = _column(
        "Captured at", "date and time of the capture, UTC unless it says otherwise.", "2026-03-14 09:30"
    )
    eye: Annotated[Laterality, BeforeValidator(_eye)] = _column("Eye", "OD for the right eye, OS for the left.", "OD")
    kind: Annotated[ScanKind, BeforeValidator(_kind)] = _column("Kind", "what the scan is a picture of.", "octa-enface")
    slab: Annotated[Slab | None, BeforeValidator(_slab)] = _column(
        "Slab", "the layer band of an en-face image.", "superficial"
    )
    field_width_mm: _Field = _column("Width (mm)", "width of the scanned field in mm, or 'unknown'.", "3")
    field_height_mm: _Field = _column("Height (mm)", "height of the scanned field in mm, or 'unknown'.", "3")
    device: _Code = _column("Device", "the device's code.", "S1-A")
    software_version: _Text = _column(
        "Software", "the device's software; empty: the version registered for it.", "2.1.0"
    )
    technician: _Code = _column("Technician", "the code of who took the scan.", "T01")
    device_quality_name: _Text = _column("Quality index", "optional: name of the device's own quality index.", "SSI")
    device_quality_value: Annotated[float | None, BeforeValidator(_number)] = _column(
        "Index value", "optional: value of the device's own quality index.", "68"
    )
    axial_length_mm: Annotated[float | None, BeforeValidator(_axial_length)] = _column(
        "Axial length (mm)", "optional: axial length of the eye in mm.", "23.8"
    )
    age_years: Annotated[float | None, BeforeValidator(_age)] = _column("Age (years)", "optional: age in years.", "61")
    diagnosis: _Text = _column("Diagnosis", "optional: diagnosis of the eye.", "healthy")
    replaces: Annotated[int | None, BeforeValidator(_request_id)] = _column(
        "Answers request", "optional: number of the reacquisition request that this scan answers.", ""
    )


COLUMNS: tuple[str, ...] = tuple(Entry.model_fields)
"""The manifest's columns in order."""
COLUMN_LABELS: dict[str, str] = {name: str(field.title) for name, field in Entry.model_fields.items()}
"""What each column is called where people read it: the table's heading, every fault, and a CSV's header too."""
OPTIONAL_COLUMNS = frozenset(
    {
        "software_version", "device_quality_name", "device_quality_value", "axial_length_mm", "age_years",
        "diagnosis", "replaces",
    }
)  # fmt: skip
"""Columns that may be left out or empty."""


def quoted(column: str) -> str:
    """A column's label in quotation marks, for a sentence about it."""
    return f"“{COLUMN_LABELS[column]}”"


@dataclass(frozen=True, slots=True)
class Roster:
    """The codes that a batch's rows may name: its own study and site, the site's devices and technicians."""

    study: str
    site: str
    devices: tuple[str, ...]
    technicians: tuple[str, ...]


def check_row(values: dict[str, Any], roster: Roster, *, now: datetime) -> tuple[Entry | None, tuple[Problem, ...]]:
    """Check one row as filled in, against the batch's roster; the entry is None where a problem blocks it."""
    problems: tuple[Problem, ...] = ()
    entry: Entry | None = None
    try:
        entry = Entry.model_validate({name: values.get(name, "") for name in COLUMNS}, context={"now": now})
    except ValidationError as error:
        problems = tuple(_problem(fault) for fault in error.errors())
    problems += _pair_problems(values) + _roster_problems(values, roster)
    return (None if problems else entry), problems


def _problem(fault: Any) -> Problem:
    return Problem(fault["type"], fault["msg"], fault.get("ctx", {}).get("remedy", "Correct it."), str(fault["loc"][0]))


def _pair_problems(values: dict[str, Any]) -> tuple[Problem, ...]:
    """Faults between columns. On the raw values, so that they are named together with the faults within columns."""
    text = {name: str(values.get(name) or "").strip() for name in COLUMNS}
    problems: list[Problem] = []
    if not text["slab"] and text["kind"].lower().replace("_", "-") == ScanKind.OCTA_ENFACE:
        problems.append(Problem("slab_missing", "The slab is missing.", f"Enter one of {', '.join(Slab)}.", "slab"))
    width, height = text["field_width_mm"].lower(), text["field_height_mm"].lower()
    if width and height and (width == UNKNOWN) != (height == UNKNOWN):
        problems.append(
            Problem(
                "field_incomplete",
                "Only one side of the field is known.",
                f"Enter both {quoted('field_width_mm')} and {quoted('field_height_mm')}, or '{UNKNOWN}' for both.",
                "field_height_mm",
            )
        )
    if bool(text["device_quality_name"]) != bool(text["device_quality_value"]):
        problems.append(
            Problem(
                "quality_index_incomplete",
                "The device's quality index needs its name and its value.",
                f"Enter both {quoted('device_quality_name')} (e.g. SSI) and {quoted('device_quality_value')} or none.",
                "device_quality_name",
            )
        )
    return tuple(problems)


def _roster_problems(values: dict[str, Any], roster: Roster) -> tuple[Problem, ...]:
    known = {
        "study": (roster.study,),
        "site": (roster.site,),
        "device": roster.devices,
        "technician": roster.technicians,
    }
    return tuple(
        _unknown(column, str(values.get(column)).strip(), codes)
        for column, codes in known.items()
        if str(values.get(column) or "").strip() not in {"", *codes}
    )


def _unknown(column: str, value: str, codes: tuple[str, ...]) -> Problem:
    if column in {"study", "site"}:
        remedy = f"This batch is for {column} {codes[0]}. Upload files of another {column} as a batch of their own."
    elif codes:
        remedy = f"Enter one of {', '.join(codes)}, or ask an administrator to add or activate it."
    else:
        remedy = f"The site has no {column} in use: ask an administrator to add one."
    where = "is not that of this batch" if column in {"study", "site"} else "is not in use at this site"
    return Problem(f"unknown_{column}", f"The {column} {value!r} {where}.", remedy, field=column)
