"""The manifest of the B-scan recipe: what its class and mask cells mean, and how each fault is named."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import UsageError
from core.training.bscan.label import class_names, read_bscans, record_of
from core.training.bscan.publish import LABELS, labels_in_words
from core.training.bscan.recipe import BSCAN
from core.training.bscan.samples import UNKNOWN, BscanSamples, balanced, is_pathological, presence
from core.training.supervised.parts import Placed
from core.training.supervised.record import ManifestError, Part
from core.training.supervised.samples import Draw

RNG = np.random.default_rng(3)


def write(folder: Path, rows: list[dict[str, str]]) -> Path:
    """A folder with an image per row, masks where named, and the manifest."""
    for row in rows:
        Image.fromarray(RNG.integers(0, 200, (64, 80)).astype(np.uint8)).save(folder / row["file"])
        for column, name in row.items():
            if column.startswith("mask") and name and not (folder / name).exists():
                mask = np.zeros((64, 80), np.uint8)
                mask[20:30, 10:20] = 255
                Image.fromarray(mask).save(folder / name)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    return folder


def test_one_class_several_and_one_of_several_are_told_apart(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        [
            {"file": "a.png", "subject": "1", "class": "normal"},
            {"file": "b.png", "subject": "2", "class": "CNV+fluid", "mask_cnv": "b1.png", "mask_fluid": "b2.png"},
            {"file": "c.png", "subject": "3", "class": "cnv|fluid"},
            {"file": "d.png", "subject": "4", "class": "drusen", "mask": "d1.png"},
        ],
    )
    pictures = read_bscans(folder)
    normal, both, either, drusen = (record_of(picture) for picture in pictures)
    assert class_names(pictures) == ("normal", "cnv", "drusen", "fluid")
    assert [presence(both, name) for name in ("cnv", "drusen", "fluid")] == [1.0, 0.0, 1.0]
    assert [presence(either, name) for name in ("cnv", "drusen", "fluid")] == [UNKNOWN, 0.0, UNKNOWN]
    assert [record.is_mask_known for record in (normal, both, either, drusen)] == [True, True, False, True]
    assert [is_pathological(picture) for picture in pictures] == [False, True, True, True]


def test_the_card_says_who_drew_the_lesions_where_the_manifest_does(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        [
            {"file": "a.png", "subject": "1", "class": "normal", "drawn_by": ""},
            {"file": "b.png", "subject": "2", "class": "cnv", "mask": "b1.png", "drawn_by": "a technician"},
            {"file": "c.png", "subject": "3", "class": "cnv", "mask": "c1.png", "drawn_by": "a technician"},
            {"file": "d.png", "subject": "4", "class": "drusen", "mask": "d1.png"},
        ],
    )
    placed = [Placed(picture, picture.record.subject, Part.TRAIN) for picture in read_bscans(folder)]
    assert labels_in_words(placed) == f"{LABELS} Lesions drawn by: a technician (2 scans)."
    assert labels_in_words([placed[0], placed[3]]) == LABELS


def test_a_sample_holds_the_masks_of_each_lesion_in_the_order_of_the_classes(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        [
            {"file": "a.png", "subject": "1", "class": "normal"},
            {"file": "b.png", "subject": "2", "class": "drusen", "mask": "m.png"},
            {"file": "c.png", "subject": "3", "class": "cnv"},
        ],
    )
    pictures = read_bscans(folder)
    samples = BscanSamples(pictures, BSCAN.changed({"image_px": 64}), class_names(pictures))
    image, label = samples[Draw(1)]
    assert image.shape == (1, 64, 64)
    assert 0 <= image.min() <= image.max() <= 1
    assert label.masks.sum(dim=(1, 2)).tolist() == [0, 10 * 8]  # ten rows of 64, ten columns of 80 squeezed to eight
    assert label.possible.tolist() == [0, 0, 1]
    assert samples[Draw(2)][1].is_mask_known == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"class": ""}, "'' is no class", id="no-class"),
        pytest.param({"class": "cnv+normal"}, "normal and ill at once", id="normal-and-ill"),
        pytest.param({"class": "a|b+c"}, "is no class", id="mixed"),
        pytest.param({"class": "cnv", "mask_drusen": "m.png"}, "mask of drusen, which its class", id="strange-mask"),
        pytest.param({"class": "cnv", "mask": "gone.tif"}, "", id="good"),
    ],
)
def test_every_fault_of_a_row_is_named(tmp_path: Path, row: dict[str, str], words: str) -> None:
    rows = [{"file": "a.png", "subject": "1", "class": "normal"}, {"file": "b.png", "subject": "2"} | row]
    folder = write(tmp_path, rows)
    if not words:
        assert len(read_bscans(folder)) == 2
        return
    with pytest.raises(ManifestError, match="line 3") as caught:
        read_bscans(folder)
    assert words in str(caught.value)


def test_a_folder_without_manifest_says_which_columns_it_wants(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="manifest") as caught:
        read_bscans(tmp_path)
    assert "file, subject and class" in caught.value.remedy


def test_a_folder_of_one_class_cannot_teach_to_tell_apart(tmp_path: Path) -> None:
    folder = write(tmp_path, [{"file": "a.png", "subject": "1", "class": "cnv"}])
    with pytest.raises(UsageError, match="there must be normal"):
        class_names(read_bscans(folder))


def test_rare_sources_are_repeated_up_to_their_share(tmp_path: Path) -> None:
    rows = [{"file": f"{n}.png", "subject": str(n), "class": "normal", "source": "many"} for n in range(18)]
    rows += [{"file": "r.png", "subject": "r", "class": "normal", "source": "rare"}]
    found = balanced(read_bscans(write(tmp_path, rows)), 0.2)
    assert sum(picture.record.source == "rare" for picture in found) == 4
    assert sum(picture.record.source == "many" for picture in found) == 18
