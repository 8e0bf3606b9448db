"""The calendar of visits on the page Completeness: looked at before it is imported, called off with a reason."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import MONDAY, make_protocol_version
from clinics import Clinics
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from core.database.session import Database, session_scope
from core.database.tables import ProtocolVersion, Study, Visit
from core.policy.protocol import ExpectedScanType, Protocol

PageOf = Callable[..., AppTest]
COMPLETENESS = "pages/completeness.py"
TODAY = (MONDAY + timedelta(days=20)).date()


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(data["html"] for data in given if "html" in data)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    return page


def paste(page: AppTest, *rows: str) -> AppTest:
    table = "\n".join(("site,subject,visit,planned_on,window_ends_on,called_off", *rows))
    page.text_area[0].input(table).run()
    return page


@pytest.fixture(autouse=True)
def expectations(owner_database: Database, clinics: Clinics) -> None:
    """The protocol in force expects an OCTA 3 x 3 of each eye."""
    protocol = Protocol(expected=(ExpectedScanType(scan_type="octa-enface 3x3"),))
    with session_scope(owner_database) as session:
        study = session.get_one(Study, clinics.study_id)
        number = len(session.scalars(select(ProtocolVersion.id).where(ProtocolVersion.study_id == study.id)).all()) + 1
        make_protocol_version(
            session, study, number=number, effective_at=MONDAY + timedelta(days=1),
            document=protocol.model_dump(mode="json"),
        )  # fmt: skip


def test_a_calendar_is_previewed_imported_and_what_is_due_is_missing(page_of: PageOf, clinics: Clinics) -> None:
    page = page_of(clinics.manager, COMPLETENESS)
    page = paste(page, f"S01,P-7,V2,{TODAY},,", f"S02,P-8,V2,{TODAY + timedelta(days=5)},,", "S09,P-9,V2,2026-03-01,,")
    markup = shown(page)
    assert "2 new." in markup
    assert "there is no site S09 in this study" in markup
    page = press(page, "Import 2 changes")
    assert "Imported: 2 new." in page.success[0].value
    markup = shown(page)
    assert "P-7 · V2" in markup
    assert "P-8 · V2" not in markup, "its day is still to come"
    ahead = shown(page_of(clinics.manager, COMPLETENESS, view="planned"))
    assert "in 5 days" in ahead
    assert ahead.index("P-7 · V2") < ahead.index("P-8 · V2")


def test_a_visit_is_called_off_with_a_reason_and_on_again(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    page = press(paste(page_of(clinics.manager, COMPLETENESS), f"S01,P-7,V2,{TODAY},,"), "Import 1 change")
    page = press(page, "Call it off")
    assert "called off without a reason" in page.error[0].value
    next(each for each in page.text_input if each.label == "Reason (required)").input("Subject withdrew").run()
    page = press(page, "Call it off")
    assert "nothing of it is missing any more" in page.success[0].value
    with session_scope(owner_database) as session:
        assert session.scalars(select(Visit.called_off_reason).where(Visit.code == "V2")).all() == ["Subject withdrew"]
        session.execute(update(Visit).values(window_ends_on=None))
    page = page_of(clinics.manager, COMPLETENESS, view="planned")
    assert "Subject withdrew" in shown(page)
    page = press(page, "It takes place after all")
    assert "is expected again" in page.success[0].value
    assert "Subject withdrew" not in shown(page)


def test_a_site_sees_its_plan_and_changes_nothing_of_it(page_of: PageOf, clinics: Clinics) -> None:
    rows = (f"S01,P-7,V2,{TODAY},,", f"S02,P-8,V2,{TODAY},,")
    press(paste(page_of(clinics.manager, COMPLETENESS), *rows), "Import 2 changes")
    page = page_of(clinics.technician, COMPLETENESS, view="planned")
    markup = shown(page)
    assert "P-7 · V2" in markup
    assert "P-8 · V2" not in markup
    assert not page.text_area
    assert not [button for button in page.button if button.label == "Call it off"]
