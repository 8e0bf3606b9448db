"""The life of a report: who may ask, who makes it, who sees it."""

import hashlib
from datetime import timedelta
from io import BytesIO

import pytest
from builders import make_batch
from pypdf import PdfReader
from report_press import NOON, Press
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.clock import pretending
from core.database.session import session_scope
from core.database.tables import AuditEvent, BatchFile, Report, Site
from core.errors import NotAllowedError, NotFoundError
from core.reports.make_report import make_receipt, make_tip_sheet
from core.store.report import MAX_ATTEMPTS, read_report
from core.vocabulary import ReasonCode, ReportKind, ReportState


def test_what_a_technician_asks_for_is_made_by_the_keeper_with_its_hash_and_an_audit_event(press: Press) -> None:
    asked = press.ask("technician", ReportKind.SITE, press.world.a)
    assert press.row(asked).state is ReportState.ASKED
    assert press.make() == 1
    row = press.row(asked)
    assert row.state is ReportState.MADE
    assert row.made is not None
    pdf = press.blobs.get(row.made.pdf_sha256)
    assert pdf.startswith(b"%PDF-")
    assert hashlib.sha256(pdf).hexdigest() == row.made.pdf_sha256
    assert row.made.n_pages == 1
    assert press.make() == 0, "a report is made once"
    with session_scope(press.owner) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.entity == "report").order_by(AuditEvent.id)).all()
    assert [(event.action, event.actor_id, event.site_id) for event in events] == [
        ("report.asked", press.world.users["technician"], press.world.a), ("report.made", None, press.world.a),
    ]  # fmt: skip
    assert events[1].after is not None
    assert events[1].after["sha256"] == row.made.pdf_sha256


@pytest.mark.parametrize(
    ("name", "kind", "site"),
    [
        ("technician", ReportKind.SITE, "b"),
        ("technician", ReportKind.STUDY, None),
        ("qc_a", ReportKind.SITE, "b"),
        ("qc_a", ReportKind.STUDY, None),
        ("grader", ReportKind.SITE, "a"),
        ("grader", ReportKind.STUDY, None),
        ("manager", ReportKind.SITE, "elsewhere"),
    ],
)
def test_nobody_asks_for_what_their_role_does_not_reach(
    press: Press, name: str, kind: ReportKind, site: str | None
) -> None:
    with pytest.raises(NotAllowedError):
        press.ask(name, kind, getattr(press.world, site) if site else None)


def test_the_database_itself_refuses_a_report_of_another_site_or_one_said_to_be_made(press: Press) -> None:
    def insert(name: str, **changes: object) -> None:
        values = {
            "kind": "site", "study_id": press.world.study_id, "site_id": press.world.a, "since": NOON.date(),
            "until": NOON.date(), "asked_by_id": press.world.users[name],
        }  # fmt: skip
        with session_scope(press.dashboard, token=press.world.tokens[name]) as session:
            session.add(Report(**values | changes))

    with pytest.raises(NotAllowedError):
        insert("technician", site_id=press.world.b)
    with pytest.raises(NotAllowedError):
        insert("technician", asked_by_id=press.world.users["manager"])
    with pytest.raises((NotAllowedError, IntegrityError)):
        insert("technician", state="made", made_at=NOON, content_sha256="0" * 64, pdf_sha256="0" * 64)
    with pytest.raises(NotAllowedError):
        insert("manager", kind="study", site_id=None, study_id=elsewhere_study(press))


def elsewhere_study(press: Press) -> int:
    with session_scope(press.owner) as session:
        return session.execute(select(Site.study_id).where(Site.id == press.world.elsewhere)).scalar_one()


def test_a_report_is_seen_by_those_whose_role_reaches_it_and_by_no_others(press: Press) -> None:
    of_a = press.ask("manager", ReportKind.SITE, press.world.a)
    of_b = press.ask("manager", ReportKind.SITE, press.world.b)
    of_study = press.ask("manager", ReportKind.STUDY, None)
    everything = {of_a, of_b, of_study}
    seen = {name: press.seen_by(name) for name in press.world.tokens}
    assert seen == {
        "technician": {of_a}, "qc_a": {of_a}, "qc": everything, "grader": set(), "grader2": set(),
        "adjudicator": everything, "manager": everything, "admin": everything, "global": everything,
    }  # fmt: skip
    with (
        session_scope(press.dashboard, token=press.world.tokens["technician"]) as session,
        pytest.raises(NotFoundError),
    ):
        read_report(session, of_b)


def test_a_report_that_cannot_be_made_is_tried_again_with_a_limit_and_says_why(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = press.ask("manager", ReportKind.STUDY, None)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr("core.reports.make_report.typeset", fail)
    moment = NOON
    for _ in range(MAX_ATTEMPTS):
        assert press.row(asked).state is ReportState.ASKED
        press.make(moment)
        moment += timedelta(hours=3)
    row = press.row(asked)
    assert row.state is ReportState.FAILED
    assert row.attempts == MAX_ATTEMPTS
    assert row.error == "An error of the program (ValueError)."


def test_the_receipt_names_the_files_with_their_faults_and_is_the_sites_own(press: Press) -> None:
    with session_scope(press.owner) as session:
        site = session.get_one(Site, press.world.a)
        batch = make_batch(session, site, uploaded_by_id=press.world.users["technician"])
        fault = {"code": "x", "message": "The file is empty.", "remedy": "Export it again.", "field": None,
                 "is_blocking": True}  # fmt: skip
        session.add(BatchFile(site_id=site.id, batch_id=batch.id, original_name="müller <b>1</b>.png", size_bytes=0,
                              state="rejected", entry={}, problems=[fault]))  # fmt: skip
        session.flush()
        batch_id = batch.id
    with pretending(NOON), session_scope(press.dashboard, token=press.world.tokens["technician"]) as session:
        row, pdf = make_receipt(session, press.blobs, batch_id, actor=press.actor("technician"))
        again, same = make_receipt(session, press.blobs, batch_id, actor=press.actor("technician"))
    text = text_of(pdf)
    assert "müller <b>1</b>.png" in text
    assert "The file is empty. Export it again." in text
    assert (again.id, same) == (row.id, pdf), "the same receipt is not made twice"
    with session_scope(press.dashboard, token=press.world.tokens["grader"]) as session, pytest.raises(NotFoundError):
        read_report(session, row.id)


def test_a_tip_sheet_is_one_page_in_the_words_of_the_protocol_with_an_example(press: Press) -> None:
    with pretending(NOON), session_scope(press.dashboard, token=press.world.tokens["technician"]) as session:
        row, pdf = make_tip_sheet(
            session, press.blobs, press.world.study_id, ReasonCode.MP_MOTION, actor=press.actor("technician")
        )
    text = text_of(pdf)
    assert row.made is not None
    assert row.made.n_pages == 1
    assert "The eye moved" in text
    assert "switch eye tracking on" in text
    assert "Simulated scans" in text


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages)
