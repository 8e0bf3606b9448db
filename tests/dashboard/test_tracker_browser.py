"""A site moves its requests in a real Chromium: from the rows of its worklist, and from the tracker's board."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from builders import make_technician
from clinics import Clinics
from playwright.sync_api import Locator, Page, expect
from served import PATIENCE_MS, chromium, serve, signed_in

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.access import current_actor
from core.usecases.review_scan import query_site, request_reacquisition

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Site:
    """A technician at the browser, and what asked things of the internet."""

    page: Page
    address: str
    strays: list[str]

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.address}/{path}")
        return self.page

    def lane(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)


@pytest.fixture
def asked(clinics: Clinics, owner_database: Database, dashboard_database: Database) -> Clinics:
    """The flagged scan is to be taken again, and the site was asked about the abstained one."""
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, clinics.site_id)
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        owner = make_technician(session, site, code="T01")
        make_technician(session, site, code="T02", name="Second technician")
        session.get_one(tables.Acquisition, scan.acquisition_id).technician_id = owner.id
    with session_scope(dashboard_database, token=clinics.reviewer) as session:
        actor = current_actor(session)
        assert actor is not None
        request_reacquisition(session, actor=actor, scan_id=clinics.flagged_id, seen_version=1)
        query_site(
            session,
            actor=actor,
            scan_id=clinics.abstained_id,
            seen_version=1,
            question="Is <b>this</b> *the* left eye?",
        )
    return clinics


@pytest.fixture
def technician(asked: Clinics, settings: Settings) -> Iterator[Site]:
    strays: list[str] = []
    with serve(settings) as address, chromium() as browser:
        page = signed_in(browser, address, asked.technician, strays)
        yield Site(page, address, strays)


def test_a_site_works_its_lists_and_the_board_shows_every_move(technician: Site, asked: Clinics) -> None:
    page = technician.open("worklist")
    for words in ("Reacquire now · 1", "Needs my answer · 1", "Waiting for result · 0"):
        expect(page.get_by_role("radio", name=words)).to_be_visible()
    row = page.locator("li.row")
    expect(row).to_contain_text("Owner T01")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged: ")).to_be_visible()
    expect(row).to_contain_text("Acknowledged")

    page.get_by_role("button", name="Change the owner").click()
    page.get_by_role("button", name="Give it to this person").click()
    expect(row).to_contain_text("Owner T02")
    page.get_by_role("button", name="Schedule").click()
    page.get_by_role("button", name="Save the day").click()
    expect(row).to_contain_text("Scheduled")

    page.get_by_text("Needs my answer · 1").click()
    expect(page.get_by_text("Is <b>this</b> *the* left eye?")).to_be_visible()

    page = technician.open("tracker?view=board")
    card = technician.lane("Scheduled").get_by_role("link")
    expect(card).to_have_count(1)
    card.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Course of the request")).to_be_visible()
    expect(page.get_by_text("gave the request to another owner")).to_be_visible()
    page.get_by_role("button", name="Not possible").click()
    page.get_by_role("button", name="Close the request").click()
    expect(page.get_by_text("Why is it not possible?")).to_be_visible()
    page.get_by_label("Why? (required)").fill("The patient has moved away.")
    page.get_by_role("button", name="Close the request").click()
    expect(page.get_by_text("closed as not possible.")).to_be_visible()
    expect(technician.lane("Not possible").get_by_role("link")).to_have_count(1)
    expect(technician.lane("Scheduled").get_by_role("link")).to_have_count(0)

    page = technician.open(f"scan?id={asked.abstained_id}")
    expect(page.get_by_text("Is <b>this</b> *the* left eye?").first).to_be_visible()
    page.get_by_role("button", name="Answer").click()
    page.get_by_label("Answer (required)").fill("Yes, <i>it</i> is.")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("Yes, <i>it</i> is.").first).to_be_visible()
    assert technician.strays == []
