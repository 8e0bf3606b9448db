"""ONH phantoms in a folder: the same order gives the same files, and each of its manifests is understood."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from core.training.onh.folder import read_onh_folder
from core.usecases.write_onh_phantoms import write_onh_phantoms
from core.usecases.write_phantoms import PhantomOrder
from core.vocabulary import OnhGrade

N_SCANS = 6


def order(folder, seed=3):
    return PhantomOrder(
        folder=folder, count=N_SCANS, seed=seed, size_px=64, study="DEMO", site="S1", device="D1", technician="T1"
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onh")
    assert write_onh_phantoms(order(folder), lambda _: None) == N_SCANS
    return folder


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_order_writes_the_same_files_and_another_seed_others(written, tmp_path):
    write_onh_phantoms(order(tmp_path / "again"), lambda _: None)
    write_onh_phantoms(order(tmp_path / "other", seed=4), lambda _: None)
    assert files(tmp_path / "again") == files(written)
    assert files(tmp_path / "other") != files(written)


def test_the_folder_can_be_trained_on_as_it_is(written):
    pictures = read_onh_folder(written / "training")
    assert len(pictures) == N_SCANS
    truth = [json.loads(line) for line in (written / "truth.jsonl").read_text().splitlines()]
    assert [picture.record.grade for picture in pictures] == [OnhGrade(row["grade"]["ordinal"]) for row in truth]


def test_masks_label_map_and_figures_say_the_same(written):
    for row in (json.loads(line) for line in (written / "truth.jsonl").read_text().splitlines()):
        name = row["file"].removeprefix("scans/")
        with Image.open(written / "training" / name) as picture:
            labels = np.asarray(picture)
        for value, what in enumerate(("onh", "shallow", "dark", "motion"), start=1):
            assert (labels == value).mean() == pytest.approx(row["area_fraction"][what])
            if what in row["masks"]:
                with Image.open(written / row["masks"][what]) as mask:
                    assert np.array_equal(np.asarray(mask) == 255, labels == value)


def test_the_manifest_for_the_upload_names_the_kind(written):
    with (written / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"onh-enface"}
    assert all((written / "scans" / row["file"]).is_file() for row in rows)
