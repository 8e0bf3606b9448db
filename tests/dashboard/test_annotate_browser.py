"""Annotate next in a real Chromium: masks are dropped on the round, and each that was not taken is named there."""

import io
import zipfile

import numpy as np
import pytest
from builders import make_member
from clinics import Clinics
from PIL import Image
from playwright.sync_api import expect
from served import PATIENCE_MS, chromium, serve, signed_in

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.vocabulary import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def mask_like(image: bytes) -> bytes:
    width, height = Image.open(io.BytesIO(image)).size
    buffer = io.BytesIO()
    Image.fromarray(np.resize(np.array([0, 9], np.uint8), (height, width))).save(buffer, "PNG")
    return buffer.getvalue()


def test_masks_are_dropped_on_the_round_and_the_refused_ones_stay_named(
    owner_database: Database, clinics: Clinics, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        study = session.get_one(tables.Study, session.get_one(tables.Site, scan.site_id).study_id)
        token = make_member(session, Role.MANAGER, study=study)[1]
    strays: list[str] = []
    with serve(settings) as address, chromium() as browser:
        page = signed_in(browser, address, token, strays)
        page.goto(f"{address}/annotate")
        page.get_by_role("button", name="Ask for these masks").click()
        with page.expect_download() as download:
            page.get_by_text("Take the images").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            name = next(each for each in archive.namelist() if each.startswith("images/"))
            mask = mask_like(archive.read(name))
        files = [
            {"name": name.removeprefix("images/"), "mimeType": "image/png", "buffer": mask},
            {"name": "wrong.png", "mimeType": "image/png", "buffer": mask},
        ]
        page.locator(".uploader input[type=file]").set_input_files(files)  # type: ignore[arg-type]
        for words in ("Mask there", "1 mask taken", "It is the mask of no scan of this round"):
            expect(page.get_by_text(words)).to_be_visible(timeout=PATIENCE_MS)
    assert strays == []
