"""No cell of a CSV is run by a spreadsheet, and numbers stay numbers."""

import pytest

from core.reports.spreadsheet import harmless


@pytest.mark.parametrize(
    "text",
    ["=1+1", '=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "-", "+49_1"],
)
def test_a_text_that_would_run_is_shown_as_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-1.5", "+3", "1e-3", "motion", "S01-A", "", -1.5, 7, True, "a=b", "2026-03-02"])
def test_everything_else_is_left_as_it_is(value: object) -> None:
    assert harmless(value) == value


def test_nothing_is_an_empty_cell() -> None:
    assert harmless(None) == ""
