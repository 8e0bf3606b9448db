"""Holds a manifest row against what a DICOM object or a `.vol` export states: where they differ, one is wrong."""

from core.intake.dicom_facts import DicomFacts
from core.intake.manifest import Entry, quoted
from core.intake.problems import Problem

_TOLERANCE = 0.01
"""Relative: devices and people round the sides of a field."""


def file_conflicts(entry: Entry, facts: DicomFacts) -> tuple[Problem, ...]:
    """What keeps the row from being true of its file. Eye, kind and field block: masks and millimetres hang on them."""
    return (
        *_word_conflict("eye", entry.eye, facts.eye),
        *_word_conflict("kind", entry.kind, facts.kind),
        *_word_conflict("slab", entry.slab, facts.slab),
        *_field_conflict(entry, facts),
    )


def is_field_of_file(entry: Entry, facts: DicomFacts | None) -> bool:
    """Whether the row's field is the one that the file states: its scale then comes from the file."""
    return facts is not None and facts.field_mm is not None and not _differs(entry, facts.field_mm)


def _word_conflict(column: str, said: str | None, stated: str | None) -> tuple[Problem, ...]:
    if stated is None or said is None or stated in {said, "unknown"}:
        return ()
    return (
        Problem(
            f"{column}_differs_from_file",
            f"{quoted(column)} is {said}, but the file states {stated}.",
            f"Enter {stated}; if the file is wrong, correct it on the device and export it again.",
            column,
        ),
    )


def _field_conflict(entry: Entry, facts: DicomFacts) -> tuple[Problem, ...]:
    if facts.field_mm is None or entry.field_width_mm is None or not _differs(entry, facts.field_mm):
        return ()
    width, height = facts.field_mm
    return (
        Problem(
            "field_differs_from_file",
            f"The field is {entry.field_width_mm:g} x {entry.field_height_mm:g} mm in the table and {width:g} x "
            f"{height:g} mm by the file's own scale.",
            "Enter the file's field; if it is wrong, enter 'unknown', and no value in mm is given.",
            "field_width_mm",
        ),
    )


def _differs(entry: Entry, field_mm: tuple[float, float]) -> bool:
    sides = (entry.field_width_mm, entry.field_height_mm)
    return any(
        said is None or abs(said / stated - 1) > _TOLERANCE for said, stated in zip(sides, field_mm, strict=True)
    )
