"""The folder that the bundled B-scan model is trained on: no eye in two parts, outlines that fit their scans."""

import importlib.util
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

CI = Path(__file__).parents[2] / ".ci"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_bscan_folder", CI / "write_bscan_folder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FOLDER = script()
SCANS = {row["file"]: row for row in FOLDER.table(CI / "bscan_scans.csv")}
OUTLINES = FOLDER.table(CI / "bscan_outlines.csv")


def test_no_subject_lies_in_two_parts() -> None:
    parts = defaultdict(set)
    for row in SCANS.values():
        parts[row["subject"]].add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    assert {part for found in parts.values() for part in found} == {"train", "validation", "test"}


def test_every_outline_belongs_to_a_scan_whose_class_names_it() -> None:
    for row in OUTLINES:
        assert row["class"] in SCANS[row["file"]]["class"].split("+"), row["file"]
        assert row["keep"] in {"all", "dark"}


def test_a_set_kept_aside_as_a_whole_teaches_nothing() -> None:
    assert {row["split"] for file, row in SCANS.items() if file.startswith("bscan_sdoct/")} == {"test"}


@pytest.mark.parametrize("keep", ["all", "dark"])
def test_an_outline_is_filled_and_of_dark_lesions_only_the_dark_is_kept(keep: str) -> None:
    image = np.full((80, 80), 150, np.uint8)
    image[30:50, 30:50] = 20
    mask = FOLDER.drawn_mask(image, [{"keep": keep, "outline_px": "20,20 60,20 60,60 20,60"}])
    assert mask[40, 40]
    assert mask[25, 25] == (keep == "all")
    assert not mask[70, 70]


@pytest.mark.real_data
def test_every_outline_lies_within_its_scan_and_its_lesion_is_small(real_data: Path) -> None:
    for file in {row["file"] for row in OUTLINES}:
        image = np.asarray(Image.open(real_data / f"{file}.png").convert("L"))
        mask = FOLDER.drawn_mask(image, [row for row in OUTLINES if row["file"] == file])
        assert 0.0003 < mask.mean() < 0.1, file
