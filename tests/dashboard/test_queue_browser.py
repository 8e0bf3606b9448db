"""The page Queue in a real Chromium: it follows the queue by itself, and a scan is queued again with the keyboard."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from builders import make_batch, make_member, make_scan, make_site
from databases import fresh_settings
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in

from core.clock import now
from core.database import tables
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.usecases.report_process import ProcessKind, ProcessReport
from core.vocabulary import Role, ScanState

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)
TIMES_OPENED, OPENS_WITHIN_MS = 3, 5000


@dataclass
class Seen:
    """The page of a manager, and the rows behind it."""

    page: Page
    owner: Database
    site_id: int
    failed_id: int


def seed(owner: Database, worker: Database) -> tuple[str, int, int]:
    with session_scope(owner) as session:
        site = make_site(session)
        batch = make_batch(session, site, submitted_at=now() - timedelta(minutes=12))
        for _ in range(5):
            make_scan(session, site, batch=batch)
        make_scan(session, site, batch=batch, state=ScanState.SCORING.value, attempts=1)
        failed = make_scan(
            session,
            site,
            batch=batch,
            state=ScanState.FAILED.value,
            attempts=5,
            failure="The GPU ran out of memory for this image.",
        )
        make_scan(
            session,
            site,
            batch=batch,
            state=ScanState.QUARANTINED.value,
            attempts=3,
            worker_losses=3,
            failure="The worker was lost 3 times while it scored this scan.",
        )
        _, token = make_member(session, Role.MANAGER, site=site)
        made = token, site.id, failed.id
    for device, n in (("NVIDIA H200", 480), ("cpu", 12)):
        facts = {
            "models": [{"lane": "octa-enface", "name": "octa-enface", "version": "1.2.0"}], "device": device,
            "held_bytes": 3 << 30, "total_bytes": 139 << 30 if device != "cpu" else None,
        }  # fmt: skip
        report = ProcessReport(worker, ProcessKind.WORKER, lambda facts=facts: facts)
        report.add_work(n_scored=n, n_failed=1, n_lost=0, seconds=60)
        report.beat(is_forced=True)
    duties = [{"name": "return expired leases", "every_s": 10, "done_at": now().isoformat(), "has_failed": False}]
    ProcessReport(worker, ProcessKind.KEEPER, lambda: {"duties": duties}).beat()
    return made


@pytest.fixture(scope="module")
def strays() -> list[str]:
    return []


@pytest.fixture(scope="module")
def seen(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory, strays: list[str]
) -> Iterator[Seen]:
    with (
        fresh_settings(servers, database_template, tmp_path_factory.mktemp("queue")) as settings,
        open_database(settings, DatabaseRole.OWNER) as owner,
        open_database(settings, DatabaseRole.WORKER) as worker,
    ):
        token, site_id, failed_id = seed(owner, worker)
        with serve(settings) as address, chromium() as browser:
            page = signed_in(browser, address, token, strays)
            page.goto(f"{address}/scoring-queue")
            expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()
            yield Seen(page, owner, site_id, failed_id)


def counter(page: Page, label: str, value: str) -> None:
    found = page.locator(".counter", has_text=label).locator(".value")
    expect(found.first).to_have_text(value)


def open_scans(page: Page) -> None:
    """Open the list of scans by key, again where the page was drawn anew meanwhile: its figures are, every ten seconds."""
    scans, options = page.get_by_role("combobox", name="Scans"), page.get_by_role("option")
    expect(scans).to_be_visible()
    for _ in range(TIMES_OPENED):
        settle(page)
        scans.focus()
        page.keyboard.press("ArrowDown")
        with suppress(AssertionError):
            expect(options).not_to_have_count(0, timeout=OPENS_WITHIN_MS)
            return
    expect(options).not_to_have_count(0)


def test_the_figures_follow_the_queue_without_a_click(seen: Seen) -> None:
    counter(seen.page, "Waiting", "5")
    expect(seen.page.get_by_text("keeper alive")).to_be_visible()
    with session_scope(seen.owner) as session:
        make_scan(session, session.get_one(tables.Site, seen.site_id))
    counter(seen.page, "Waiting", "6")


def test_a_failed_scan_is_queued_again_with_the_keyboard(seen: Seen) -> None:
    page = seen.page
    open_scans(page)
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.type(f"#{seen.failed_id} ·")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")  # the list of scans closes; open, it hides the rest of the form
    page.get_by_role("textbox", name="Reason").fill("More memory was freed.")
    page.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 scan queued again.")).to_be_visible()
    with session_scope(seen.owner) as session:
        assert session.get_one(tables.Scan, seen.failed_id).state == ScanState.QUEUED


def test_enter_takes_one_scan_and_a_discard_is_confirmed_by_name(seen: Seen) -> None:
    page = seen.page
    with session_scope(seen.owner) as session:
        site = session.get_one(tables.Site, seen.site_id)
        others = [make_scan(session, site, state=ScanState.FAILED.value, failure="No image.").id for _ in range(2)]
    page.reload()
    open_scans(page)
    page.keyboard.type("#")  # every scan matches
    expect(page.get_by_role("option")).to_have_count(3)
    first = page.get_by_role("option").first.inner_text()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_text("Discard", exact=True).click()
    page.get_by_role("textbox", name="Reason").fill("Sent by mistake.")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("Discard 1 scan for good?")
    expect(page.get_by_role("alert").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("alert").get_by_role("listitem")).to_contain_text(first)
    page.get_by_role("button", name="Discard 1 scan").click()
    expect(page.get_by_text("1 scan discarded.")).to_be_visible()
    chosen_id = int(first.split("#")[1].split(" ")[0])
    with session_scope(seen.owner) as session:
        closed = [each for each in others if session.get_one(tables.Scan, each).state != ScanState.FAILED]
    assert closed == [each for each in others if each == chosen_id]


def test_the_page_asks_nobody_else_and_raises_nothing(seen: Seen, strays: list[str]) -> None:
    expect(seen.page.get_by_role("heading", name="Workers", exact=True).first).to_be_visible()
    assert strays == []
