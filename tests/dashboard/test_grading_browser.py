"""Three graders and an arbiter settle one scan in a real Chromium with the keyboard alone, and Agreement counts it."""

from collections.abc import Iterator

import pytest
from desk import Desk
from grading_world import GradingWorld
from lane import GRADABLE, UNGRADABLE, make_scene
from playwright.sync_api import Browser, Page, expect
from served import PATIENCE_MS, chromium, serve, signed_in

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.vocabulary import GradingState, Role

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def world(
    owner_database: Database, worker_database: Database, dashboard_database: Database, settings: Settings
) -> GradingWorld:
    with session_scope(owner_database) as session:
        scene = make_scene(session, open_blob_store(settings))
    made = GradingWorld(Desk(owner_database, worker_database, dashboard_database, settings, scene))
    made.plan()
    for name, role in (
        ("ann", Role.GRADER), ("ben", Role.GRADER), ("cid", Role.GRADER), ("sen", Role.ADJUDICATOR),
        ("max", Role.MANAGER),
    ):  # fmt: skip
        made.hire(name, role)
    return made


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def opened(browser: Browser, address: str, token: str, path: str, strays: list[str]) -> Page:
    page = signed_in(browser, address, token, strays)
    page.goto(f"{address}/{path}")
    return page


def press(page: Page, ordinal: int, words: str) -> None:
    """Choose a grade and save it, with two keys and nothing else."""
    expect(page.get_by_role("button", name="Ungradable (0)")).to_be_visible()
    page.keyboard.press(str(ordinal))
    save = page.get_by_role("button", name=words)
    expect(save).to_be_enabled()
    page.keyboard.press("s")


@pytest.mark.slow
def test_three_graders_and_an_arbiter_settle_a_scan_by_keyboard_and_agreement_counts_it(
    world: GradingWorld, settings: Settings, browser: Browser
) -> None:
    scan_id = world.score(GRADABLE)
    world.round()
    strays: list[str] = []
    with serve(settings) as address:
        for name, ordinal in (("ann", GRADABLE), ("ben", GRADABLE), ("cid", UNGRADABLE)):
            page = opened(browser, address, world.tokens[name], "grading", strays)
            expect(page.get_by_text("1 to grade, 0 of 1 graded")).to_be_visible()
            assert f"Scan {scan_id}" not in page.inner_text("body")
            press(page, ordinal, "Save and next")
            expect(page.get_by_role("heading", name="Nothing to grade")).to_be_visible()
            page.context.close()
        assert world.round().n_to_adjudicate == 1
        page = opened(browser, address, world.tokens["sen"], "grading", strays)
        expect(page.get_by_text("The graders differ", exact=True)).to_be_visible()
        expect(page.get_by_role("row", name="Grader C")).to_be_visible()
        press(page, GRADABLE, "Settle and next")
        expect(page.get_by_role("heading", name="Nothing to settle")).to_be_visible()
        page.context.close()
        page = opened(browser, address, world.tokens["max"], "agreement", strays)
        expect(page.get_by_text("1 scan settled: 0 by the graders' agreement, 1 by an adjudicator")).to_be_visible()
        expect(page.get_by_role("region", name="Scans settled by an adjudicator")).to_be_visible()
        page.goto(f"{address}/grading")
        expect(page.get_by_text("1 scan settled; the graders agreed on 0")).to_be_visible()
    assert (world.grading().state, world.grading().consensus_ordinal) == (GradingState.SETTLED, GRADABLE)
    assert strays == []
