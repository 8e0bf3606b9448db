"""Nothing goes to an address before its code has come back: a real SMTP server, the real database, every refusal."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from access_world import World, make_world
from mail_server import FreePort, Mailbox
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from core.clock import now, pretending
from core.database.session import Database, session_scope
from core.database.tables import Alert, AlertDelivery, AuditEvent, EmailConfirmation, Scan, User
from core.errors import NotAllowedError, UsageError
from core.settings import Settings
from core.store.access import Actor, current_actor
from core.store.email_confirmation import MAX_ATTEMPTS, ask_confirmation, read_own_address
from core.usecases.confirm_address import cleaned_code, confirm_address, send_codes
from core.usecases.deliver_alerts import Delivered, deliver_alerts
from core.usecases.prune_alerts import prune_alerts
from core.usecases.raise_alerts import raise_alerts
from core.usecases.subscribe_to_alerts import ask_for_code, choose_mail
from core.vocabulary import AlertKind, AlertPace

WANTED = {AlertKind.OVERDUE: AlertPace.AT_ONCE, AlertKind.QUEUE: AlertPace.AT_ONCE}


class CodeMailbox(Mailbox):
    """Reads the code out of what came."""

    def code(self) -> str:
        """The code of the latest mail."""
        body = self.mails[-1].get_payload(decode=True)
        assert isinstance(body, bytes)
        found = re.search(r"^  ([a-z2-9]{4}-[a-z2-9]{4})\r?$", body.decode(), re.MULTILINE)
        assert found
        return found.group(1)


@dataclass(frozen=True)
class Office:
    """People of access_world, the keeper's rounds, and a mailbox."""

    owner: Database
    dashboard: Database
    worker: Database
    settings: Settings
    world: World
    mailbox: CodeMailbox

    @contextmanager
    def person(self, name: str = "manager") -> Iterator[tuple[Session, Actor]]:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            actor = current_actor(session)
            assert actor is not None
            yield session, actor

    def choose(self, address: str, name: str = "manager") -> None:
        with self.person(name) as (session, actor):
            choose_mail(session, actor=actor, study_id=self.world.study_id, address=address, wanted=WANTED)

    def confirm(self, code: str, name: str = "manager") -> None:
        confirm_address(self.dashboard, token=self.world.tokens[name], code=code)

    def send(self, after: timedelta = timedelta(seconds=1)) -> int:
        with pretending(now() + after):
            return send_codes(self.worker, self.settings)

    def confirmed(self, name: str = "manager") -> str | None:
        with self.person(name) as (session, _):
            return read_own_address(session).confirmed


@pytest.fixture
def office(
    owner_database: Database, dashboard_database: Database, worker_database: Database, settings: Settings
) -> Iterator[Office]:
    mailbox = CodeMailbox()
    server = FreePort(mailbox, hostname="127.0.0.1", port=0)
    server.start()
    changes = {
        "smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none",
        "public_url": "https://octaudit.example.org",
    }  # fmt: skip
    yield Office(
        owner_database, dashboard_database, worker_database, settings.model_copy(update=changes),
        make_world(owner_database), mailbox,
    )  # fmt: skip
    server.stop()


def test_an_alert_goes_to_a_confirmed_address_and_to_no_other(office: Office) -> None:
    office.choose("maria@example.org")
    raise_alerts(office.worker, office.settings)  # the world's scans wait in a lane that does not move
    assert deliver_alerts(office.worker, office.settings) == Delivered(0, 0)
    assert office.send() == 1
    assert office.send() == 0, "a code is sent once"
    assert office.mailbox.recipients == ["maria@example.org"]
    body = office.mailbox.mails[0].get_payload(decode=True)
    assert isinstance(body, bytes)
    assert f"https://octaudit.example.org/alerts?code={office.mailbox.code()}" in body.decode()
    assert "STUDY" not in body.decode(), "the mail that asks names no study"
    assert office.confirmed() is None
    office.confirm(office.mailbox.code().upper().replace("-", " "))
    assert office.confirmed() == "maria@example.org"
    with session_scope(office.owner) as session:
        session.execute(update(Alert).values(ended_at=func.now()))
        told = session.scalars(select(AuditEvent.action).where(AuditEvent.entity == "user")).all()
    assert told == ["email.ask", "email.confirm"]
    raise_alerts(office.worker, office.settings)
    assert deliver_alerts(office.worker, office.settings) == Delivered(1, 0)
    assert office.mailbox.recipients == ["maria@example.org"] * 2


def test_a_new_address_takes_over_when_it_is_confirmed_and_the_old_one_serves_until_then(office: Office) -> None:
    office.choose("old@example.org")
    office.send()
    office.confirm(office.mailbox.code())
    office.choose("new@example.org")
    assert office.confirmed() == "old@example.org"
    office.choose("new@example.org")
    office.send()
    assert len(office.mailbox.mails) == 2, "the same address is not asked for again"
    office.choose("old@example.org")
    with office.person() as (session, _):
        assert read_own_address(session).pending is None, "going back drops what waited"
    office.choose("new@example.org")
    office.send()
    office.confirm(office.mailbox.code())
    assert office.confirmed() == "new@example.org"
    with office.person() as (session, actor):
        choose_mail(session, actor=actor, study_id=office.world.study_id, address="", wanted={})
    assert office.confirmed() is None


def test_wrong_old_and_foreign_codes_are_refused_with_the_reason(office: Office) -> None:
    with pytest.raises(UsageError, match="No address waits"):
        office.confirm("abcd-2345")
    office.choose("maria@example.org")
    office.send()
    code = office.mailbox.code()
    with pytest.raises(UsageError, match="No address waits"):
        office.confirm(code, "qc")
    for _ in range(5):
        with pytest.raises(UsageError, match="not the code"):
            office.confirm("aaaa-2222")
    with pytest.raises(UsageError, match="Too many wrong codes"):
        office.confirm(code)
    with office.person() as (session, actor):
        ask_for_code(session, actor=actor, address="maria@example.org")
    office.send()
    with session_scope(office.owner) as session:
        session.execute(update(EmailConfirmation).values(expires_at=func.now() - timedelta(minutes=1)))
    with pytest.raises(UsageError, match="older than a day"):
        office.confirm(office.mailbox.code())
    with pytest.raises(NotAllowedError, match="session has ended"):
        confirm_address(office.dashboard, token="forged", code=code)
    assert office.confirmed() is None


def test_nobody_sends_codes_to_others_without_end(office: Office) -> None:
    for number in range(5):
        office.choose(f"someone{number}@example.org")
    with pytest.raises(UsageError, match="Five codes"):
        office.choose("someone5@example.org")
    assert office.send() == 1, "only the latest waits"


def test_a_code_that_cannot_be_sent_is_tried_again_with_another_code_and_given_up(office: Office) -> None:
    office.mailbox.refusal = "451 later, maria@example.org"
    office.choose("maria@example.org")
    assert [office.send(timedelta(minutes=minutes)) for minutes in (1, 1.5, 3, 10)] == [0, 0, 0, 0]
    with office.person() as (session, _):
        waiting = read_own_address(session).pending
    assert waiting is not None
    assert waiting.error == "The mail server refuses the mail (451)."
    office.mailbox.refusal = ""
    assert office.send(timedelta(minutes=40)) == 1
    office.confirm(office.mailbox.code())
    office.mailbox.refusal = "451 later"
    office.choose("other@example.org")
    for hours in range(1, MAX_ATTEMPTS + 3):
        office.send(timedelta(hours=hours))
    with session_scope(office.owner) as session:
        tried = session.scalars(select(EmailConfirmation.attempts).order_by(EmailConfirmation.id.desc()).limit(1))
        assert tried.one() == MAX_ATTEMPTS


def test_the_dashboard_s_role_reaches_addresses_and_codes_by_functions_alone(office: Office) -> None:
    office.choose("maria@example.org")
    for statement in (
        "select email from app_user",
        "select * from email_confirmation",
        "update email_confirmation set confirmed_at = now()",
        "update app_user set email = 'maria@example.org'",
    ):
        with pytest.raises(NotAllowedError, match="permission denied"), office.person() as (session, _):
            session.execute(text(statement))
    with office.person("qc") as (session, _):
        own = read_own_address(session)
    assert (own.confirmed, own.pending) == (None, None)


def test_the_database_takes_no_address_that_could_end_a_header(office: Office) -> None:
    for address in ("maria", "a@b\nBcc: c@example.org", "a b@example.org", "<a@example.org>"):
        with pytest.raises(IntegrityError), office.person() as (session, _):
            ask_confirmation(session, address)


def test_a_code_is_read_however_it_was_typed() -> None:
    assert {cleaned_code(each) for each in ("abcd-2345", " ABCD 2345", "abcd2345\n")} == {"abcd-2345"}


def test_alerts_that_ended_long_ago_are_removed_and_no_others(office: Office) -> None:
    office.choose("maria@example.org")
    office.send()
    office.confirm(office.mailbox.code())
    raise_alerts(office.worker, office.settings)
    deliver_alerts(office.worker, office.settings)
    assert prune_alerts(office.worker, office.settings) == 0, "it stands"
    with session_scope(office.owner) as session:
        session.execute(update(Scan).values(state="accepted"))
    raise_alerts(office.worker, office.settings)
    assert prune_alerts(office.worker, office.settings) == 0, "it is just over"
    with pytest.raises(DBAPIError, match="foreign key"), session_scope(office.worker) as session:
        session.execute(text("delete from alert"))
    later = now() + office.settings.alert_keep + timedelta(days=1)
    with session_scope(office.owner) as session:
        session.execute(update(AlertDelivery).values(state="waiting"))
    with pretending(later):
        assert prune_alerts(office.worker, office.settings) == 1, "of the other study's nobody was told; here one waits"
    with session_scope(office.owner) as session:
        session.execute(update(AlertDelivery).values(state="sent"))
    with pretending(later):
        assert prune_alerts(office.worker, office.settings) == 1
    with session_scope(office.owner) as session:
        left = [session.scalar(select(func.count()).select_from(t)) for t in (Alert, AlertDelivery, EmailConfirmation)]
        assert session.scalars(select(User.email).where(User.email.is_not(None))).all() == ["maria@example.org"]
    assert left == [0, 0, 0]
