"""`octaudit phantom` writes scans whose manifest the intake takes and whose truth matches the files."""

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from core.cli import main
from core.intake.manifest import COLUMNS, Roster, check_row

ROSTER = Roster("DEMO", "PHANTOM", ("PHANTOM-1",), ("PHANTOM-T1",))


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def levels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("phantoms")
    assert run("phantom", place, "--count", 6, "--seed", 3, "--size-px", 128) == 0
    return place


def test_every_row_of_the_manifest_passes_the_intake_check(folder):
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 6
    for row in rows:
        assert (folder / "scans" / row["file"]).is_file()
        assert check_row(row, ROSTER, now=datetime(2026, 1, 1, tzinfo=UTC))[1] == ()


def test_the_truth_matches_the_masks(folder):
    truths = [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(truths) == 6
    for truth in truths:
        assert levels_of(folder / truth["file"]).shape == (128, 128)
        for what, path in truth["masks"].items():
            levels = levels_of(folder / path)
            assert set(np.unique(levels)) <= {0, 255}
            if what != "faz":
                assert (levels > 0).mean() == pytest.approx(truth["artifacts"][what]["area_fraction"])


def test_the_same_seed_writes_the_same_files(folder, tmp_path):
    assert run("phantom", tmp_path, "--count", 6, "--seed", 3, "--size-px", 128) == 0
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_a_folder_that_cannot_be_made_is_wrong_usage(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("phantom", tmp_path / "file", "--count", 1) == 2
    assert "Name another folder." in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["onh-enface", "bscan", "volume"])
def test_every_kind_writes_scans_and_a_manifest_that_names_them_all(tmp_path, kind):
    assert run("phantom", tmp_path, "--count", 1, "--kind", kind, "--size-px", 64) == 0
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["kind"] == kind
    assert [path.name for path in (tmp_path / "scans").iterdir()] == [row["file"]]


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path, capsys):
    assert run("phantom", tmp_path, "--count", 1, "--kind", "fundus") == 2
    assert "octa-enface" in capsys.readouterr().err
