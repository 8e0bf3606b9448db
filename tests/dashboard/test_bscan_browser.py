"""A B-scan's page in a real Chromium: class probabilities, the lesion's mask, the heat map, the signal."""

import re
from collections.abc import Iterator

import pytest
from bscan_scans import bscan_image, queue_bscan
from builders import make_member
from lane import make_scene
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in

from core.database.session import Database, session_scope
from core.phantom.bscan_lesion import BscanLesion
from core.scoring.registry import load_scorer
from core.settings import Settings
from core.storage import open_blob_store
from core.usecases.assess_scans import Line, assess_scans
from core.vocabulary import Role, ScanKind

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def page(owner_database: Database, worker_database: Database, settings: Settings) -> Iterator[Page]:
    """The page of a scored phantom with fluid; it asks nothing of another host and does not go wrong."""
    blobs, strays = open_blob_store(settings), list[str]()
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs)
        scan_id = queue_bscan(session, scene, bscan_image(BscanLesion.FLUID)).id
        token = make_member(session, Role.QC_TECHNICIAN, study=scene.study)[1]
    assess_scans(Line(worker_database, blobs, load_scorer(ScanKind.BSCAN, device="cpu"), settings))
    with serve(settings) as address, chromium() as browser:
        opened = signed_in(browser, address, token, strays)
        opened.goto(f"{address}/scan?id={scan_id}")
        settle(opened)
        yield opened
    assert strays == []


def test_a_reviewer_sees_classes_lesion_heat_map_and_signal(page: Page):
    for name in ("Normal", "CNV", "Drusen", "Fluid"):
        expect(page.get_by_role("row", name=re.compile(rf"^{name} \d+\s%"))).to_be_visible()
    page.get_by_label("Grad-CAM").check()
    expect(page.get_by_text("Model abstained")).to_be_visible()
    expect(page.get_by_role("heading", name="Lesions")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile(r"^Signal to noise \d+\.\d dB$"))).to_be_visible()
