"""A manager acts on a unit on Sites & devices, the page Actions lists and closes it, and a site sees what concerns it."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import MONDAY, make_technician
from clinics import Clinics
from demo_rows import TODAY, Demo
from scored_scans import make_scored_capture
from sqlalchemy import select, update
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest

from core.broker import NullBell
from core.database.session import Database, session_scope
from core.database.tables import Acquisition, Action, Device, Scan, Site
from core.storage import open_blob_store
from dashboard.installation import Installation, install

PageOf = Callable[..., AppTest]
ACTIONS, SITES, WORKLIST = "pages/actions.py", "pages/sites.py", "pages/worklist.py"
MOMENT = MONDAY + timedelta(days=20)
"""What the clock of ``page_of`` shows."""


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(data["html"] for data in given if "html" in data)


def field(page: AppTest, label: str, nth: int = 0):
    parts = (*page.text_area, *page.selectbox, *page.button, *page.date_input, *page.segmented_control)
    return [each for each in parts if each.label.startswith(label)][nth]


def labels(page: AppTest) -> set[str]:
    assert not page.exception, page.exception[0].value
    return {block.proto.popover.label for block in page.get("popover")}


def open_device_page(page_of: PageOf, clinics: Clinics, token: str) -> AppTest:
    return page_of(token, SITES, by="device", unit=clinics.device_id, period="all")


def test_an_issue_is_opened_below_the_table_is_overdue_after_its_day_and_closed_on_the_page_of_actions(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    page = open_device_page(page_of, clinics, clinics.manager)
    assert "No action about S01-A is open." in shown(page)
    assert field(page, "Due").min == MOMENT.date()
    field(page, "Open the action").click().run()
    assert "has no text" in page.error[0].value
    field(page, "What has to be done").input("Clean the lens, then send three scans.")
    field(page, "Open the action").click().run()
    due = (MOMENT + timedelta(days=14)).date()
    assert f"open, due {due:%d %b %Y}" in page.success[0].value
    markup = shown(page)
    assert "Clean the lens" in markup
    assert "1 action" in markup[: markup.index("Nobody has acknowledged")], "the table says it beside the unit"
    with session_scope(owner_database) as session:
        session.execute(update(Action).values(due_on=MOMENT.date() - timedelta(days=3)))
    site = shown(page_of(clinics.technician, WORKLIST))
    assert "1 open action of the reading centre" in site
    assert "1 overdue" in site
    page = page_of(clinics.manager, ACTIONS)
    markup = shown(page)
    assert "1 open, 1 overdue." in markup
    assert "overdue by 3 days" in markup
    assert f"/sites?study={clinics.study_id}&amp;by=device&amp;unit={clinics.device_id}" in markup
    field(page, "How it was solved").input("The lens is clean.")
    field(page, "Close").click().run()
    assert "Issue, S01-A: done." in page.success[0].value
    markup = shown(page)
    assert "No open actions" in markup
    assert "The lens is clean." in markup
    with session_scope(owner_database) as session:
        (row,) = session.scalars(select(Action)).all()
    assert (row.state, row.device_id) == ("done", clinics.device_id)


def test_a_suspended_device_is_marked_beside_its_unit_and_its_new_scans(
    page_of: PageOf, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    page = open_device_page(page_of, clinics, clinics.manager)
    field(page, "Reason").input("No calibration since May.")
    field(page, "Suspend").click().run()
    assert "The certificate of S01-A is suspended." in page.success[0].value
    assert ">suspended<" in shown(page)
    assert "Suspend the certificate" not in labels(page)
    with session_scope(owner_database) as session:
        site, device = session.get_one(Site, clinics.site_id), session.get_one(Device, clinics.device_id)
        late = make_scored_capture(session, installation.blobs, site, ordinal=0, seed=9, device=device, days=7)
        capture = session.get_one(Acquisition, session.get_one(Scan, late.id).acquisition_id)
        capture.acquired_at = MOMENT + timedelta(hours=1)
    for name in ("manager", "technician"):
        assert "Device suspended" in shown(page_of(getattr(clinics, name), "pages/scan.py", id=late.id))
        assert "Device suspended" not in shown(page_of(getattr(clinics, name), "pages/scan.py", id=clinics.flagged_id))
    assert shown(page_of(clinics.reviewer, WORKLIST)).count("Device suspended") == 1
    page = page_of(clinics.manager, ACTIONS)
    field(page, "Why the certificate").input("Calibrated today.")
    field(page, "Lift").click().run()
    assert "lifted." in page.success[0].value


def test_a_retraining_is_assigned_and_seen_by_the_centre_alone(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        make_technician(session, session.get_one(Site, clinics.site_id), code="T01")
    page = page_of(clinics.manager, SITES, by="site", unit=clinics.site_id, period="all")
    field(page, "What is to be learned").input("Fixation and tracking.")
    field(page, "Assign").click().run()
    assert "Retraining of T01 is assigned" in page.success[0].value
    assert "Fixation and tracking." in shown(page_of(clinics.reviewer, ACTIONS))
    assert "No open actions" in shown(page_of(clinics.technician, ACTIONS))


def test_who_does_not_manage_sees_what_is_done_and_no_form(page_of: PageOf, clinics: Clinics) -> None:
    page = open_device_page(page_of, clinics, clinics.reviewer)
    assert "Nobody has acknowledged a flag that stands." in shown(page)
    assert not labels(page) & {"Acknowledge the flag", "Open an action", "Suspend the certificate"}
    offered = labels(open_device_page(page_of, clinics, clinics.manager))
    assert offered >= {"Acknowledge the flag", "Open an action", "Suspend the certificate"}


def test_what_cannot_be_acknowledged_is_refused_in_words(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, app_page: PageOf
) -> None:
    install(Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell()))
    stop_clock(monkeypatch, TODAY)
    rows = demo.rows
    page = app_page(rows.manager, SITES)
    assert field(page, "Site", -1).value == str(rows.site_ids[rows.study.planted.bad_site]), "of most concern"
    field(page, "Acknowledge").click().run()
    assert "has no comment" in page.error[0].value
    healthy = rows.site_ids[next(iter(rows.study.planted.healthy_sites))]
    page = app_page(rows.manager, SITES, unit=healthy)
    field(page, "Comment").input("Fine.")
    field(page, "Acknowledge").click().run()
    assert "not flagged over the last 26 weeks" in page.error[0].value
    assert f"/sites?period=26w&amp;by=site&amp;unit={healthy}" in shown(app_page(rows.manager))
