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
        ("file,source\na.png,SIM\n", "lacks the columns"),
        ("file,source,grade,motion,shadow,defocus,low_signal\ng1.png,SIM,7,0,0,0,0\n", "other than 0, 1, 2"),
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
