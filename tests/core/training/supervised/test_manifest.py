"""A manifest from a spreadsheet: what is understood of it, and that every fault is named with its cure."""

import shutil

import numpy as np
import pytest
from labelled_folders import manifest_rows, save, write_manifest

from core.errors import UsageError
from core.training.supervised.manifest import read_records
from core.training.supervised.picture import read_pictures
from core.training.supervised.record import MAX_FAULTS_SHOWN, NOT_STATED, Label, ManifestError, Part
from core.vocabulary import CoipsGrade, Laterality, Slab


@pytest.fixture
def folder(graded_folder, tmp_path):
    return shutil.copytree(graded_folder, tmp_path / "graded")


@pytest.fixture
def masked(masked_folder, tmp_path):
    return shutil.copytree(masked_folder, tmp_path / "masked")


def faults(folder, label=Label.GRADE):
    with pytest.raises(ManifestError) as caught:
        read_pictures(folder, read_records(folder, label))
    return {fault.place: f"{fault.message} {fault.remedy}" for fault in caught.value.faults}


def test_a_spreadsheets_own_spelling_is_understood(folder):
    (folder / "manifest.csv").write_bytes(
        "sep=;\r\nFile Name;Patient ID;Quality;Laterality;FOV (mm);License;Set\r\n"
        "images/0.png;S1;ungradable;os;3,0 mm;CC0;val\r\nimages/2.png;S2;2.0;R;;;Training\r\n".encode("utf-16")
    )
    first, second = read_records(folder, Label.GRADE)
    assert (first.grade, first.eye, first.field_mm, first.split) == (0, Laterality.OS, 3.0, Part.VALIDATION)
    assert (first.subject, first.licence) == ("S1", "CC0")
    assert (second.grade, second.eye, second.field_mm) == (CoipsGrade.OUTSTANDING, Laterality.OD, None)
    assert (second.licence, second.slab) == (NOT_STATED, Slab.UNKNOWN)


def test_every_fault_of_a_table_is_named_at_once(folder):
    wrong = {
        0: {"grade": "3"}, 1: {"subject": ""}, 2: {"file": ""}, 3: {"grade": ""}, 4: {"file": "images/5.png"},
        6: {"slab": "surface"}, 7: {"eye": "both"}, 8: {"field_mm": "900"},
    }  # fmt: skip
    rows = [{"eye": "", "field_mm": ""} | row for row in manifest_rows(folder)]
    write_manifest(folder, [row | wrong.get(number, {}) for number, row in enumerate(rows)])
    found = faults(folder)
    assert {place: text.split(".")[0] for place, text in found.items()} == {
        "line 2 (images/0.png)": "'3' is no grade",
        "line 3 (images/1.png)": "It names no subject",
        "line 4": "It names no file",
        "line 5 (images/3.png)": "It has no grade",
        "line 7 (images/5.png)": "Line 6 names the same file",
        "line 8 (images/6.png)": "'surface' is no slab",
        "line 9 (images/7.png)": "'both' is no eye",
        "line 10 (images/8.png)": "'900' is no field width",
    }


def test_files_that_are_missing_or_no_images_are_named(folder):
    (folder / "images" / "3.png").unlink()
    (folder / "images" / "4.png").write_text("not an image")
    found = faults(folder)
    assert "not there" in found["images/3.png"]
    assert "no PNG, JPEG, TIFF or BMP" in found["images/4.png"]
    assert len(found) == 2


def test_masks_that_do_not_fit_are_named(masked):
    save(masked / "masks" / "0.png", np.zeros((32, 32), np.uint8))
    save(masked / "masks" / "1.png", np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    save(masked / "masks" / "2.png", np.pad(np.zeros((4, 4), np.uint8), 30, constant_values=255))
    (masked / "masks" / "3.png").unlink()
    found = faults(masked, Label.MASK)
    assert "32 x 32 px, the image 64 x 64" in found["images/0.png, mask 0.png"]
    assert "64 grey levels from 0 to 63" in found["images/1.png, mask 1.png"]
    assert "Invert it" in found["images/2.png, mask 2.png"]
    assert "not there" in found["images/3.png, mask 3.png"]


def test_the_same_pixels_with_two_grades_are_a_fault(folder):
    shutil.copy(folder / "images" / "0.png", folder / "images" / "1.png")
    (message,) = faults(folder).values()
    assert "same pixels but are graded ungradable and gradable" in message


def test_a_half_filled_split_column_is_a_fault(folder):
    rows = [row | {"split": "train" if number % 2 else ""} for number, row in enumerate(manifest_rows(folder))]
    write_manifest(folder, rows)
    assert "names no split, but other rows do" in next(iter(faults(folder).values()))


def test_missing_columns_and_no_rows_and_workbooks_are_refused_with_the_cure(folder):
    for content, expected in [
        (b"file,grade\na.png,1\n", "'subject' is missing"),
        (b"file,subject\na.png,S1\n", "'grade' is missing"),
        (b"file,subject,grade\n", "no rows"),
        (b"file,subject,grade,grade\na,b,1,1\n", "'grade' stands twice"),
        (b"", "is empty"),
        (b"PK\x03\x04 a workbook", "Save as, CSV UTF-8"),
    ]:
        (folder / "manifest.csv").write_bytes(content)
        with pytest.raises(ManifestError, match=expected):
            read_records(folder, Label.GRADE)


def test_two_columns_of_one_meaning_are_named_as_they_are_written(folder):
    (folder / "manifest.csv").write_text("file,subject,grade,Set,split\na,b,1,train,train\n")
    with pytest.raises(ManifestError, match=r"has 1 fault:\n.*The columns 'Set' and 'split' both mean 'split'"):
        read_records(folder, Label.GRADE)


def test_a_long_list_of_faults_is_cut_in_the_message_only(folder):
    write_manifest(folder, [row | {"grade": "good"} for row in manifest_rows(folder)])
    with pytest.raises(ManifestError) as caught:
        read_records(folder, Label.GRADE)
    assert len(caught.value.faults) == 36
    assert f"and {36 - MAX_FAULTS_SHOWN} more" in caught.value.message


def test_the_deep_image_takes_the_grade_of_its_acquisition(folder):
    write_manifest(
        folder,
        [
            {"file": "images/0.png", "subject": "S1", "acquisition": "A", "slab": "superficial", "grade": "0"},
            {"file": "images/1.png", "subject": "S1", "acquisition": "A", "slab": "deep", "grade": ""},
        ],
    )
    assert [record.grade for record in read_records(folder, Label.GRADE)] == [0, 0]


def test_the_folder_of_octa_enface_is_read_too(training_folder, tmp_path):
    masks, grades = read_records(training_folder, Label.MASK), read_records(training_folder, Label.GRADE)
    assert {record.subject for record in masks} == {f"faz_phantoms/number {n}" for n in range(6)}
    assert len(grades) == 24
    with pytest.raises(UsageError, match=r"no manifest\.csv"):
        read_records(tmp_path, Label.MASK)


def test_names_with_the_backslashes_of_windows_are_understood(masked):
    rows = manifest_rows(masked)
    write_manifest(masked, [row | {name: row[name].replace("/", "\\") for name in ("file", "mask")} for row in rows])
    records = read_records(masked, Label.MASK)
    assert records[3].file == "images/3.png"
    assert len(read_pictures(masked, records)) == len(rows)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('"file;subject;grade"\n"images/0.png;S1;1"\n', r"Every line is a single cell: 'file;subject;grade'"),
        ("file,subject,grade,field_mm\nimages/0.png,S1,1,3,5\n", r"line 2 \(images/0.png\).*'5' is left over.*decimal comma"),
        ("file,subject,grade\nimages/0.png,#N/A,1\n", r"'subject' holds the spreadsheet's error '#N/A'"),
        ("file,subject\nimages/0.png,S1\n", r"'grade' is missing; there are 'file', 'subject'"),
    ],
    ids=["whole lines in quotation marks", "decimal comma between commas", "error of a formula", "no such column"],
)  # fmt: skip
def test_what_a_spreadsheet_does_by_itself_is_named(folder, content, expected):
    (folder / "manifest.csv").write_text(content)
    with pytest.raises(ManifestError, match=expected):
        read_records(folder, Label.GRADE)


def test_empty_cells_beyond_the_last_column_are_nothing(folder):
    (folder / "manifest.csv").write_text("file,subject,grade\nimages/0.png,S1,0,,\n,,,,\n")
    assert [record.file for record in read_records(folder, Label.GRADE)] == ["images/0.png"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("images/3.PNG", "There is '3.png': capitals and the ending count"),
        ("pictures/3.png", "There is no folder 'pictures' either"),
        ("C:/scans/3.png", "relative to the manifest"),
        ("images/none.png", "or add the file"),
    ],
)
def test_a_file_that_is_not_there_is_told_from_one_that_is_called_otherwise(folder, written, expected):
    rows = manifest_rows(folder)
    write_manifest(folder, [rows[3] | {"file": written}, *rows[4:]])
    assert expected in faults(folder)[written]
