"""Parts that share neither a person nor a picture, and a user's split that does is refused by name."""

import csv
import shutil

import numpy as np
import pytest
from labelled_folders import manifest_rows, save, write_manifest
from PIL import Image

from core.errors import UsageError
from core.training.supervised.manifest import read_records
from core.training.supervised.parts import grouped, near_duplicates, place, write_splits
from core.training.supervised.picture import read_pictures
from core.training.supervised.recipe import supervised_recipe
from core.training.supervised.record import Label, Part

QUALITY = supervised_recipe("coips-quality", {})
FAZ = supervised_recipe("coips-faz", {"n_folds": 3})


@pytest.fixture
def folder(graded_folder, tmp_path):
    return shutil.copytree(graded_folder, tmp_path / "graded")


def pictures_of(folder, label=Label.GRADE):
    return read_pictures(folder, read_records(folder, label))


def split_by_subject(folder, **other):
    """Subjects S0-S11 train, S12-S14 validate, S15-S17 test; ``other`` overrules single files."""
    rows = manifest_rows(folder)
    for row in rows:
        number = int(row["subject"][1:])
        usual = "train" if number < 12 else "validation" if number < 15 else "test"
        row["split"] = other.get(row["file"].split("/")[-1].split(".")[0], usual)
    write_manifest(folder, rows)


def test_no_subject_lies_in_two_parts_and_every_part_has_every_grade(graded_folder):
    placed = place(pictures_of(graded_folder), QUALITY)
    parts = {}
    for item in placed:
        assert parts.setdefault(item.picture.record.subject, item.part) is item.part
    assert {item.picture.record.grade for item in placed if item.part is Part.TEST} == {0, 1, 2}
    assert {item.part for item in placed} == set(Part)


def test_the_shares_hold_where_every_source_is_too_small_for_one(folder):
    rows = [row | {"source": row["subject"]} for row in manifest_rows(folder)]  # every subject a device of its own
    write_manifest(folder, rows)
    placed = place(pictures_of(folder), QUALITY)
    subjects = {part: {i.picture.record.subject for i in placed if i.part is part} for part in Part}
    assert [len(subjects[part]) for part in (Part.TRAIN, Part.VALIDATION, Part.TEST)] == [11, 3, 4]


def test_parts_depend_on_the_seed_of_the_split_alone(graded_folder):
    pictures = pictures_of(graded_folder)
    parts = [item.part for item in place(pictures, QUALITY)]
    assert parts == [item.part for item in place(pictures, QUALITY.changed({"seed": 9}))]
    assert parts != [item.part for item in place(pictures, QUALITY.changed({"split_seed": 9}))]


def test_copies_under_other_subject_codes_stay_together(folder):
    with Image.open(folder / "images" / "0.png") as picture:
        brighter = np.clip(np.asarray(picture) * 1.1 + 3, 0, 255).astype(np.uint8)
    save(folder / "images" / "copy.png", brighter)
    write_manifest(
        folder, [*manifest_rows(folder), {"file": "images/copy.png", "grade": 0, "subject": "X", "slab": ""}]
    )
    pictures = pictures_of(folder)
    groups = grouped(pictures, near_duplicates(pictures, QUALITY.near_duplicate_correlation))
    assert groups[0] == groups[-1]


def test_a_subject_in_two_parts_is_refused_by_name(folder):
    split_by_subject(folder, **{"1": "test"})
    with pytest.raises(UsageError, match=r"subject S0: images/0\.png \(train\) and images/1\.png \(test\)"):
        place(pictures_of(folder), QUALITY)


def test_the_same_pixels_in_two_parts_are_refused_by_name(folder):
    split_by_subject(folder)
    shutil.copy(folder / "images" / "0.png", folder / "images" / "33.png")
    with pytest.raises(UsageError, match=r"the same pixels: images/0\.png \(train\) and images/33\.png \(test\)"):
        place(pictures_of(folder), QUALITY)


def test_a_near_duplicate_in_two_parts_is_refused_by_name(folder):
    split_by_subject(folder)
    with Image.open(folder / "images" / "2.png") as picture:
        save(folder / "images" / "32.png", np.asarray(picture) // 2)
    with pytest.raises(UsageError, match=r"a near duplicate \(r = [01]\.\d+\): images/2\.png .* images/32\.png"):
        place(pictures_of(folder), QUALITY)


def test_a_clean_split_of_the_user_is_taken_as_it_is(folder):
    split_by_subject(folder)
    placed = place(pictures_of(folder), QUALITY)
    assert {item.picture.record.subject for item in placed if item.part is Part.TEST} == {"S15", "S16", "S17"}


def test_folds_part_the_training_images_by_subject(masked_folder):
    placed = place(pictures_of(masked_folder, Label.MASK), FAZ)
    trained = [item for item in placed if item.part is Part.TRAIN]
    assert {item.fold for item in trained} == {0, 1, 2}
    assert {item.fold for item in placed if item.part is Part.TEST} == {None}


def test_too_few_subjects_for_the_folds_are_refused(masked_folder):
    with pytest.raises(UsageError, match="fold 13"):
        place(pictures_of(masked_folder, Label.MASK), FAZ.changed({"n_folds": 14}))


def test_the_parts_are_written_down_with_the_hash_of_the_pixels(masked_folder, tmp_path):
    placed = place(pictures_of(masked_folder, Label.MASK), FAZ)
    write_splits(placed, tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pixel_sha256"] for row in rows] == [item.picture.pixel_sha256 for item in placed]
    assert {row["part"] for row in rows} == {"train", "test"}
