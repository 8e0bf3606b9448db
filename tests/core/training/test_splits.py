"""Parts never share a subject or a near duplicate, and are the same every time."""

import csv
import shutil

import pytest
from PIL import Image, ImageEnhance

from core.training.folder import read_folder
from core.training.splits import Part, split, write_splits


def parts_by(items, key):
    found = {}
    for item in items:
        found.setdefault(key(item), set()).add(item.part)
    return found


def test_images_of_one_subject_are_never_parted(training_folder):
    items = split(read_folder(training_folder), seed=1, held_out=0.4, tune=0.2)
    assert all(len(parts) == 1 for parts in parts_by(items, lambda item: item.image.subject).values())
    assert {item.part for item in items} == set(Part)


def test_a_split_is_the_same_every_time_and_another_with_another_seed(training_folder):
    images = read_folder(training_folder)
    first, again, other = split(images, seed=1), split(images, seed=1), split(images, seed=2)
    assert first == again
    assert [item.part for item in first] != [item.part for item in other]


def test_the_parts_are_written_down_with_the_hash_of_the_pixels(training_folder, tmp_path):
    items = split(read_folder(training_folder), seed=1)
    write_splits(items, tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["group"], row["part"]) for row in rows] == [
        (item.image.key, item.group, item.part.value) for item in items
    ]
    assert {len(row["pixel_sha256"]) for row in rows} == {64}
    assert len({row["pixel_sha256"] for row in rows}) == len({item.image.pixels().tobytes() for item in items})


def test_a_near_duplicate_goes_where_its_original_goes_and_shares_its_labels(training_folder, tmp_path):
    root = shutil.copytree(training_folder, tmp_path / "copy")
    with Image.open(root / "faz_phantoms" / "images" / "4.png") as original:
        ImageEnhance.Brightness(original).enhance(0.9).save(root / "octa_graded" / "images" / "g5.png")
    items = {item.image.key: item for item in split(read_folder(root), seed=1)}
    graded, drawn = items["octa_graded/g5.png"], items["faz_phantoms/4.png"]
    assert graded.group == drawn.group
    assert graded.part == drawn.part
    assert graded.image.faz_path == drawn.image.faz_path is not None
    assert drawn.image.grade == graded.image.grade is not None


@pytest.mark.real_data
def test_no_near_duplicate_of_the_real_sets_is_parted(real_data):
    items = split(read_folder(real_data), seed=1)
    assert all(len(parts) == 1 for parts in parts_by(items, lambda item: item.group).values())
    coips = [item for item in items if item.image.key.startswith("faz_coips")]
    assert all(len(parts) == 1 for parts in parts_by(coips, lambda item: item.image.subject).values())
    shared = [item for item in coips if item.image.grade is not None]
    assert len(shared) > 50  # the README: most graded COIPS images are copies of FAZ images
