"""The audit browser: what stands in it, who sees what of it, its filters and pages, and the export that is itself noted."""

import csv
import json
from collections.abc import Callable
from io import StringIO

import pytest
from builders import make_member
from clinics import Clinics
from sqlalchemy import select, text
from streamlit.testing.v1 import AppTest

import dashboard.session
from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.audit_trail import TrailFilter, TrailRow, read_trail
from core.usecases.seal_audit import seal_audit
from core.usecases.verify_audit import check_audit
from core.vocabulary import Role
from dashboard.components.audit_table import change_lines, trail_csv
from dashboard.noted_export import noted

PageOf = Callable[..., AppTest]
AUDIT = "pages/audit.py"


@pytest.fixture
def admin(clinics: Clinics, owner_database: Database) -> str:
    with session_scope(owner_database) as session:
        return make_member(session, Role.ADMIN)[1]


@pytest.fixture
def trail(clinics: Clinics, owner_database: Database) -> None:
    """A change at each site, one of the study, one of the installation, and a text that would be markup."""
    with session_scope(owner_database) as session:
        for site_id, name in ((clinics.site_id, "here"), (clinics.other_site_id, "there")):
            record_event(
                session, actor=PROGRAM, action="scan.accepted", entity="scan", entity_id=clinics.accepted_id,
                study_id=clinics.study_id, site_id=site_id, before={"state": "scored", "version": 1},
                after={"state": "accepted", "version": 1}, reason=f"<script>alert('{name}')</script>", meaning="approved",
            )  # fmt: skip
        record_event(
            session, actor=PROGRAM, action="publish_protocol", entity="protocol_version", entity_id=3,
            study_id=clinics.study_id, after={"number": 3},
        )  # fmt: skip
        record_event(
            session, actor=PROGRAM, action="log_in_failed", entity="user", entity_id=None, reason="unknown name"
        )


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    return "\n".join(
        json.dumps(json.loads(part.proto.json or part.proto.mixed.json), ensure_ascii=False)
        for part in page.get("bidi_component")
    )


@pytest.mark.usefixtures("trail")
def test_a_manager_sees_the_study_and_no_sign_ins(page_of: PageOf, clinics: Clinics) -> None:
    markup = shown(page_of(clinics.manager, AUDIT))
    for words in ("state: scored → accepted", "number: 3", "publish protocol", "signed", "approved", "S01", "S02"):
        assert words in markup, words
    assert "version: 1" not in markup, "what did not change is not listed"
    assert "log in failed" not in markup
    assert "<script>" not in markup


@pytest.mark.usefixtures("trail")
def test_an_administrator_of_all_studies_sees_the_installation(page_of: PageOf, admin: str) -> None:
    assert "log in failed" in shown(page_of(admin, AUDIT))
    markup = shown(page_of(admin, AUDIT, study="installation"))
    assert "log in failed" in markup
    assert "publish protocol" not in markup


@pytest.mark.usefixtures("trail")
def test_filters_narrow_and_nonsense_in_the_url_is_no_filter(page_of: PageOf, clinics: Clinics) -> None:
    markup = shown(page_of(clinics.manager, AUDIT, site=clinics.other_site_id, kind="signatures"))
    assert "there" in markup
    assert "here" not in markup.replace("there", "")
    markup = shown(page_of(clinics.manager, AUDIT, entity="protocol_version", record=3))
    assert "publish protocol" in markup
    assert "accepted" not in markup
    assert "Nothing is on record here" in shown(page_of(clinics.manager, AUDIT, kind="exports"))
    nonsense = {"study": "x", "site": str(2**80), "person": "-1", "kind": "?", "days": "9y", "after": "1_x"}
    assert "publish protocol" in shown(page_of(clinics.manager, AUDIT, **nonsense))


def test_a_longer_trail_has_pages_without_gap_or_repeat(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        for number in range(120):
            record_event(
                session, actor=PROGRAM, action="test", entity="thing", entity_id=number, study_id=clinics.study_id
            )
    page, seen = page_of(clinics.manager, AUDIT), []
    for _ in range(3):
        markup = shown(page)
        seen += [number for number in range(120) if f"thing {number}<" in markup]
        older = [button for button in page.button if button.label == "Older"]
        if older:
            older[0].click().run()
    assert sorted(seen) == list(range(120))


@pytest.mark.usefixtures("trail")
def test_how_the_chain_stands_is_told(
    page_of: PageOf, clinics: Clinics, owner_database: Database, sealer_database: Database, settings: Settings
) -> None:
    markup = shown(page_of(clinics.manager, AUDIT))
    assert "0 events are sealed." in markup
    assert "not checked yet" in markup
    seal_audit(sealer_database, settings)
    check_audit(sealer_database, settings)
    markup = shown(page_of(clinics.manager, AUDIT))
    assert "4 events are sealed, the latest at" in markup
    assert "chain unbroken" in markup
    assert "anchored outside the database at" in markup
    with session_scope(owner_database) as session:
        session.execute(text("alter table audit_event disable trigger stays_as_written"))
        session.execute(text("update audit_event set reason = 'x' where action = 'publish_protocol'"))
    check_audit(sealer_database, settings)
    markup = shown(page_of(clinics.manager, AUDIT))
    assert "chain broken" in markup
    assert "The chain is broken at place 3: event" in markup


@pytest.mark.usefixtures("trail")
def test_an_export_is_on_record_before_it_is_handed_over(
    clinics: Clinics, owner_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard.session, "session_token", lambda: clinics.manager)
    chosen = TrailFilter(study_id=clinics.study_id)
    give = noted("audit-trail.csv", lambda session: trail_csv(read_trail(session, chosen, limit=9)), n_rows=lambda: 3)
    rows = list(csv.DictReader(StringIO(give())))
    assert [row["action"] for row in rows] == ["publish_protocol", "scan.accepted", "scan.accepted"]
    with session_scope(owner_database) as session:
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "export")).one()
        assert event.after == {"file": "audit-trail.csv", "rows": 3}
        assert event.actor_id is not None


def test_formulas_in_what_people_wrote_are_made_harmless() -> None:
    from datetime import UTC, datetime

    row = TrailRow(
        1, datetime(2026, 3, 2, tzinfo=UTC), "=1+1", "ST", "", "test", "thing", None, None, {"x": 1}, "@SUM(A1)", ""
    )
    (cells,) = csv.DictReader(StringIO(trail_csv([row])))
    assert (cells["person"], cells["reason"]) == ("'=1+1", "'@SUM(A1)")


def test_what_changed_is_told_and_nothing_else() -> None:
    assert change_lines({"a": 1, "b": "x", "gone": 2}, {"a": 1, "b": "y", "new": None}) == [
        "b: x → y", "gone: 2 → nothing", "new: nothing",
    ]  # fmt: skip
    assert change_lines(None, None) == []


@pytest.mark.parametrize("person", ["technician", "reviewer", "grader", "stranger"])
def test_nobody_else_has_the_page(page_of: PageOf, clinics: Clinics, person: str) -> None:
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        page_of(getattr(clinics, person), AUDIT)
