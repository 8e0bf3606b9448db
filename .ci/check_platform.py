"""Say in one sentence, before anything is installed, what this machine must bring itself. Standard library only.

Run by the Makefile with the Python that will make the environment; exits 1 where something is missing.
"""

import platform
import shutil
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
"""The Python versions for which every pinned package has a wheel."""


def main() -> int:
    """Check the Python version and whether Redis comes as a wheel or must be on PATH."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        print(f"octaudit needs Python 3.11 or 3.12, and this is {platform.python_version()}: install one of them.")
        return 1
    machine = f"{platform.system()} {platform.machine()} with Python {version[0]}.{version[1]}"
    if platform.system() == "Linux" and platform.machine() in {"x86_64", "AMD64"} and version <= (3, 12):
        return 0
    found = shutil.which("redis-server")
    if found:
        print(f"There is no bundled Redis for {machine}; {found} will be used.")
        return 0
    print(f"There is no bundled Redis for {machine}: put a redis-server on PATH, then run this again.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
