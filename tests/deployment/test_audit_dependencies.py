"""Known vulnerabilities of what is installed are found from an export of advisories, without a network."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "audit_dependencies.py"


def advisory(package: str, *events: dict[str, str], versions: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges, "versions": list(versions)}
    return {"id": "PYSEC-TEST-1", "affected": [affected]} | more


def audit(export: Path, *advisories: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    with zipfile.ZipFile(export, "w") as archive:
        for number, each in enumerate(advisories):
            archive.writestr(f"{number}.json", json.dumps(each))
    return run(export)


def run(export: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OCTAUDIT_AUDIT_DATABASE": str(export)}
    return subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, env=environment, check=False, timeout=60
    )


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return tmp_path / "all.zip"


def test_a_package_with_a_known_vulnerability_is_named_with_what_mends_it(export: Path) -> None:
    done = audit(export, advisory("NumPy", {"introduced": "0"}, {"fixed": "999.0"}))
    assert done.returncode == 1
    assert f"numpy {version('numpy')}: PYSEC-TEST-1, fixed in 999.0" in done.stderr


def test_versions_before_after_and_between_are_told_apart(export: Path) -> None:
    mended = ({"introduced": "0"}, {"fixed": "0.1"}, {"introduced": "998.0"}, {"fixed": "999.0"})
    last = ({"introduced": "0"}, {"last_affected": "0.1"})
    elsewhere = advisory("numpy", {"introduced": "0"})
    elsewhere["affected"][0]["package"]["ecosystem"] = "npm"
    withdrawn = advisory("numpy", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    done = audit(export, advisory("numpy", *mended), advisory("numpy", *last), elsewhere, withdrawn)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no known vulnerability" in done.stdout


def test_a_version_that_is_listed_is_affected_whatever_the_ranges_say(export: Path) -> None:
    done = audit(export, advisory("numpy", {"introduced": "998.0"}, versions=(version("numpy"),)))
    assert (done.returncode, "no version yet" in done.stderr) == (1, True)


def test_a_file_that_is_no_export_is_refused(export: Path) -> None:
    export.write_text("advisories")
    done = run(export)
    assert (done.returncode, "is no export of OSV" in done.stderr) == (1, True)
