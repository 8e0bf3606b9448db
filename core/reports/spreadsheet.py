"""Cells that a spreadsheet shows as text and never runs: one pure function for every CSV that leaves the house."""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP, CSV injection)."""


def harmless(value: object) -> object:
    """The value; a text that a spreadsheet would run as a formula gets an apostrophe before it. None is empty.

    Numbers stay numbers: only text is looked at, and a text that is a number (``-1.5``) is left as it is.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_STARTS) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip() == text and "_" not in text
