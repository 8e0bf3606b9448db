"""dciodvfy of Debian's dicom3tools, the independent judge of our DICOM objects: found first, fetched where there is none.

``python tests/dicom_validator.py`` (run by ``make test``) makes sure that there is one; tests import ``faults``.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NAME = "dciodvfy"
VARIABLE = "OCTAUDIT_TEST_DCIODVFY"
FOLDER = Path.home() / ".cache" / "octaudit-tests" / "dicom3tools"


@dataclass(frozen=True)
class Faults:
    """What the validator says of one object, a sentence each."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


@functools.cache
def find_validator() -> str | None:
    """Path of dciodvfy: named by OCTAUDIT_TEST_DCIODVFY, else on PATH, else fetched before; None: there is none."""
    fetched = FOLDER / "usr" / "bin" / NAME
    return os.environ.get(VARIABLE) or shutil.which(NAME) or (str(fetched) if fetched.is_file() else None)


def faults(path: Path) -> Faults:
    """What dciodvfy finds wrong with the object at ``path``. Without the program this fails; it never passes."""
    program = find_validator()
    assert program, f"The DICOM tests need {NAME}: install dicom3tools, or name it in {VARIABLE}."
    done = subprocess.run([program, "-new", str(path)], check=False, capture_output=True, text=True, timeout=60)
    said = [line.strip() for line in done.stderr.splitlines()]
    return Faults(
        tuple(line for line in said if line.startswith("Error")),
        tuple(line for line in said if line.startswith("Warning")),
    )


def get_validator() -> bool:
    """Fetch it with apt: installed as root, else unpacked into the cache without rights. True: it worked."""
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        return _worked("apt-get", "update") and _worked("apt-get", "install", "--yes", "dicom3tools")
    with tempfile.TemporaryDirectory() as folder:
        if not _worked("apt-get", "download", "dicom3tools", cwd=folder):
            return False
        (package,) = Path(folder).glob("*.deb")
        FOLDER.mkdir(parents=True, exist_ok=True)
        return _worked("dpkg", "--extract", str(package), str(FOLDER))


def _worked(*command: str, cwd: str | None = None) -> bool:
    print(f"No {NAME} found:", " ".join(command), file=sys.stderr)  # noqa: T201 - a download needs announcing
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL, cwd=cwd).returncode == 0


def main() -> int:
    """Make sure that there is a validator; one sentence and exit 1 where none can be had."""
    if find_validator() or get_validator():
        return 0
    print(f"The DICOM tests need {NAME}: install dicom3tools, or name it in {VARIABLE}.", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
