"""Write constraints.txt: the exact version, in this environment, of every package that pyproject.toml names."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def direct_dependencies() -> list[str]:
    """Names of all packages that pyproject.toml asks for, extras included, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return sorted({re.match(r"[A-Za-z0-9._-]+", line).group().lower() for line in lines})


def pin(name: str) -> str | None:
    """``name==version`` without a local part such as +cpu; None where this platform has no such package."""
    try:
        return f"{name}=={version(name).split('+')[0]}"
    except PackageNotFoundError:
        return None


def main() -> None:
    """Write the file."""
    pins = [line for line in map(pin, direct_dependencies()) if line]
    head = "# Versions octaudit was tested with; `make constraints` writes this file. Direct dependencies only.\n"
    (ROOT / "constraints.txt").write_text(head + "\n".join(pins) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
