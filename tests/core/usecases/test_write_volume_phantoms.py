"""A written `.vol` phantom of 97 B-scans comes back through the reader as it was drawn."""

import csv
import json
from pathlib import Path

import numpy as np

from core.clock import now
from core.intake.manifest import Roster, check_row
from core.intake.readers.vol import read_vol
from core.usecases.write_phantoms import PhantomOrder
from core.usecases.write_volume_phantoms import write_volume_phantoms
from core.vocabulary import ScanKind, ScanPattern


def order(folder: Path) -> PhantomOrder:
    return PhantomOrder(folder, 1, 3, 64, "DEMO", "PHANTOM", "PHANTOM-1", "PHANTOM-T1")


def test_a_volume_of_97_bscans_round_trips_with_its_truth_and_a_manifest_that_intake_takes(tmp_path: Path):
    done: list[int] = []
    assert write_volume_phantoms(order(tmp_path), done.append) == 1
    assert done == [1]
    scan = read_vol(tmp_path / "scans/phantom-0001.vol")
    volume = scan.volume
    assert scan.notes == ()
    assert (volume.bscans.shape, volume.scan_pattern) == ((97, 496, 64), ScanPattern.VOLUME)
    rows = np.load(tmp_path / "truth/phantom-0001.boundaries.npy")
    assert rows.shape == (97, 8, 64)
    assert volume.device_boundaries is not None
    drawn = volume.device_boundaries["BM"]
    seen = np.isfinite(drawn)
    assert seen.mean() > 0.9
    assert np.abs(drawn - rows[:, -1])[seen].mean() < 1.0
    # The brightest band of the deepest layer ends where the truth says: image and truth are of the same B-scan.
    levels = volume.bscans.astype(np.float64)
    n, column = np.ogrid[:97, :64]
    assert (
        levels[n, rows[:, -1].astype(int) - 3, column].mean() > 2 * levels[n, rows[:, 0].astype(int) - 8, column].mean()
    )
    truth = json.loads((tmp_path / "truth.jsonl").read_text())
    assert truth["mean_thickness_um"] > 200
    (row,) = csv.DictReader((tmp_path / "manifest.csv").read_text(encoding="utf-8").splitlines())
    roster = Roster("DEMO", "PHANTOM", ("PHANTOM-1",), ("PHANTOM-T1",))
    entry, problems = check_row(row, roster, now=now())
    assert problems == ()
    assert entry is not None
    assert (entry.kind, entry.eye, entry.field_width_mm) == (ScanKind.VOLUME, volume.laterality, 6.2)
