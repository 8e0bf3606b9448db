"""The whole line as people use it, in real browsers: upload, scores, review, request, replacement, counts, audit, PDF.

One installation as `octaudit up` runs it: embedded servers, a Celery worker with the bundled weights, the keeper and the
dashboard. Nothing is faked.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browser import find_chromium, launch_arguments
from databases import server_folder
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright
from pypdf import PdfReader
from uploads import phantom, png, zipped

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.phantom.caption import Caption, burn_in
from core.settings import Settings
from core.store.access import PROGRAM
from core.usecases.administer_study import add_device, add_site, add_study, add_technician
from core.usecases.administer_users import add_user, grant_role
from core.vocabulary import Role

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

START_S = 150
SCORED_MS = 120_000
PATIENCE_MS = 30_000
NEW_PASSWORD = "three quiet herons wade"


@dataclass
class Person:
    """A user with a browser window of their own; ``strays`` are requests that left this machine."""

    name: str
    page: Page
    address: str
    strays: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, first_password: str) -> None:
        """Sign in with the first password and choose an own one, as everyone must."""
        self.open("/")
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(first_password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("#old").fill(first_password)
        self.page.locator("#new").fill(NEW_PASSWORD)
        self.page.locator("#again").fill(NEW_PASSWORD)
        self.page.get_by_role("button", name="Save the new password").click()
        expect(self.page.locator("[data-testid=stApp]")).to_be_visible(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Installation:
    """A running installation and the first passwords of its people."""

    address: str
    passwords: dict[str, str]
    home: Path

    def octaudit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the installation's machine, as its operator does."""
        environment = {**os.environ, "OCTAUDIT_HOME": str(self.home)}
        command = [sys.executable, "-m", "core.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with server_folder("octaudit-story-") as home:
        log = home / "up.out"
        environment = {**os.environ, "OCTAUDIT_HOME": str(home), "OCTAUDIT_WORKER_DEVICE": "cpu"}
        command = [sys.executable, "-m", "core.cli", "up", "--port", "18900"]
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            address = wait_for_address(process, log)
            yield Installation(address, set_up(Settings(home=home)), home)
        finally:
            process.terminate()
            process.wait(90)


def wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        if "Ctrl-C stops everything" in log.read_text():
            return re.findall(r"http://\S+", log.read_text())[-1]
        time.sleep(0.2)
    raise AssertionError(f"octaudit up did not come up:\n{log.read_text()}")


def set_up(settings: Settings) -> dict[str, str]:
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        study = add_study(session, actor=PROGRAM, code="STORY", name="Story study")
        site = add_site(session, actor=PROGRAM, study_id=study, code="S01", name="Leipzig")
        add_device(
            session, actor=PROGRAM, site_id=site, code="S01-A", manufacturer="Topcon", model="Triton", serial="T-1"
        )
        add_technician(session, actor=PROGRAM, site_id=site, code="T01")
        passwords = {}
        for name, role, of_site in (
            ("tess", Role.SITE_TECHNICIAN, site),
            ("quinn", Role.QC_TECHNICIAN, None),
            ("mara", Role.MANAGER, None),
        ):
            login = add_user(session, actor=PROGRAM, name=name)
            grant_role(session, actor=PROGRAM, user_id=login.user_id, role=role, study_id=study, site_id=of_site)
            passwords[name] = login.password
    return passwords


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    assert path is not None, "make browser finds or fetches a Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        yield browser
        browser.close()


def person(installation: Installation, chromium: Browser, name: str) -> Person:
    context: BrowserContext = chromium.new_context(viewport={"width": 1440, "height": 1000})
    someone = Person(name, context.new_page(), installation.address)

    def note(request: Request) -> None:
        if not request.url.startswith((installation.address, "data:", "blob:", "about:")):
            someone.strays.append(request.url)

    context.on("request", note)
    someone.sign_in(installation.passwords[name])
    return someone


def manifest(*rows: dict[str, str]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines).encode()


def row(file: str, **changes: str) -> dict[str, str]:
    shown = {
        "file": file, "study": "STORY", "site": "S01", "subject": "S01-001", "visit": "V1", "acquisition": "A1",
        "acquired_at": (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d %H:%M"), "eye": "OD",
        "kind": "octa-enface", "slab": "superficial", "field_width_mm": "3", "field_height_mm": "3",
        "device": "S01-A", "software_version": "1.2", "technician": "T01",
    }  # fmt: skip
    return shown | changes


def mixed_zip() -> bytes:
    """Three good files (one with severe motion) and one of each common fault."""
    good, moving = phantom(seed=11, size_px=304), phantom(seed=12, size_px=304, motion=1.0)
    named = burn_in(phantom(seed=13, size_px=304), Caption("MEIER ANNA 1961", height_px=16))[0]
    return zipped({
        "good.png": png(good),
        "moving.png": png(moving),
        "third.png": png(phantom(seed=14, size_px=304)),
        "named.png": png(named),
        "cut.png": png(phantom(seed=15, size_px=304))[:4000],
        "note.png": b"this is no image at all",
        "twice.png": png(good),
        "both-eyes.png": png(phantom(seed=16, size_px=304)),
        "manifest.csv": manifest(
            row("good.png"),
            row("moving.png", subject="S01-002"),
            row("third.png", subject="S01-003"),
            row("named.png", subject="S01-004"),
            row("twice.png", subject="S01-005"),
            row("both-eyes.png", subject="S01-006", eye="OU"),
        ),
    })  # fmt: skip


def upload(page: Page, name: str, data: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files(
        {"name": name, "mimeType": "application/zip", "buffer": data}
    )


def number_beside(page: Page, label: str) -> Locator:
    counter = page.locator(".counter").filter(has=page.get_by_text(label, exact=True))
    return counter.locator(".value")


def test_a_bad_scan_travels_from_upload_to_request_to_replacement_and_the_counts_follow(
    installation: Installation, chromium: Browser
) -> None:
    mara = person(installation, chromium, "mara")
    mara.open("/")
    expect(number_beside(mara.page, "First captures received")).to_have_text("0", timeout=PATIENCE_MS)

    tess = person(installation, chromium, "tess")
    the_site_uploads_and_sees_what_is_wrong_with_each_file(tess)
    quinn = person(installation, chromium, "quinn")
    the_reading_centre_looks_and_asks_for_a_new_capture(quinn)
    path = the_site_uploads_the_replacement_from_its_worklist(tess)
    the_reading_centre_accepts_it_and_the_request_closes(quinn, path)
    the_request_s_course_is_on_record(quinn, tess)
    the_manager_s_two_rates_differ(mara)
    assert mara.strays + tess.strays + quinn.strays == [], "the pages must fetch nothing from elsewhere"
    the_audit_trail_holds(installation)
    the_report_shows_it(installation)


def the_site_uploads_and_sees_what_is_wrong_with_each_file(tess: Person) -> None:
    page = tess.open("/upload")
    upload(page, "week.zip", mixed_zip())
    submit = page.get_by_role("button", name="Submit 4 files")
    expect(submit).to_be_enabled(timeout=PATIENCE_MS)
    for file, words in {
        "cut.png": "damaged or cut off",
        "note.png": "is no PNG, JPEG, TIFF or BMP",
        "twice.png": "same as that of good.png",
        "both-eyes.png": "OU is no scan's eye",
        "named.png": "burned-in text",
    }.items():
        expect(page.locator("tr").filter(has_text=file).filter(has_text=words).first).to_be_visible()
    submit.click()
    expect(page.get_by_text("You may close this page")).to_be_visible(timeout=PATIENCE_MS)
    expect(number_beside(page, "Scored")).to_have_text("3", timeout=SCORED_MS)


def the_reading_centre_looks_and_asks_for_a_new_capture(quinn: Person) -> None:
    page = quinn.open("/worklist")
    open_scan_of(page, "S01-002")
    overlay = page.locator("input[data-layer=motion]")
    expect(overlay).to_be_visible(timeout=PATIENCE_MS)
    was_on = overlay.is_checked()
    overlay.set_checked(not was_on)
    expect(overlay).to_be_checked(checked=not was_on)
    page.get_by_role("button", name="Override grade").click()  # sure also where the model is not
    page.get_by_label("Ungradable (0)").check()
    page.get_by_label("Reason (required)").fill("The lines are torn: the macula cannot be judged.")
    page.get_by_role("button", name="Save my grade").click()
    expect(page.get_by_text("The grade was overridden.").first).to_be_visible(timeout=PATIENCE_MS)
    quinn.open("/worklist")
    open_scan_of(page, "S01-002")
    page.get_by_role("button", name="Ask for a new scan").click()
    page.get_by_role("button", name="Send to the site").click()
    expect(page.get_by_text("The site was asked for a new scan.")).to_be_visible(timeout=PATIENCE_MS)


def the_site_uploads_the_replacement_from_its_worklist(tess: Person) -> str:
    """The path of the new scan's page. The row names what is new alone: the request knows subject, visit, eye, kind."""
    page = tess.open("/worklist")
    asked = page.locator("li.row").filter(has_text="S01-002")
    expect(asked).to_contain_text("Owner T01", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged: S01-002 V1 OD.")).to_be_visible(timeout=PATIENCE_MS)
    expect(asked).to_contain_text("Acknowledged")
    page.get_by_role("link", name="Upload replacement").click()
    expect(page.get_by_text("Replacement for request")).to_be_visible(timeout=PATIENCE_MS)
    known = {"study", "site", "subject", "visit", "acquisition", "eye", "kind", "field_width_mm", "field_height_mm"}
    new = {name: value for name, value in row("again.png", acquired_at=now_text()).items() if name not in known}
    upload(page, "again.zip", zipped({"again.png": png(phantom(seed=21, size_px=304)), "manifest.csv": manifest(new)}))
    page.get_by_role("button", name="Submit 1 file").click(timeout=PATIENCE_MS)
    expect(number_beside(page, "Scored")).to_have_text("1", timeout=SCORED_MS)
    page.get_by_role("link", name=re.compile(r"Scan \d+")).first.click()
    page.wait_for_url(re.compile(r"scan\?id="), timeout=PATIENCE_MS)
    return page.url.removeprefix(tess.address)


def the_reading_centre_accepts_it_and_the_request_closes(quinn: Person, path: str) -> None:
    page = quinn.open(path)
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("table.captures thead th")).to_have_count(2)
    accept_if_asked(page)
    page = quinn.open("/worklist?tab=reacquire")
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("li.row").filter(has_text="S01-002")).to_have_count(0, timeout=PATIENCE_MS)


def the_request_s_course_is_on_record(quinn: Person, tess: Person) -> None:
    for person_ in (quinn, tess):
        page = person_.open("/tracker?view=board")
        closed = page.get_by_role("region", name="Closed", exact=True)
        closed.get_by_role("link", name="S01-002 · V1").click(timeout=PATIENCE_MS)
        course = page.locator("ol.timeline").filter(has_text="acknowledged the request")
        for words in (
            "asked for a new scan",
            "sent the replacement",
            "Replacement scored",
            "The replacement was accepted.",
        ):
            expect(course.filter(has_text=words)).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("stands for this expected scan")).to_be_visible()


def the_manager_s_two_rates_differ(mara: Person) -> None:
    """First-pass: gradable first captures of those decided. Final: expected scans with a gradable capture of those sent."""
    mara.open("/")
    expect(number_beside(mara.page, "First captures received")).to_have_text(
        "3", timeout=PATIENCE_MS
    )  # a replacement is no first capture
    expect(number_beside(mara.page, "To be taken again")).to_have_text("0")
    first, final = (counts_of(mara.page, title) for title in ("Gradable at the first pass", "Gradable in the end"))
    assert first[0] < first[1], "the capture that was taken again stays a failure of the first pass"
    assert final == (3, 3), "every expected scan has a gradable capture by now"


def counts_of(page: Page, title: str) -> tuple[int, int]:
    """The k and n under one of the two rates."""
    card = page.locator("section.rate").filter(has_text=title)
    found = re.search(r"(\d+) of (\d+)", card.inner_text(timeout=PATIENCE_MS))
    assert found is not None, card.inner_text()
    return int(found[1]), int(found[2])


def the_audit_trail_holds(installation: Installation) -> None:
    verified = installation.octaudit("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def the_report_shows_it(installation: Installation) -> None:
    """The site's card names both rates; its failure of the first pass is the one that was taken again."""
    out = installation.home / "card.pdf"
    made = installation.octaudit("report", "site", "--study", "STORY", "--site", "S01", "--out", str(out))
    assert made.returncode == 0, made.stdout + made.stderr
    words = " ".join(" ".join(page.extract_text() for page in PdfReader(out).pages).split())
    for shown in ("Leipzig", "Gradable at the first pass", "2 of 3", "Gradable in the end", "3 of 3"):
        assert shown in words, words


def open_scan_of(page: Page, subject: str) -> None:
    row_of_scan = page.locator("li.row").filter(has_text=subject).first
    row_of_scan.get_by_role("link").first.click(timeout=PATIENCE_MS)


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


def accept_if_asked(page: Page) -> None:
    """The model may have accepted the clean phantom itself; otherwise a person does."""
    button = page.get_by_role("button", name="Accept")
    if button.count():
        button.click()
        expect(page.get_by_text("Accepted.")).to_be_visible(timeout=PATIENCE_MS)
