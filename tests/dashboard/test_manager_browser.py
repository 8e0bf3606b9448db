"""A manager's questions over the demo study, each answered in a real Chromium in under four clicks."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from databases import fresh_settings
from demo_rows import DemoRows, write_demo_rows
from playwright.sync_api import Locator, Page, expect
from served import PATIENCE_MS, chromium, serve, settle, watched_page

from core.clock import now
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)
FEW_CLICKS = 3


class Manager:
    """A signed-in manager who counts clicks since the last question."""

    def __init__(self, page: Page, address: str, rows: DemoRows) -> None:
        self.page, self.address, self.rows, self.clicks = page, address, rows, 0
        page.context.add_cookies([{"name": "octaudit_session", "value": rows.manager, "url": address}])

    def asks(self) -> None:
        """A new question begins on the Overview."""
        self.page.goto(self.address)
        expect(self.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        self.clicks = 0

    def click(self, found: Locator) -> None:
        found.click()
        self.clicks += 1
        assert self.clicks <= FEW_CLICKS

    def sees(self, words: str) -> None:
        expect(self.page.get_by_text(re.compile(words)).first).to_be_visible()

    def row(self, site: str) -> Locator:
        """The site's row in the matrix."""
        return self.page.locator("table.matrix tr", has=self.page.get_by_role("link", name=site, exact=True))


@pytest.fixture(scope="module")
def strays() -> list[str]:
    return []


@pytest.fixture(scope="module")
def manager(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory, strays: list[str]
) -> Iterator[Manager]:
    with fresh_settings(servers, database_template, tmp_path_factory.mktemp("manager")) as settings:
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            # On a Monday the present week has no day before it: a month would hold three weeks of a small study.
            today = now().date()
            rows = write_demo_rows(session, today - timedelta(days=1 if today.weekday() else 0))
        with serve(settings) as address, chromium() as browser:
            yield Manager(watched_page(browser, address, strays), address, rows)


def test_the_site_that_got_worse_this_month_is_found_by_name_and_why(manager: Manager, strays: list[str]) -> None:
    page, bad = manager.page, manager.rows.study.planted.bad_site
    manager.asks()  # Which site got worse this month, and why?
    manager.click(page.get_by_role("combobox", name="Period"))
    manager.click(page.get_by_role("option", name="Last 4 weeks"))
    arrows = page.get_by_title("more than in the period before")
    expect(page.locator("table.matrix tbody tr", has=arrows)).to_have_count(1)
    expect(manager.row(bad).get_by_title("more than in the period before").first).to_be_visible()
    manager.click(manager.row(bad).get_by_role("link", name="Why"))
    expect(page).to_have_url(re.compile(r"/why\?.*period=4w"))
    manager.sees(r"Most often: motion \(100")
    assert strays == []


def test_a_manager_s_questions_are_answered_in_under_four_clicks(manager: Manager, strays: list[str]) -> None:
    planted = manager.rows.study.planted
    page, bad, declining_site = manager.page, planted.bad_site, planted.declining_device.rsplit("-", 1)[0]

    manager.asks()  # Which site is bad, and why? Operator or patients? Did taking scans again help?
    manager.sees(rf"of 5 sites flagged red \({bad}")
    manager.click(manager.row(bad).get_by_role("link", name="Why"))
    manager.sees(r"Most often: motion \(100")
    manager.sees("Operator or patient\\? 100.% can be cured at the device")
    manager.sees(r"Taking scans again helped in \d+ of \d+ cases")

    manager.click(page.get_by_role("link", name="Example scans").first)  # Show me five examples.
    expect(page.get_by_role("heading", name="Examples", level=1)).to_be_visible()
    cards = page.locator("article.card")
    expect(cards.nth(4)).to_be_visible()
    expect(cards.filter(has_text=bad)).to_have_count(cards.count())

    manager.asks()  # Which site got worse over a quarter, and why?
    manager.click(page.get_by_role("combobox", name="Period"))
    manager.click(page.get_by_role("option", name="Last 13 weeks"))
    worse = manager.row(declining_site).get_by_title("more than in the period before")
    expect(worse.first).to_be_visible()
    manager.click(manager.row(declining_site).get_by_role("link", name="Why"))
    manager.sees(r"Most often: weak signal or shadow \(100")

    manager.asks()  # A cell leads to its own trend, a point of it to the scans with that fault.
    manager.click(manager.row(bad).locator('a[href*="of=motion"]'))
    manager.sees(rf"{bad}: \d+ points? breaks? a rule")
    manager.click(page.locator(".signals a").first)
    expect(page).to_have_url(re.compile(r"/examples\?.*fault=motion"))
    expect(page.locator("article.card").first).to_be_visible()

    manager.asks()  # Which device is it at the other site? Since when, and what happened then?
    manager.click(manager.row(declining_site).get_by_role("link", name=declining_site, exact=True))
    manager.click(page.get_by_text("Device serial", exact=True))
    manager.click(page.locator("a.multiple").first)
    manager.sees(rf"{planted.declining_device}: \d point")
    manager.sees("evidence of doubled odds adds up after")
    manager.sees(rf"within 4 weeks of .*{re.escape(planted.decline_cause.rstrip('.'))}")

    manager.asks()  # From the funnel to a unit's trend, and from a point of it to its scans.
    manager.click(page.get_by_role("link", name="Sites & devices"))
    manager.click(page.locator(f'path[aria-roledescription="point"][aria-label*="{bad}"]').first)
    manager.sees(rf"{bad}: \d points break")
    manager.click(page.locator(".signals a").first)
    expect(page).to_have_url(re.compile(r"/examples\?.*days="))
    expect(page.locator("article.card").first).to_be_visible()

    manager.asks()  # The flag is seen: acknowledged in three clicks, and no longer counted as new.
    manager.click(manager.row(bad).get_by_role("link", name="Act"))
    manager.click(page.get_by_text("Acknowledge the flag", exact=True))
    page.get_by_label("Comment (required)").fill("They train on Monday.")
    manager.click(page.get_by_role("button", name="Acknowledge", exact=True))
    manager.sees(f"flags? of {bad} acknowledged")
    manager.asks()
    manager.sees(rf"of 5 sites flagged red \({bad}\), 0 newly")
    assert strays == []


def test_a_chart_is_saved_as_a_picture_and_its_data_as_a_table(manager: Manager, strays: list[str]) -> None:
    page, planted = manager.page, manager.rows.study.planted
    page.goto(f"{manager.address}/why")
    expect(page.locator('[data-testid="stVegaLiteChart"] svg.marks').first).to_be_visible()
    settle(page)  # a chart further down may be drawn first
    saved = {}
    for kind in ("png", "svg"):
        with page.expect_download() as download:
            page.locator(f'a[data-save="{kind}"]').first.click()
        saved[kind] = Path(download.value.path()).read_bytes()
        assert (
            download.value.suggested_filename
            == f"octaudit-ungradable-first-captures-by-weightiest-cause-the-most.{kind}"
        )
    assert saved["png"].startswith(b"\x89PNG")
    assert b"@font-face" in saved["svg"], "words keep their width without the page's font"
    assert b"Motion" in saved["svg"]
    page.get_by_text("Data behind the chart").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Data (CSV)").first.click()
    head, first, *_ = Path(download.value.path()).read_text("utf-8").splitlines()
    assert head.startswith("code,cause,cure,failed_first")
    assert first.startswith(f"{planted.bad_site_reason},")
    assert strays == []


def test_every_mark_opens_its_scan(manager: Manager, strays: list[str]) -> None:
    page = manager.page
    for address in ("/faz?group=device", "/sites?view=scans"):
        page.goto(f"{manager.address}{address}")
        page.locator('path[aria-roledescription="point"]').nth(3).click(force=True)
        expect(page).to_have_url(re.compile(r"/scan\?id=\d+"))  # its pixels are no part of the rows
    assert strays == []
