"""The built distribution holds everything that a running installation reads: what the images install."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("core", "dashboard", "worker", "migrations", "samples")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources (so that no build folder is left in the checkout) and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for part in (*PARTS, *FILES):
        subprocess.run(["cp", "-r", ROOT / part, source / part], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def tracked(part: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", part], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file() and not name.endswith(".md")}


@pytest.mark.parametrize("part", PARTS)
def test_every_tracked_file_of_the_product_is_in_the_wheel(installed: Path, part: str):
    assert {name for name in tracked(part) if not (installed / name).is_file()} == set()


def test_no_test_or_bench_is_in_the_wheel(installed: Path):
    assert not (installed / "tests").exists()
    assert not (installed / "bench").exists()


def test_the_command_runs_from_the_wheel(installed: Path, tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    script = "import core, sys; from core.cli import main; print(core.__file__, flush=True); main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(installed) in done.stdout
    assert "Commands:" in done.stdout
