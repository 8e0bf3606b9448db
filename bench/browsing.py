"""How long a page takes in Chromium until its last chart stands, on a generated programme of a million scans.

Measured twice: with a click in the open application, as people go from page to page all day, and opened by its address
in the browser, when the application itself loads and starts first.

Run it with ``python bench/browsing.py [HOME]``: HOME keeps the generated programme for the next run; without it a
temporary one is made, which takes minutes and about 8 GB.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import find_chromium, launch_arguments  # noqa: E402 - the tests' own browser and server
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from served import serve, watched_page  # noqa: E402

from core.database.roles import DatabaseRole  # noqa: E402
from core.database.session import open_database, session_scope  # noqa: E402
from core.settings import Settings  # noqa: E402
from core.store.generated_reader import Reader, add_reader  # noqa: E402
from core.usecases.measure_pages import browsing_table, browsing_words, generated_programme  # noqa: E402
from core.vocabulary import Role  # noqa: E402
from dashboard.navigation import PAGES  # noqa: E402

FIGURES = ROOT / "docs" / "figures" / "browsing.json"
N_SCANS, N_LOOKS = 1_000_000, 3
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
ADDRESSED = {"scan": "id={scan_id}"}
"""Pages that are reached by an address with a parameter."""
LINKED_FROM = {"scan": "examples"}
"""Pages that are in no list: a link on this one leads there."""
ELSEWHERE, ELSEWHERE_FROM_THERE = "actions", "alerts"
"""Where a click begins: a page with little on it."""

# What changes after the answer of the last script run is the drawing of its charts. Quiet for so long, it is over.
QUIET_MS = 700
WATCH = """
() => {
  window.lastChange = performance.now();
  new MutationObserver(() => { window.lastChange = performance.now(); })
    .observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
}
"""
IS_STILL = f"""
() => document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') === 'notRunning'
  && performance.now() - window.lastChange > {QUIET_MS}
"""
CLICK = "(link) => { window.lastChange = performance.now(); link.click(); return window.lastChange; }"
ARRIVED = "(path) => location.pathname === path"


def main(say: Callable[[str], object], home: Path | None) -> None:
    """Open every page of a manager of all sites a few times, note when it stood still, and write the figures."""
    with generated_programme(N_SCANS, NOW, home=home) as settings:
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            reader = add_reader(session, None)
        pages = _look_at_all(settings, reader)
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[1], 1)}
    record = {"n_scans": N_SCANS, "n_looks": N_LOOKS, "machine": machine, "pages": pages}
    say(f"{browsing_words(record)}\n\n{browsing_table(record)}")
    FIGURES.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


class _Looker:
    """A manager's browser on the dashboard that serves these settings."""

    def __init__(self, page: Page, address: str, reader: Reader) -> None:
        self._page, self._address, self._reader = page, address, reader
        page.context.add_cookies([{"name": "octaudit_session", "value": reader.token, "url": address}])
        page.add_init_script(f"({WATCH})()")

    def open(self, url_path: str) -> float:
        """Seconds from asking for the page's address until nothing in it changed any more."""
        query = ADDRESSED.get(url_path, "").format(scan_id=self._reader.scan_id)
        self._page.goto(f"{self._address}/{url_path}?{query}".removesuffix("?"), wait_until="commit")
        return self._still_at_ms() / 1000.0

    def click(self, url_path: str) -> float | None:
        """Seconds from a click on another page; None where no link within the application leads here."""
        start = LINKED_FROM.get(url_path, ELSEWHERE if url_path != ELSEWHERE else ELSEWHERE_FROM_THERE)
        self.open(start)
        if url_path in LINKED_FROM:
            link = self._page.locator(f'a[href*="/{url_path}?"]')
        else:
            link = self._page.locator(f'[data-testid=stSidebarNavLink][href$="{_path(url_path)}"]')
        if not link.count():
            return None
        began_ms: float = link.first.evaluate(CLICK)
        self._page.wait_for_function(ARRIVED, arg=_path(url_path), polling=20)
        return (self._still_at_ms() - began_ms) / 1000.0

    def _still_at_ms(self) -> float:
        self._page.wait_for_function(IS_STILL, polling=50)
        changed_ms: float = self._page.evaluate("() => window.lastChange")
        return changed_ms


def _path(url_path: str) -> str:
    """The first page of all is known by ``/`` only."""
    return "/" if url_path == PAGES[0].url_path else f"/{url_path}"


def _look_at_all(settings: Settings, reader: Reader) -> list[dict[str, Any]]:
    found = []
    with serve(settings) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=launch_arguments())
        looker = _Looker(watched_page(browser, address, []), address, reader)
        for each in PAGES:
            if Role.MANAGER in each.roles:
                looker.open(each.url_path)  # warms the caches of browser and server
                opened: list[float | None] = [looker.open(each.url_path) for _ in range(N_LOOKS)]
                clicked = [looker.click(each.url_path) for _ in range(N_LOOKS)]
                found.append({"page": each.title, **_figures("opened", opened), **_figures("clicked", clicked)})
        browser.close()
    return found


def _figures(name: str, looks: list[float | None]) -> dict[str, float]:
    seconds = [look for look in looks if look is not None]
    if not seconds:
        return {}
    return {f"{name}_median_s": round(statistics.median(seconds), 2), f"{name}_most_s": round(max(seconds), 2)}


if __name__ == "__main__":
    main(lambda line: sys.stdout.write(f"{line}\n"), Path(sys.argv[1]) if len(sys.argv) > 1 else None)
