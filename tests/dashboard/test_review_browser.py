"""Reviewing in a real Chromium over the real server: keys alone, drafts, two reviewers, and the sample of a bulk."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest
from builders import make_device, make_member, make_site, make_study, unique
from databases import fresh_settings
from playwright.sync_api import Browser, Page, expect
from scored_scans import make_scored_capture
from served import PATIENCE_MS, chromium, serve, signed_in
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import tables
from core.database.embedded import Addresses
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.usecases.check_rates import verify_rates
from core.vocabulary import ArtifactType, RequestState, ReviewDecision, Role, ScanState

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)
N_FLAGGED = 10
Row = TypeVar("Row")


@dataclass(frozen=True)
class Ward:
    """Ten flagged scans of one site, five of them ungradable, and two reviewers."""

    anna: str
    ben: str
    site_id: int
    scan_ids: list[int]

    def rows(self, session: Session, table: type[Row]) -> list[Row]:
        return list(session.scalars(select(table).filter_by(site_id=self.site_id)))


@pytest.fixture(scope="module")
def settings(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """One installation for all tests; each has a study of its own in it."""
    with fresh_settings(servers, database_template, tmp_path_factory.mktemp("review")) as settings:
        yield settings


@pytest.fixture
def ward(owner_database: Database, settings: Settings) -> Ward:
    blobs = open_blob_store(settings)
    with session_scope(owner_database) as session:
        study = make_study(session)
        site = make_site(session, study, code="S01", name="Leipzig")
        device = make_device(session, site, code="S01-A")
        seed = N_FLAGGED * int(unique(""))  # no image is in the installation twice
        scans = [
            make_scored_capture(
                session, blobs, site, ordinal=0, artifact=ArtifactType.MOTION, seed=seed + at, device=device
            )
            if at % 2
            else make_scored_capture(session, blobs, site, is_abstained=True, seed=seed + at, device=device)
            for at in range(N_FLAGGED)
        ]
        (anna, anna_token), (_, ben_token) = (make_member(session, Role.QC_TECHNICIAN, study=study) for _ in range(2))
        anna.display_name = "Anna Weber"
        return Ward(anna_token, ben_token, site.id, [scan.id for scan in scans])


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with serve(settings) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page_of(browser: Browser, address: str, ward: Ward) -> Iterator[Callable[[str], Page]]:
    """A page of one person, signed in. None of them may ask anything of another host, or go wrong."""
    strays: list[str] = []

    def page(token: str) -> Page:
        return signed_in(browser, address, token, strays)

    assert ward.scan_ids
    yield page
    assert strays == []


def stands_at(page: Page, place: str) -> None:
    expect(page.locator(".walkbar .place b")).to_have_text(place)


def shown_scan(page: Page) -> int:
    found = re.search(r"[?&]id=(\d+)", page.url)
    assert found, page.url
    return int(found[1])


def is_ready_for(page: Page, scan_id: int) -> None:
    """This scan is seen, and its form takes keys."""
    expect(page).to_have_url(re.compile(rf"[?&]id={scan_id}(&|$)"))
    expect(page.locator(".viewer canvas[aria-label]").first).to_be_visible()
    expect(page.locator(f'.review[data-scan="{scan_id}"][aria-busy="false"]')).to_be_visible()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def reviews(database: Database, ward: Ward) -> list[tables.Review]:
    with session_scope(database) as session:
        return sorted(ward.rows(session, tables.Review), key=lambda review: review.id)


def test_a_qc_technician_reviews_ten_flagged_scans_with_the_keyboard_alone(
    page_of: Callable[[str], Page],
    address: str,
    ward: Ward,
    owner_database: Database,
    worker_database: Database,
) -> None:
    page = page_of(ward.anna)
    page.goto(f"{address}/scan?id={ward.scan_ids[0]}&list=to-decide")
    is_ready_for(page, ward.scan_ids[0])
    for at, scan_id in enumerate(ward.scan_ids):
        is_ready_for(page, scan_id)
        stands_at(page, f"1 of {N_FLAGGED - at}")
        decide_by_keys(page, at)
        if at == 2:  # a slip, taken back and made good
            is_ready_for(page, ward.scan_ids[3])
            press(page, "u")
            is_ready_for(page, scan_id)
            expect(page.get_by_text("Undone: the scan stands")).to_be_visible()
            press(page, "a")
    expect(page.get_by_role("heading", name="Worklist", level=1)).to_be_visible()
    expect(page.get_by_text("Nothing to decide")).to_be_visible()
    with session_scope(owner_database) as session:
        states = dict(session.execute(select(tables.Scan.id, tables.Scan.state)).all())
        assert [states[scan_id] for scan_id in ward.scan_ids] == [
            ScanState.ACCEPTED, ScanState.ACCEPTED, ScanState.ACCEPTED, ScanState.REACQUISITION_REQUESTED,
            ScanState.QUERIED, ScanState.ACCEPTED, ScanState.ACCEPTED, ScanState.REACQUISITION_REQUESTED,
            ScanState.QUERIED, ScanState.ACCEPTED,
        ]  # fmt: skip
        criteria = ward.rows(session, tables.ReviewCriterion)
        requests = ward.rows(session, tables.ReacquisitionRequest)
        assert ward.rows(session, tables.ReviewDraft) == []
    decisions = [review.decision for review in reviews(owner_database, ward)]
    assert decisions.count(ReviewDecision.UNDO) == 1
    assert len(decisions) == N_FLAGGED + 2
    assert len(criteria) == 7 * (N_FLAGGED + 1)
    assert {request.state for request in requests} == {RequestState.REQUESTED}
    assert all("Signal is weak" in request.text for request in requests)
    assert verify_rates(worker_database) == []


def decide_by_keys(page: Page, at: int) -> None:
    """Accept an abstained scan or ask about it; override an ungradable one or have it taken again."""
    if at in {4, 8}:
        press(page, "q")
        page.keyboard.type("Was this the left eye, or a quarter past 12?")
        press(page, "Control+Enter")
    elif at in {3, 7}:
        press(page, "2", "r", "Control+Enter")
    elif at % 2:
        press(page, "6", "o", "1")
        page.keyboard.type("Motion outside the fovea: 1 a o q r u n.")
        press(page, "Control+Enter")
    else:  # the same key again and another one, before the answer is there: the decision is written, and once
        press(page, "a", "n", "a")


def test_a_half_written_reason_is_there_again_for_its_writer_and_a_colleague_is_seen(
    page_of: Callable[[str], Page], address: str, ward: Ward, owner_database: Database
) -> None:
    scan_id = ward.scan_ids[1]
    anna, ben = page_of(ward.anna), page_of(ward.ben)
    anna.goto(f"{address}/scan?id={scan_id}&list=to-decide")
    is_ready_for(anna, scan_id)
    press(anna, "2", "o", "2")
    anna.keyboard.type("The centre is shar")
    expect(anna.get_by_text("Draft saved")).to_be_visible()
    ben.goto(f"{address}/scan?id={scan_id}")
    is_ready_for(ben, scan_id)
    expect(ben.get_by_text("Anna Weber is looking at this scan since")).to_be_visible()
    expect(ben.locator('[data-code="oscar-mp:S"] .mark')).to_have_text("passed")
    anna.reload()
    is_ready_for(anna, scan_id)
    expect(anna.get_by_text("Your draft of")).to_be_visible()
    expect(anna.get_by_label("Reason (required)")).to_have_value("The centre is shar")
    expect(anna.locator("input[name=ordinal][value='2']")).to_be_checked()
    expect(anna.locator('[data-code="oscar-mp:S"] .mark')).to_have_text("failed")
    press(ben, "r", "Control+Enter")
    expect(ben.get_by_text("The site was asked for a new scan.")).to_be_visible()
    anna.get_by_role("button", name="Save my grade").click()
    expect(anna.get_by_text("changed since you opened it")).to_be_visible()
    assert [review.decision for review in reviews(owner_database, ward)] == [ReviewDecision.REQUEST_REACQUISITION]


def test_keys_rest_while_somebody_types_and_help_names_them(
    page_of: Callable[[str], Page], address: str, ward: Ward, owner_database: Database
) -> None:
    scan_id = ward.scan_ids[0]
    page = page_of(ward.anna)
    page.goto(f"{address}/scan?id={scan_id}&list=to-decide")
    is_ready_for(page, scan_id)
    press(page, "?")
    expect(page.get_by_text("accept, and on to the next scan")).to_be_visible()
    press(page, "Escape", "q")
    page.keyboard.type("a 1 n p w u r o c ?")
    expect(page.get_by_label("Question (required)")).to_have_value("a 1 n p w u r o c ?")
    press(page, "Escape", "c")
    expect(page.get_by_label("Grad-CAM")).to_be_checked()
    press(page, "q", "Control+a", "Delete", "Control+Enter")
    expect(page.get_by_text("The question is empty")).to_be_visible()
    press(page, "Escape", "n")
    is_ready_for(page, ward.scan_ids[1])
    stands_at(page, "2 of 10")
    press(page, "p")
    stands_at(page, "1 of 10")
    press(page, "w")
    expect(page.get_by_role("heading", name="Worklist", level=1)).to_be_visible()
    assert reviews(owner_database, ward) == []


def test_a_list_is_accepted_in_bulk_after_its_sample(
    page_of: Callable[[str], Page],
    address: str,
    ward: Ward,
    owner_database: Database,
    worker_database: Database,
) -> None:
    page = page_of(ward.anna)
    page.goto(f"{address}/worklist?tab=to-decide")
    page.get_by_role("link", name="Accept these 10 in bulk").click()
    expect(page.get_by_role("heading", name="Accept in bulk", level=1)).to_be_visible()
    expect(page.get_by_text("it is ungradable, likely or surely")).to_have_count(5)
    page.get_by_role("button", name="Draw a sample of 5").click()
    expect(page.get_by_text("0 of 5 agreed to")).to_be_visible()
    expect(page.get_by_role("button", name="Accept the 5 scans")).to_be_disabled()
    page.locator("td a[href*='bulk=']").first.click()
    for number in range(1, 6):
        stands_at(page, f"{number} of 5")
        press(page, "y")
    expect(page.get_by_text("5 of 5 agreed to")).to_be_visible()
    page.get_by_role("button", name="Accept the 5 scans").click()
    expect(page.get_by_text("5 scans accepted")).to_be_visible()
    made = reviews(owner_database, ward)
    assert {review.scan_id for review in made} == set(ward.scan_ids[::2])
    assert {review.decision for review in made} == {ReviewDecision.ACCEPT}
    assert len({review.bulk_review_id for review in made} - {None}) == 1
    page.get_by_role("button", name="Take one back").click()
    page.get_by_label("Why (optional)").fill("Blurred at the edge")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("1 of them taken back since")).to_be_visible()
    undone = [review for review in reviews(owner_database, ward) if review.decision == ReviewDecision.UNDO]
    assert [review.reason for review in undone] == ["Blurred at the edge"]
    assert verify_rates(worker_database) == []
