"""The calendar as people save it: what can be read is taken, everything else is named with its line."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.intake.visit_calendar import MAX_PLANNED_VISITS, calendar_template, check_rows, read_calendar

HEAD = b"site,subject,visit,planned_on,window_ends_on,called_off\n"


def codes(data: bytes) -> list[str]:
    return [problem.code for problem in read_calendar(data).problems]


def test_the_template_is_read_as_it_is():
    table = read_calendar(calendar_template().encode())
    assert table.problems == ()
    first, second = table.rows
    assert (first.site, first.subject, first.visit, first.planned_on) == ("S1", "S1-0042", "V2", date(2026, 3, 14))
    assert (first.window_ends_on, first.called_off) == (None, "")
    assert (second.window_ends_on, second.called_off) == (date(2026, 4, 15), "Subject withdrew")


@pytest.mark.parametrize(
    "data",
    [
        "sep=;\nSite;Subject;Visit;Planned on\nS1;P-1;V1;2026-03-14\n".encode("utf-8-sig"),
        "Visit\tSite\tDate\tSubject\nV1\tS1\t2026-03-14\tP-1\n".encode("utf-16"),
    ],
    ids=["Excel with semicolons", "tabs in UTF-16"],
)
def test_what_spreadsheets_make_of_it_is_read(data: bytes):
    (row,) = read_calendar(data).rows
    assert (row.site, row.subject, row.visit, row.planned_on) == ("S1", "P-1", "V1", date(2026, 3, 14))


def test_a_row_that_cannot_be_read_is_named_and_the_others_are_taken():
    table = read_calendar(
        HEAD + b"S1,P-1,V1,2026-03-14,,\nS1,P-2,V1,14.03.2026,,\nS1,Jane Doe,V1,2026-03-14,,\nS1,P-3,V1,,,\n"
        b"S1,P-4,V1,2026-03-14,2026-03-13,\nS1,P-1,V1,2026-05-05,,\nS1,P-5,V1,2026-03-16,,\n"
    )
    assert [row.subject for row in table.rows] == ["P-1", "P-5"]
    assert [(problem.code, problem.message.partition(":")[0]) for problem in table.problems] == [
        ("date_invalid", "Line 3"),
        ("not_a_pseudonym", "Line 4"),
        ("missing", "Line 5"),
        ("window_before_visit", "Line 6"),
        ("calendar_visit_twice", "Lines 2 and 7 plan the same visit; the first one counts."),
    ]
    assert all(problem.remedy for problem in table.problems)
    assert not any("Jane" in problem.message for problem in table.problems), "a message must not repeat a name"


def test_an_unknown_column_is_not_stored_and_is_named():
    table = read_calendar(b"site,subject,visit,planned_on,patient name\nS1,P-1,V1,2026-03-14,Jane Doe\n")
    assert len(table.rows) == 1
    assert [(problem.code, problem.is_blocking) for problem in table.problems] == [("calendar_unknown_column", False)]
    assert "Jane" not in repr(table)


def test_what_is_no_calendar_is_refused_in_one_sentence():
    assert codes(b"") == ["calendar_empty"]
    assert codes(b"PK\x03\x04\x00\x00 a workbook") == ["calendar_no_table"]
    assert codes(b"file,eye\na.png,OD\n") == ["calendar_column_missing"]
    assert codes(HEAD + b"S1,P-1,V1,2026-03-14,,\n" * (MAX_PLANNED_VISITS + 1)) == ["calendar_too_long"]


def test_rows_of_a_program_are_checked_alike():
    table = check_rows(
        [
            {"site": "S1", "subject": "P-1", "visit": "V1", "planned_on": "2026-03-14"},
            {"site": "S1", "subject": "P-2", "visit": "V1", "planned_on": None},
        ]
    )
    assert [row.line for row in table.rows] == [1]
    assert [problem.code for problem in table.problems] == ["missing"]


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes):
    table = read_calendar(HEAD + data)
    assert all(problem.message for problem in table.problems)
