"""Reports, schedules, exports and one's own uploads in a real Chromium; the keeper's part is played by the test."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from builders import make_batch, make_scan
from databases import fresh_settings
from demo_rows import DemoRows, write_demo_rows
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in
from sqlalchemy import select, update

from core.clock import now
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.database.tables import BatchFile, Report, Scan, Site, User
from core.database.tables import Session as Login
from core.reports.make_report import make_asked
from core.settings import Settings
from core.storage import open_blob_store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Desk:
    """The served demo study: a manager's page, a technician's page, and what stands behind them."""

    settings: Settings
    rows: DemoRows
    address: str
    manager: Page
    technician: Page
    failed_scan_id: int
    batch_id: int

    def make_reports(self) -> int:
        """The keeper's turn."""
        with open_database(self.settings, DatabaseRole.WORKER) as worker:
            return make_asked(worker, open_blob_store(self.settings))

    def get(self, page: Page, path: str) -> tuple[int, bytes]:
        answer = page.request.get(f"{self.address}{path}")
        return answer.status, answer.body()


def user_of(token: str) -> object:
    return select(Login.user_id).where(Login.token_sha256 == hashlib.sha256(token.encode()).hexdigest())


def write_uploads(session: object, rows: DemoRows) -> tuple[int, int]:
    """A technician's batch: a failed scan and a rejected file."""
    uploader = session.scalars(user_of(rows.technician)).one()  # type: ignore[attr-defined]
    site = session.get_one(Site, rows.site_ids[rows.study.planted.bad_site])  # type: ignore[attr-defined]
    batch = make_batch(session, site, uploaded_by_id=uploader, submitted_at=now())  # type: ignore[arg-type]
    scan = make_scan(session, site, batch=batch, state="failed", failure="The image could not be read.")  # type: ignore[arg-type]
    fault = {"code": "x", "message": "The file is empty.", "remedy": "Export it again.", "field": None,
             "is_blocking": True}  # fmt: skip
    for name, state, scan_id, problems in (("od.png", "accepted", scan.id, []), ("os.png", "rejected", None, [fault])):
        file = BatchFile(site_id=site.id, batch_id=batch.id, original_name=name, size_bytes=1, state=state, entry={},
                         problems=problems, scan_id=scan_id)  # fmt: skip
        session.add(file)  # type: ignore[attr-defined]
    session.execute(
        update(User).where(User.id == user_of(rows.manager).scalar_subquery()).values(email="m@example.org")
    )  # type: ignore[attr-defined]
    session.flush()  # type: ignore[attr-defined]
    return scan.id, batch.id


@pytest.fixture(scope="module")
def strays() -> list[str]:
    return []


@pytest.fixture(scope="module")
def desk(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory, strays: list[str]
) -> Iterator[Desk]:
    with fresh_settings(servers, database_template, tmp_path_factory.mktemp("reports")) as settings:
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            rows = write_demo_rows(session, now().date() - timedelta(days=1))
            failed_scan_id, batch_id = write_uploads(session, rows)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OCTAUDIT_SMTP_HOST", "127.0.0.1")
            with serve(settings) as address, chromium() as browser:
                pages = []
                for token in (rows.manager, rows.technician):
                    page = signed_in(browser, address, token, strays)
                    pages.append(page)
                yield Desk(settings, rows, address, *pages, failed_scan_id, batch_id)


def test_a_report_is_asked_for_made_listed_with_its_hash_and_saved(desk: Desk) -> None:
    page = desk.manager
    page.goto(f"{desk.address}/reports")
    page.get_by_role("button", name="Make the report").click()
    expect(page.get_by_text(re.compile(r"Report \d+ is being made"))).to_be_visible()
    reports = page.get_by_role("region", name="Reports")
    expect(reports.get_by_text("Being made")).to_be_visible()
    assert desk.make_reports() == 1
    link = reports.get_by_role("link", name="PDF")
    expect(link).to_be_visible()
    with page.expect_download() as saved:
        link.click()
    content = saved.value.path().read_bytes()
    assert content.startswith(b"%PDF-")
    shown = reports.locator("code").first.inner_text()
    assert hashlib.sha256(content).hexdigest().startswith(shown)
    assert saved.value.suggested_filename.startswith("octaudit-")


def test_another_sites_technician_gets_neither_the_report_nor_a_word_of_it(desk: Desk) -> None:
    other = next(code for code in desk.rows.site_ids if code != desk.rows.study.planted.bad_site)
    with open_database(desk.settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        report_id = session.scalars(select(Report.id).where(Report.site_id == desk.rows.site_ids[other])).first()
    status, body = desk.get(desk.technician, f"/reports/{report_id}.pdf")
    assert status == 404
    assert other.encode() not in body
    desk.technician.goto(f"{desk.address}/reports")
    expect(desk.technician.get_by_text("No report yet")).to_be_visible()


def test_a_schedule_is_made_paused_and_ended(desk: Desk) -> None:
    page = desk.manager
    page.goto(f"{desk.address}/reports")
    settle(page)
    page.get_by_text("Schedule a report", exact=True).click()
    settle(page)
    recipients = page.get_by_role("combobox", name=re.compile("Recipients"))
    recipients.scroll_into_view_if_needed()  # the list closes when the page scrolls, as a click may make it do
    recipients.click()
    page.get_by_role("option").filter(has_not_text="no confirmed address").first.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.get_by_text(re.compile("Scheduled: Site report card, Mondays, 06:00 UTC"))).to_be_visible()
    schedules = page.get_by_role("region", name="Schedules")
    expect(schedules.get_by_text("Mondays, 06:00 UTC")).to_be_visible()
    page.get_by_text("Change, pause or end a schedule", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(schedules.get_by_text("paused")).to_be_visible()
    page.get_by_text("Change, pause or end a schedule", exact=True).click()
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("No report is scheduled.")).to_be_visible()


def test_an_export_and_a_tip_sheet_come_by_their_links_and_not_from_another_host(desk: Desk) -> None:
    page = desk.manager
    page.goto(f"{desk.address}/reports")
    for label, start in (("Export (ZIP)", b"PK"), ("Tip sheet (PDF)", b"%PDF-")):
        link = page.get_by_role("link", name=label)
        expect(link).to_be_visible()
        address = link.get_attribute("href")
        assert address
        status, body = desk.get(page, address.removeprefix(desk.address))
        assert status == 200
        assert body.startswith(start)
        foreign = page.request.get(f"{desk.address}{address}", headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status == 403
    archive = zipfile.ZipFile(io.BytesIO(desk.get(page, f"/exports/rates.zip?study={desk.rows.study_id}")[1]))
    assert "rates.parquet" in archive.namelist()
    assert desk.get(page, "/exports/everything.zip?study=1")[0] == 404


def test_my_uploads_show_each_files_fault_and_failed_scans_are_tried_again(desk: Desk, strays: list[str]) -> None:
    page = desk.technician
    page.goto(f"{desk.address}/uploads")
    expect(page.get_by_text("1 failed")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Receipt (PDF)").click()
    assert saved.value.path().read_bytes().startswith(b"%PDF-")
    page.goto(f"{desk.address}/uploads?batch={desk.batch_id}")
    expect(page.get_by_text("The file is empty.")).to_be_visible()
    expect(page.get_by_text("Export it again.")).to_be_visible()
    page.get_by_role("button", name="Try failed scans again").click()
    expect(page.get_by_text(re.compile("1 scan waits for its score again"))).to_be_visible()
    with open_database(desk.settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        assert session.get_one(Scan, desk.failed_scan_id).state == "queued"
    assert strays == []
