"""Which Chromium the browser tests drive, and how to get one: found first, fetched only where none is found.

``python tests/browser.py`` (run by ``make test``) makes sure that there is one; tests import ``find_chromium``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "OCTAUDIT_TEST_CHROMIUM"


def find_chromium() -> str | None:
    """Path of a browser: named by OCTAUDIT_TEST_CHROMIUM, else on PATH, else fetched by Playwright; None: there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    on_path = next((path for path in map(shutil.which, NAMES) if path), None)
    return on_path or playwright_chromium()


def playwright_chromium() -> str | None:
    """Path of the Chromium that ``playwright install chromium`` fetched; None where it was not."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def launch_arguments() -> list[str]:
    """Arguments that Chromium needs here; as root it refuses to start with its sandbox."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def get_chromium() -> bool:
    """Fetch a Chromium: through Playwright, else, as root, from the distribution. True: it worked."""
    if _worked(sys.executable, "-m", "playwright", "install", "chromium") and playwright_chromium():
        return True
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _worked("apt-get", "update")
        return _worked("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
    return False


def _worked(*command: str) -> bool:
    print("No Chromium found:", " ".join(command), file=sys.stderr)  # noqa: T201 - a download needs announcing
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


def main() -> int:
    """Make sure that there is a browser; one sentence and exit 1 where none can be had."""
    if find_chromium() or get_chromium():
        return 0
    print(f"The browser tests need Chromium: install it, or name one in {VARIABLE}.", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
