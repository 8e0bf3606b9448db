"""The name of a scan type: its kind and nominal field, as slots, protocols and charts spell it."""

import re

from core.vocabulary import ScanKind

NOMINAL_TOLERANCE_MM = 0.25
"""Devices write 2.9 or 6.1 where the protocol says 3 or 6; the nearest half millimetre within this is meant."""


def scan_type(kind: ScanKind, field_width_mm: float | None, field_height_mm: float | None) -> str:
    """Kind and nominal field: ``octa-enface 3x3``, ``octa-enface 4.5x4.5``, ``octa-enface unknown field``."""
    if field_width_mm is None or field_height_mm is None:
        return f"{kind.value} unknown field"
    return f"{kind.value} {_nominal(field_width_mm)}x{_nominal(field_height_mm)}"


def _nominal(size_mm: float) -> str:
    half_step = round(size_mm * 2.0) / 2.0
    return f"{half_step if abs(half_step - size_mm) <= NOMINAL_TOLERANCE_MM else size_mm:g}"


def kind_of(name: str) -> ScanKind:
    """The kind of a type that ``is_scan_type`` knows."""
    return ScanKind(name.partition(" ")[0])


def is_scan_type(name: str) -> bool:
    """Whether this is how a slot's type is spelt: a kind, and a field in millimetres or "unknown field"."""
    kind, _, field = name.partition(" ")
    is_field = field == "unknown field" or re.fullmatch(r"\d+(\.\d+)?x\d+(\.\d+)?", field) is not None
    return kind in list(ScanKind) and is_field


def kind_and_field(name: str) -> tuple[ScanKind, tuple[float, float] | None]:
    """The kind and nominal field (mm) of a type that ``is_scan_type`` knows; None where the field is not known."""
    kind, _, field = name.partition(" ")
    if field == "unknown field":
        return ScanKind(kind), None
    width, _, height = field.partition("x")
    return ScanKind(kind), (float(width), float(height))
