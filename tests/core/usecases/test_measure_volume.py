"""What a volume costs is measured in a process of its own, and the documentation shows what was measured."""

import json
import subprocess
import sys
from pathlib import Path

from core.usecases.measure_volume import MOST_GB, MOST_SECONDS, VolumeFigures, volume_table

DOCS = Path(__file__).parents[3] / "docs"


def figures(**changed) -> VolumeFigures:
    usual = {
        "n_bscans": 97, "height_px": 496, "width_px": 512, "n_rounds": 3, "device": "cpu", "weights_sha256": "0" * 64,
        "wall_s": MOST_SECONDS, "processor_s": 6.0, "peak_resident_gb": MOST_GB, "n_cores": 2, "load_average": 1.0,
    }  # fmt: skip
    return VolumeFigures.model_validate(usual | changed)


def test_the_limit_itself_is_kept_and_a_tenth_more_is_missed_by_name():
    assert volume_table(figures()).count("| yes |") == 2
    slow = volume_table(figures(wall_s=MOST_SECONDS + 0.1)).splitlines()
    assert ("20.1 s" in slow[2], "**no**" in slow[2], "**no**" in slow[3]) == (True, True, False)
    large = volume_table(figures(peak_resident_gb=MOST_GB + 0.1)).splitlines()
    assert ("**no**" in large[2], "**no**" in large[3]) == (False, True)


def test_the_command_measures_a_volume_and_writes_what_it_says(tmp_path):
    wrote = tmp_path / "volume.json"
    # Not in this process: what it measures begins with the memory of what starts it, here all that tests have loaded.
    arguments = ["bench", "volume", "--bscans", "3", "--rounds", "1", "--json", str(wrote)]
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = VolumeFigures.model_validate_json(wrote.read_text())
    assert (found.n_bscans, found.height_px, found.width_px, found.n_rounds) == (3, 496, 512, 1)
    assert 0.0 < found.processor_s < 40.0
    assert found.wall_s > 0.0
    assert 0.05 < found.peak_resident_gb < MOST_GB
    assert volume_table(found) in done.stdout


def test_the_documentation_shows_the_stored_figures():
    found = VolumeFigures.model_validate(json.loads((DOCS / "figures" / "volume.json").read_text(encoding="utf-8")))
    shown = (DOCS / "speed.md").read_text(encoding="utf-8").split("<!-- table: volume -->\n")[1]
    assert shown.split("<!-- end of table -->")[0].strip() == volume_table(found)
    assert (found.n_bscans, found.n_cores) == (97, 2)
