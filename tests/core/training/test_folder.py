"""The training folder: what is read from it, and how its faults are named."""

import shutil

import pytest

from core.errors import UsageError
from core.training.folder import read_folder


@pytest.fixture
def own_copy(training_folder, tmp_path):
    return shutil.copytree(training_folder, tmp_path / "copy")


def test_every_set_is_read_with_its_labels(training_folder):
    images = {image.key: image for image in read_folder(training_folder)}
    assert images["faz_phantoms/3.png"].subject == "faz_phantoms/number 1"
    assert images["faz_phantoms/3.png"].faz().any()
    assert images["octa_graded/g1.png"].grade is not None
    assert not images["bscan_drawn/0.png"].is_octa


def test_a_missing_file_and_a_mask_of_another_size_are_both_named(own_copy):
    (own_copy / "octa_graded" / "images" / "g2.png").unlink()
    shutil.copy(own_copy / "bscan_drawn" / "0.png", own_copy / "faz_phantoms" / "masks" / "0.png")
    from PIL import Image

    with Image.open(own_copy / "faz_phantoms" / "masks" / "1.png") as mask:
        mask.resize((50, 50)).save(own_copy / "faz_phantoms" / "masks" / "1.png")
    with pytest.raises(UsageError) as caught:
        read_folder(own_copy)
    assert "g2.png is listed but not there" in caught.value.message
    assert "1.png has another size" in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,source\na.png,SIM\n", "lacks the columns .*; it has file, source"),
        (
            "file,source,grade,motion,shadow,defocus,low_signal\ng1.png,SIM,7,0,0,0,0\n",
            "g1.png has values other than 0, 1, 2: grade '7'",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(own_copy, content, message):
    (own_copy / "octa_graded" / "grades.csv").write_text(content)
    with pytest.raises(UsageError, match=message):
        read_folder(own_copy)


def test_a_folder_without_labels_or_no_folder_is_refused(own_copy, tmp_path):
    shutil.rmtree(own_copy / "faz_phantoms")
    shutil.rmtree(own_copy / "octa_graded")
    with pytest.raises(UsageError, match="neither FAZ masks nor grades"):
        read_folder(own_copy)
    with pytest.raises(UsageError, match="no folder"):
        read_folder(tmp_path / "nowhere")


def test_tables_as_a_spreadsheet_writes_them_are_understood(own_copy):
    for table in (own_copy / "octa_graded" / "grades.csv", own_copy / "faz_phantoms" / "manifest.csv"):
        text = table.read_text().replace(",", ";").replace("file;", "File ;")
        table.write_bytes("\r\n".join([*text.splitlines(), ";;;;;;"]).replace(";3;", ";3,0;").encode("utf-16"))
    graded = own_copy / "octa_graded" / "grades.csv"
    graded.write_bytes(graded.read_bytes().decode("utf-16").replace("SIM;1;", "SIM;1.0;").encode("utf-8-sig"))
    images = {image.key: image for image in read_folder(own_copy)}
    assert images["faz_phantoms/3.png"].field_mm == pytest.approx(3.0)
    assert sum(image.grade is not None for image in images.values()) == 24


def test_all_wrong_cells_are_named_at_once(own_copy):
    table = own_copy / "octa_graded" / "grades.csv"
    head, first, second, *rest = table.read_text().splitlines()
    table.write_text(
        "\n".join([head, first.replace("SIM,", "SIM,good,", 1), second.replace("g1.png", "gone.png"), *rest])
    )
    faz = own_copy / "faz_phantoms" / "manifest.csv"
    faz.write_text(faz.read_text().replace("0.png,superficial,3", "0.png,superficial,wide", 1))
    with pytest.raises(UsageError) as caught:
        read_folder(own_copy)
    for words in ("g0.png has values other than 0, 1, 2: grade 'good'", "gone.png is listed but not there", "'wide'"):
        assert words in caught.value.message
