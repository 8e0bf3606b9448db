from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake.manifest import COLUMN_LABELS, COLUMNS, Roster, check_row
from core.intake.manifest_csv import manifest_template, read_manifest

HEADER = ",".join(COLUMNS)


def codes(data: bytes) -> list[str]:
    return [problem.code for problem in read_manifest(data).problems]


def test_the_templates_example_row_is_sound():
    (row,) = read_manifest(manifest_template().encode()).rows
    entry, problems = check_row(
        row.values, Roster("DEMO", "S1", ("S1-A",), ("T01",)), now=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert problems == ()
    assert entry is not None


def test_the_headings_of_the_upload_pages_table_are_headings_of_a_csv_too():
    (row,) = read_manifest(f"{','.join(COLUMN_LABELS.values())}\n{','.join(COLUMNS)}\n".encode()).rows
    assert row.values == {name: name for name in COLUMNS}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(encoding: str, delimiter: str, end: str):
    text = end.join([delimiter.join(["File", "Eye", "diagnosis"]), delimiter.join(["ä.png", "OD", "Ödem"]), ""])
    (row,) = read_manifest(text.encode(encoding)).rows
    assert row.values == {"file": "ä.png", "eye": "OD", "diagnosis": "Ödem"}
    assert row.line == 2


def test_excels_own_delimiter_line_and_quoted_cells_are_understood():
    table = read_manifest(b'sep=;\r\nfile;diagnosis\r\n"a;b.png";"says ""edema"""\r\n')
    assert table.rows[0].values == {"file": "a;b.png", "diagnosis": 'says "edema"'}


def test_headers_may_be_written_as_people_write_them():
    table = read_manifest(b"File Name,Laterality,Field Width (mm),Operator\na.png,OD,3,T01\n")
    assert set(table.rows[0].values) == {"file", "eye", "field_width_mm", "technician"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["manifest_empty"]),
        (b"\n\n", ["manifest_empty"]),
        (b"PK\x03\x04\x00\x00", ["manifest_not_text"]),
        (b"eye,slab\nOD,deep\n", ["manifest_no_file_column"]),
        (b"file,eye,eye\na,OD,OS\n", ["manifest_column_twice"]),
        (b"file,eye\n,OD\n", ["manifest_row_without_file"]),
        (b"file\na.png\nA.PNG\n", ["manifest_file_twice"]),
        (b"file,comment\na.png,x\n", ["manifest_unknown_column"]),
        (b"file,patient name,date of birth\na.png,x,y\n", ["manifest_identifying_column"] * 2),
        (b"x" * 5_000_001, ["manifest_too_large"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_fault_of_a_manifest_is_named(data: bytes, expected: list[str]):
    assert codes(data) == expected


def test_an_identifying_column_is_not_kept():
    table = read_manifest(b"file,patient_name\na.png,John Smith\n")
    assert table.rows[0].values == {"file": "a.png"}
    assert "John" not in str(table)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes):
    read_manifest(data)
    read_manifest(HEADER.encode() + b"\n" + data)
