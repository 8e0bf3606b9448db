"""An administrator makes a protocol version and has the scans judged by it, in a real Chromium."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from builders import make_member
from clinics import Clinics, build_clinics
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, signed_in
from sqlalchemy import select

from core.database.session import Database, session_scope
from core.database.tables import ReEvaluation, Scan
from core.settings import Settings
from core.storage import open_blob_store
from core.usecases.re_evaluate import carry_out_re_evaluations
from core.vocabulary import Role, Verdict

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Admin:
    page: Page
    address: str
    clinics: Clinics

    def fill(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")


@pytest.fixture
def strays() -> list[str]:
    return []


@pytest.fixture
def admin(settings: Settings, owner_database: Database, strays: list[str]) -> Iterator[Admin]:
    with session_scope(owner_database) as session:
        clinics = build_clinics(session, open_blob_store(settings))
        token = make_member(session, Role.ADMIN)[1]
    with serve(settings) as address, chromium() as browser:
        page = signed_in(browser, address, token, strays)
        yield Admin(page, address, clinics)


def test_a_version_is_published_and_the_scans_are_judged_by_it_on_purpose(
    admin: Admin, settings: Settings, owner_database: Database, worker_database: Database, strays: list[str]
) -> None:
    page = admin.page
    page.goto(f"{admin.address}/admin?part=Protocol")
    page.get_by_text("Publish a new version").click()
    admin.fill("Artifacts: severe above (% of the region)", "99")
    admin.fill("Artifacts: mild from (% of the region)", "98")
    page.get_by_role("button", name="Show what changes").click()
    changes = page.get_by_role("row", name=re.compile("Artifact: severe above"))
    expect(changes.first).to_contain_text("10\u202f%")
    expect(changes.first).to_contain_text("99\u202f%")
    admin.fill("What changes and why", "Amendment 2: artifacts weigh less")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("The new protocol version is in force")).to_be_visible()

    page.get_by_role("radio", name="Re-evaluation").click()
    expect(page.get_by_text("Nothing was re-evaluated")).to_be_visible()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("4 scans would be judged anew, 2 with another verdict.")).to_be_visible()
    flagged = {admin.clinics.flagged_id, admin.clinics.other_id}
    with session_scope(owner_database) as session:
        assert set(session.scalars(select(Scan.final_verdict).where(Scan.id.in_(flagged)))) == {Verdict.REACQUIRE}
    admin.fill("Reason (required)", "The amendment holds from the first visit on")
    page.get_by_role("button", name="Judge 4 scans anew").click()
    expect(page.get_by_text("is ordered; it begins within seconds")).to_be_visible()

    assert carry_out_re_evaluations(worker_database, open_blob_store(settings))  # what the keeper does
    expect(page.get_by_text("4 judged anew, 2 changed")).to_be_visible()  # by itself
    page.goto(f"{admin.address}/scan?id={admin.clinics.flagged_id}")
    expect(page.get_by_text("judged again by protocol version 2").first).to_be_visible()
    with session_scope(owner_database) as session:
        assert session.scalars(select(ReEvaluation.state)).all() == ["done"]
        assert set(session.scalars(select(Scan.final_verdict).where(Scan.id.in_(flagged)))) == {Verdict.REVIEW}
    assert strays == []
