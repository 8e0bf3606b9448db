"""The calendar of visits as a file in a real Chromium: chosen, looked at, imported, and seen among what is planned."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from clinics import Clinics, build_clinics
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in

from core.clock import now
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Manager:
    page: Page
    address: str
    clinics: Clinics


@pytest.fixture
def strays() -> list[str]:
    return []


@pytest.fixture
def manager(settings: Settings, owner_database: Database, strays: list[str]) -> Iterator[Manager]:
    with session_scope(owner_database) as session:
        clinics = build_clinics(session, open_blob_store(settings))
    with serve(settings) as address, chromium() as browser:
        page = signed_in(browser, address, clinics.manager, strays)
        yield Manager(page, address, clinics)


def test_a_calendar_file_is_read_in_the_browser_and_imported(
    manager: Manager, tmp_path: Path, strays: list[str]
) -> None:
    page, day = manager.page, now().date()
    calendar = tmp_path / "calendar.csv"
    calendar.write_bytes(
        f"sep=;\nSite;Subject;Visit;Planned on\nS01;P-7;V2;{day + timedelta(days=3)}\nS02;P-8;V2;14.3.2026\n".encode(
            "utf-16"
        )
    )
    page.goto(f"{manager.address}/completeness?view=planned")
    page.get_by_text("Import the calendar of visits").click()
    settle(page)
    page.locator("input[type=file]").set_input_files(calendar)
    expect(page.get_by_text("1 new.")).to_be_visible()
    expect(page.get_by_text("cannot be read as a day without guessing")).to_be_visible()
    page.get_by_role("button", name="Import 1 change").click()
    expect(page.get_by_text("Imported: 1 new.")).to_be_visible()
    expect(page.get_by_role("row", name="P-7 · V2")).to_contain_text("in 3 days")
    assert strays == []
