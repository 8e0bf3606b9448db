"""The whole life of a report: who may ask, who makes it, who sees it, and to whom it goes by mail, exactly once."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from io import BytesIO

import pytest
from access_world import World, make_world
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession
from builders import make_batch
from pypdf import PdfReader
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import AuditEvent, BatchFile, Report, ReportSchedule, ReportSending, Site, SiteGrant, User
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.reports.make_report import make_asked, make_receipt, make_tip_sheet
from core.reports.send_reports import Delivered, send_reports
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.access import Actor, current_actor
from core.store.report import MAX_ATTEMPTS, ReportRow, read_report, read_reports
from core.store.report_schedule import NewSchedule, Timing, claim_due, list_addressees, read_schedules, read_sendings
from core.usecases.ask_report import ask_report
from core.usecases.schedule_reports import ask_due, make_schedule, next_moment, set_schedule
from core.vocabulary import DeliveryState, ReasonCode, ReportKind, ReportState, SchedulePace, ScheduleState

NOON = datetime(2026, 3, 23, 12, 0, tzinfo=UTC)
"""A Monday, three weeks after the builders' one."""
MONDAYS = Timing(SchedulePace.WEEK, 1, 6)


@dataclass
class Mailbox:
    """An SMTP handler that keeps what it is given, or refuses it."""

    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusal: str = ""

    async def handle_DATA(self, _server: SMTP, _session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        self.mails.append(message_from_bytes(envelope.content))
        self.recipients += envelope.rcpt_tos
        return "250 OK"


class FreePort(Controller):
    """A mail server on whichever port is free; ``port`` is that port once it runs."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass(frozen=True)
class Press:
    """Two sites, their people and a mail server."""

    owner: Database
    dashboard: Database
    worker: Database
    settings: Settings
    blobs: BlobStore
    world: World
    box: Mailbox

    def actor(self, name: str) -> Actor:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            actor = current_actor(session)
        assert actor is not None
        return actor

    def ask(self, name: str, kind: ReportKind, site_id: int | None) -> int:
        with pretending(NOON), session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            return ask_report(session, actor=self.actor(name), kind=kind, study_id=self.world.study_id,
                              site_id=site_id, n_weeks=13)  # fmt: skip

    def make(self, moment: datetime = NOON) -> int:
        with pretending(moment):
            return make_asked(self.worker, self.blobs)

    def seen_by(self, name: str) -> set[int]:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            return {row.id for row in read_reports(session, limit=50)}

    def row(self, report_id: int) -> ReportRow:
        with session_scope(self.worker) as session:
            return read_report(session, report_id)

    def confirm_addresses(self, *names: str) -> None:
        with session_scope(self.owner) as session:
            for name in names:
                address = f"{name}@example.org"
                session.execute(update(User).where(User.id == self.world.users[name]).values(email=address))

    def schedule(self, *recipients: str, site_id: int | None = None, timing: Timing = MONDAYS) -> int:
        kind = ReportKind.STUDY if site_id is None else ReportKind.SITE
        new = NewSchedule(kind, self.world.study_id, site_id, timing, 4)
        with pretending(NOON), session_scope(self.dashboard, token=self.world.tokens["manager"]) as session:
            return make_schedule(
                session, actor=self.actor("manager"), new=new, settings=self.settings,
                recipient_ids=[self.world.users[name] for name in recipients],
            )  # fmt: skip

    def set(self, schedule_id: int, state: ScheduleState, moment: datetime = NOON, name: str = "manager") -> None:
        with pretending(moment), session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            set_schedule(session, actor=self.actor(name), schedule_id=schedule_id, state=state)

    def keep(self, moment: datetime) -> Delivered:
        """One round of the keeper."""
        with pretending(moment):
            ask_due(self.worker)
            make_asked(self.worker, self.blobs)
            return send_reports(self.worker, self.settings, self.blobs)


@pytest.fixture
def press(
    owner_database: Database, dashboard_database: Database, worker_database: Database, settings: Settings
) -> Iterator[Press]:
    box = Mailbox()
    controller = FreePort(box, hostname="127.0.0.1", port=0)
    controller.start()
    mail = {"smtp_host": "127.0.0.1", "smtp_port": controller.port, "smtp_security": "none"}
    mailing = settings.model_copy(update=mail | {"public_url": "https://octaudit.example.org"})
    blobs = open_blob_store(settings)
    world = make_world(owner_database)
    yield Press(owner_database, dashboard_database, worker_database, mailing, blobs, world, box)
    controller.stop()


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


def test_a_schedule_sends_its_report_once_to_each_recipient_with_the_pdf_that_is_kept(press: Press) -> None:
    press.confirm_addresses("manager", "qc")
    press.schedule("manager", "qc")
    assert press.keep(NOON + timedelta(days=6)) == Delivered(0, 0), "not yet"
    due = next_moment(MONDAYS, after=NOON)
    assert press.keep(due) == Delivered(2, 0)
    assert press.keep(due + timedelta(minutes=1)) == Delivered(0, 0)
    assert sorted(press.box.recipients) == ["manager@example.org", "qc@example.org"]
    (row,) = reports_of(press)
    assert row.made is not None
    for mail in press.box.mails:
        attached = [
            part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "application/pdf"
        ]
        assert attached == [press.blobs.get(row.made.pdf_sha256)]
        assert row.made.pdf_sha256 in mail.get_payload(0).get_payload()
    assert len({mail["Message-ID"] for mail in press.box.mails}) == 2


def reports_of(press: Press) -> tuple[ReportRow, ...]:
    with session_scope(press.worker) as session:
        return read_reports(session, limit=50)


def test_after_a_downtime_of_five_weeks_a_schedule_sends_one_report_of_its_latest_moment(press: Press) -> None:
    press.confirm_addresses("manager")
    press.schedule("manager")
    late = NOON + timedelta(weeks=5, hours=3)
    press.keep(late)
    press.keep(late + timedelta(minutes=5))
    (row,) = reports_of(press)
    assert len(press.box.mails) == 1
    assert row.until == (NOON + timedelta(weeks=6)).date(), "the week of the latest moment is the last of its period"
    press.keep(late + timedelta(weeks=1))
    assert len(press.box.mails) == 2


def test_two_keepers_at_once_and_a_keeper_that_died_ask_for_no_moment_twice(press: Press) -> None:
    press.confirm_addresses("manager")
    schedule_id = press.schedule("manager")
    due = next_moment(MONDAYS, after=NOON)
    with pretending(due), session_scope(press.worker) as holding:
        assert [each.schedule_id for each in claim_due(holding, at=due)] == [schedule_id]
        assert ask_due(press.worker) == 0, "the other holds it"
    with pretending(due):
        assert ask_due(press.worker) == 1
    with session_scope(press.owner) as session:  # as if the keeper had died before it wrote down the next moment
        session.execute(update(ReportSchedule).values(next_at=due))
    with pretending(due):
        assert ask_due(press.worker) == 0
    assert len(reports_of(press)) == 1


def test_whoever_lost_the_role_or_the_address_gets_nothing_and_the_page_says_why(press: Press) -> None:
    press.confirm_addresses("manager", "qc", "adjudicator")
    press.schedule("manager", "qc", "adjudicator")
    with session_scope(press.owner) as session:
        session.execute(update(SiteGrant).where(SiteGrant.user_id == press.world.users["qc"]).values(revoked_at=NOON))
        session.execute(update(User).where(User.id == press.world.users["adjudicator"]).values(email=None))
    assert press.keep(next_moment(MONDAYS, after=NOON)) == Delivered(1, 1)
    assert press.box.recipients == ["manager@example.org"]
    (row,) = reports_of(press)
    with session_scope(press.dashboard, token=press.world.tokens["manager"]) as session:
        sendings = {each.error: each.state for each in read_sendings(session, [row.id])}
    assert sendings == {
        None: DeliveryState.SENT,
        "No role reaches it any more.": DeliveryState.WITHDRAWN,
        "No e-mail address is confirmed on the page Alerts.": DeliveryState.FAILED,
    }


def test_a_refusing_mail_server_is_asked_again_and_the_report_arrives_once(press: Press) -> None:
    press.confirm_addresses("manager")
    press.schedule("manager")
    due = next_moment(MONDAYS, after=NOON)
    press.box.refusal = "451 later"
    assert press.keep(due) == Delivered(0, 1)
    press.box.refusal = ""
    assert press.keep(due + timedelta(seconds=30)) == Delivered(0, 0), "not before its next try"
    assert press.keep(due + timedelta(minutes=2)) == Delivered(1, 0)
    assert len(press.box.mails) == 1
    with session_scope(press.owner) as session:
        assert session.execute(select(ReportSending.attempts)).scalar_one() == 2


def test_a_paused_schedule_asks_for_nothing_and_a_resumed_one_from_its_next_moment_on(press: Press) -> None:
    press.confirm_addresses("manager")
    schedule_id = press.schedule("manager")
    press.set(schedule_id, ScheduleState.PAUSED)
    press.keep(NOON + timedelta(weeks=2))
    press.set(schedule_id, ScheduleState.RUNNING, NOON + timedelta(weeks=2))
    press.keep(NOON + timedelta(weeks=2, minutes=1))
    assert reports_of(press) == ()
    press.keep(NOON + timedelta(weeks=3))
    assert len(reports_of(press)) == 1


def test_an_ended_schedule_sends_nothing_more_and_cannot_be_resumed(press: Press) -> None:
    press.confirm_addresses("manager")
    schedule_id = press.schedule("manager")
    press.set(schedule_id, ScheduleState.ENDED)
    press.keep(NOON + timedelta(weeks=2))
    assert reports_of(press) == ()
    with pytest.raises(IllegalMoveError, match="ended and cannot become running"):
        press.set(schedule_id, ScheduleState.RUNNING)
    with session_scope(press.dashboard, token=press.world.tokens["manager"]) as session:
        assert read_schedules(session) == ()


def test_a_schedule_takes_only_people_with_rights_and_a_confirmed_address(press: Press) -> None:
    with pytest.raises(UsageError, match="no recipient"):
        press.schedule()
    with pytest.raises(UsageError, match="No e-mail address is confirmed of"):
        press.schedule("manager")
    with pytest.raises(UsageError, match="no role that reaches"):
        press.schedule("technician")
    with pytest.raises(UsageError, match="no moment"):
        press.schedule("manager", timing=Timing(SchedulePace.MONTH, 31, 6))
    with session_scope(press.dashboard, token=press.world.tokens["manager"]) as session:
        of_site = list_addressees(session, ReportKind.SITE, study_id=press.world.study_id, site_id=press.world.a)
        of_study = list_addressees(session, ReportKind.STUDY, study_id=press.world.study_id, site_id=None)
    technician = press.world.users["technician"]
    assert technician in {each.user_id for each in of_site}
    assert technician not in {each.user_id for each in of_study}
    assert press.world.users["grader"] not in {each.user_id for each in (*of_site, *of_study)}
    for name in ("technician", "qc"):
        with session_scope(press.dashboard, token=press.world.tokens[name]) as session:
            assert not list_addressees(session, ReportKind.SITE, study_id=press.world.study_id, site_id=press.world.a)


@pytest.mark.parametrize("name", ["technician", "qc", "grader"])
def test_only_managers_make_and_change_schedules(press: Press, name: str) -> None:
    press.confirm_addresses("manager")
    schedule_id = press.schedule("manager")
    with pytest.raises((NotAllowedError, NotFoundError)):
        press.set(schedule_id, ScheduleState.ENDED, name=name)


def test_weeks_and_months_are_due_on_their_day_at_their_hour() -> None:
    assert next_moment(MONDAYS, after=NOON) == datetime(2026, 3, 30, 6, tzinfo=UTC)
    assert next_moment(Timing(SchedulePace.WEEK, 1, 13), after=NOON) == datetime(2026, 3, 23, 13, tzinfo=UTC)
    assert next_moment(Timing(SchedulePace.MONTH, 28, 0), after=NOON) == datetime(2026, 3, 28, 0, tzinfo=UTC)
    assert next_moment(Timing(SchedulePace.MONTH, 1, 6), after=NOON) == datetime(2026, 4, 1, 6, tzinfo=UTC)


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
