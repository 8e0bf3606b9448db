"""The ONH scan's page in a real Chromium: masks to switch, the nerve head's measures, the grade's groupings."""

import re
from collections.abc import Iterator

import pytest
from builders import make_member
from lane import make_scene
from onh_scans import queue_onh_scan
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in

from core.database.session import Database, session_scope
from core.phantom.onh_spec import OnhPhantomSpec
from core.scoring.registry import load_scorer
from core.settings import Settings
from core.storage import open_blob_store
from core.usecases.assess_scans import Line, assess_scans
from core.vocabulary import Role, ScanKind

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def page(owner_database: Database, worker_database: Database, settings: Settings) -> Iterator[Page]:
    """The page of a scored phantom with dark and dimmed areas; it asks nothing of another host and does not go wrong."""
    blobs, strays = open_blob_store(settings), list[str]()
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs)
        scan_id = queue_onh_scan(session, scene, OnhPhantomSpec(size_px=256, dark=0.12, shallow=0.12, signal=0.9)).id
        token = make_member(session, Role.QC_TECHNICIAN, study=scene.study)[1]
    assess_scans(Line(worker_database, blobs, load_scorer(ScanKind.ONH_ENFACE, device="cpu"), settings))
    with serve(settings) as address, chromium() as browser:
        opened = signed_in(browser, address, token, strays)
        opened.goto(f"{address}/scan?id={scan_id}")
        settle(opened)
        yield opened
    assert strays == []


def test_a_reviewer_sees_masks_nerve_head_and_groupings(page: Page):
    disc = page.get_by_role("checkbox", name="Optic nerve head")
    expect(disc).to_be_checked()
    expect(page.get_by_role("checkbox", name="Dark signal loss")).to_be_checked()
    disc.uncheck()
    page.get_by_label("Grad-CAM").check()
    expect(page.get_by_text("Model abstained")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile(r"^Area \d\.\d\d mm²$"))).to_be_visible()
    page.get_by_text("The grade with neighbouring grades put together").click()
    expect(page.get_by_role("row", name=re.compile(r"^012 \| 3 012: \d+"))).to_be_visible()
    page.get_by_text("Image indices, and how far the network's levels agree").click()
    expect(page.get_by_role("row", name=re.compile(r"^Level agreement 0\.\d\d"))).to_be_visible()
