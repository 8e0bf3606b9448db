"""What reaches people: a real SMTP server and a real HTTP server receive it, once, signed, and from their sites alone."""

import base64
import hashlib
import hmac
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as SmtpSession
from alert_world import NOON, AlertWorld, make_alert_world
from mail_server import FreePort, Mailbox
from pydantic import SecretStr
from sqlalchemy import select, update

from core.alerting.webhook_secret import webhook_secret
from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import AlertDelivery, AlertSubscription, SiteGrant, User
from core.settings import Settings
from core.store.alert_delivery import MAX_ATTEMPTS
from core.usecases.deliver_alerts import Delivered, deliver_alerts
from core.vocabulary import AlertChannel, DeliveryState

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
ALL_AT_ONCE = {"unit": "at_once", "overdue": "at_once", "queue": "at_once"}


class GuardedMailbox(Mailbox):
    """Takes mail of one account only."""

    @staticmethod
    def admit(_server: SMTP, _session: SmtpSession, _envelope: Envelope, _how: str, login: LoginPassword) -> AuthResult:
        is_right = (login.login, login.password) == (b"octaudit", b"s3cret")
        return AuthResult(success=is_right, handled=False)


@dataclass
class Hook:
    """A web server that keeps what is posted and answers the statuses it is told, the last of them for ever."""

    address: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
                self.send_response(status)
                self.send_header("location", f"{hook.address}/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler


@pytest.fixture
def mailbox() -> GuardedMailbox:
    return GuardedMailbox()


@pytest.fixture
def mail_settings(settings: Settings, mailbox: GuardedMailbox) -> Iterator[Settings]:
    controller = FreePort(
        mailbox, hostname="127.0.0.1", port=0, auth_require_tls=False, auth_required=True, authenticator=mailbox.admit
    )
    controller.start()
    yield settings.model_copy(
        update={
            "smtp_host": "127.0.0.1", "smtp_port": controller.port, "smtp_security": "none", "smtp_user": "octaudit",
            "smtp_password": SecretStr("s3cret"), "smtp_sender": "alerts@octaudit.example.org",
            "public_url": "https://octaudit.example.org", "webhook_private_hosts": ("localhost",),
        }
    )  # fmt: skip
    controller.stop()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    with ThreadingHTTPServer(("localhost", 0), found.handler()) as server:
        found.address = f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Post(AlertWorld):
    """The world with people who subscribe, and the two rounds of the keeper."""

    numbers: Iterator[int] = field(default_factory=count)

    def subscribe(
        self, name: str, *, email: str | None = None, url: str | None = None, wanted: dict[str, str] = ALL_AT_ONCE
    ) -> int:
        with session_scope(self.owner) as session:
            user_id = self.world.users[name]
            if email:  # confirmed
                session.execute(update(User).where(User.id == user_id).values(email=email))
            channel = AlertChannel.WEBHOOK if url else AlertChannel.EMAIL
            row = AlertSubscription(
                user_id=user_id, study_id=self.world.study_id, channel=channel.value, wanted=wanted, url=url,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def round(self, moment: datetime = NOON) -> Delivered:
        """What the keeper does: look, then send."""
        with pretending(moment):
            self.raise_at(moment)
            return deliver_alerts(self.worker, self.settings)

    def deliveries(self) -> list[AlertDelivery]:
        with session_scope(self.owner) as session:
            return list(session.scalars(select(AlertDelivery).order_by(AlertDelivery.id)))


@pytest.fixture
def post(owner_database: Database, worker_database: Database, mail_settings: Settings) -> Post:
    made = make_alert_world(owner_database, worker_database, mail_settings)
    return Post(made.owner, made.worker, made.settings, made.world)


def test_a_mail_tells_of_an_event_once_across_rounds(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    rounds = [post.round(NOON + timedelta(minutes=5 * step)) for step in range(3)]
    assert rounds == [Delivered(1, 0), Delivered(0, 0), Delivered(0, 0)]
    (mail,) = mailbox.mails
    assert mailbox.recipients == ["maria@example.org"]
    assert mail["Subject"].startswith("octaudit: 1 alert in STUDY")
    assert (mail["From"], mail["Auto-Submitted"]) == ("alerts@octaudit.example.org", "auto-generated")
    text = mail.get_payload(decode=True).decode()
    assert "New scan overdue since 20 Mar 2026" in text
    query = f"study={post.world.study_id}&site={post.world.a}&tab=reacquire"
    assert f"https://octaudit.example.org/worklist?{query}" in text
    (delivery,) = post.deliveries()
    assert (delivery.state, delivery.attempts, delivery.sent_at) == (DeliveryState.SENT, 1, NOON)


def test_events_of_one_round_come_in_one_mail(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.request(post.world.scan_b)
    assert post.round() == Delivered(1, 0)
    (mail,) = mailbox.mails
    assert "2 alerts" in mail["Subject"]


def test_the_webhook_s_signature_verifies_and_covers_time_and_body(post: Post, hook: Hook) -> None:
    subscription_id = post.subscribe("manager", url=f"{hook.address}/octaudit?from=us")
    post.request(post.world.scan_a)
    assert [post.round(), post.round(NOON + timedelta(minutes=5))] == [Delivered(1, 0), Delivered(0, 0)]
    ((path, headers, body),) = hook.requests
    assert path == "/octaudit?from=us"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(webhook_secret(post.settings, subscription_id).removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC) == NOON
    (entry,) = json.loads(body)["data"]
    assert entry["kind"] == "overdue"
    assert entry["detail"] == {"scan_id": post.world.scan_a, "due_on": "2026-03-20"}
    assert entry["url"].startswith("https://octaudit.example.org/worklist?")


def test_nobody_is_told_of_a_site_that_their_roles_do_not_reach(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("technician", email="site-a@example.org")
    post.subscribe("qc_a", email="qc-a@example.org")
    post.subscribe("grader", email="grader@example.org")
    post.request(post.world.scan_b)
    assert post.round() == Delivered(0, 0)
    assert post.deliveries() == []
    post.request(post.world.scan_a)
    assert post.round(NOON + timedelta(minutes=5)) == Delivered(2, 0)
    assert sorted(mailbox.recipients) == ["qc-a@example.org", "site-a@example.org"]


def test_who_loses_the_role_before_the_sending_is_not_told(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.raise_at()
    with session_scope(post.owner) as session:
        session.execute(
            update(SiteGrant).where(SiteGrant.user_id == post.world.users["manager"]).values(revoked_at=NOON)
        )
    assert post.round() == Delivered(0, 0)
    assert mailbox.mails == []
    assert [delivery.state for delivery in post.deliveries()] == [DeliveryState.WITHDRAWN]


def test_who_unsubscribes_before_the_sending_is_not_told(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.raise_at()
    with session_scope(post.owner) as session:
        session.execute(update(AlertSubscription).values(ended_at=NOON))
    assert post.round() == Delivered(0, 0)
    assert mailbox.mails == []


def test_a_failure_is_tried_again_later_under_the_same_id_and_stops_nobody_else(
    post: Post, hook: Hook, mailbox: GuardedMailbox
) -> None:
    hook.statuses = [500, 302, 200]
    post.subscribe("manager", url=hook.address)
    post.subscribe("qc", email="quentin@example.org")
    post.request(post.world.scan_a)
    minutes = {0: Delivered(1, 1), 0.5: Delivered(0, 0), 1: Delivered(0, 1), 4: Delivered(0, 0), 5: Delivered(1, 0)}
    assert {minute: post.round(NOON + timedelta(minutes=minute)) for minute in minutes} == minutes
    assert len(mailbox.mails) == 1
    assert [path for path, *_ in hook.requests] == ["/", "/", "/"], "a redirect is not followed"
    assert len({headers["webhook-id"] for _, headers, _ in hook.requests}) == 1
    states = {delivery.attempts: delivery.state for delivery in post.deliveries()}
    assert states == {1: DeliveryState.SENT, 3: DeliveryState.SENT}


def test_a_new_alert_has_all_its_tries_beside_one_that_was_tried_before(post: Post, hook: Hook) -> None:
    hook.statuses = [500, 200]
    post.subscribe("manager", url=hook.address)
    post.request(post.world.scan_a)
    post.round()
    post.request(post.world.scan_b)
    assert post.round(NOON + timedelta(minutes=1)) == Delivered(2, 0)
    assert [(each.state, each.attempts) for each in post.deliveries()] == [("sent", 2), ("sent", 1)]
    ids = [headers["webhook-id"] for _, headers, _ in hook.requests]
    assert ids[0] in ids[1:], "the second try is the same message"
    assert len(set(ids)) == 2


def test_a_receiver_that_never_answers_well_is_given_up_and_the_reason_stays(post: Post, hook: Hook) -> None:
    hook.statuses = [503]
    post.subscribe("manager", url=hook.address)
    post.request(post.world.scan_a)
    for day in range(MAX_ATTEMPTS + 2):
        post.round(NOON + timedelta(days=day))
    (delivery,) = post.deliveries()
    assert len(hook.requests) == delivery.attempts == MAX_ATTEMPTS
    assert (delivery.state, delivery.error) == (DeliveryState.FAILED, "The receiver answers 503.")


def test_a_receiver_that_is_gone_is_not_asked_again(post: Post, hook: Hook) -> None:
    hook.statuses = [410]
    post.subscribe("manager", url=hook.address)
    post.request(post.world.scan_a)
    assert [post.round(), post.round(NOON + timedelta(days=1))] == [Delivered(0, 1), Delivered(0, 0)]


def test_no_webhook_reaches_a_private_address_that_the_settings_do_not_name(
    post: Post, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    url = hook.address.replace("http:", "https:").replace("localhost", "127.0.0.1")
    subscription_id = post.subscribe("manager", url=url)
    post.request(post.world.scan_a)
    with caplog.at_level(logging.DEBUG):
        assert post.round() == Delivered(0, 1)
    assert hook.requests == []
    (delivery,) = post.deliveries()
    assert delivery.state == DeliveryState.FAILED
    assert "private address" in (delivery.error or "")
    assert webhook_secret(post.settings, subscription_id) not in caplog.text


def test_a_mail_that_is_refused_says_why_and_names_nobody(
    post: Post, mailbox: GuardedMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.refusal = "451 later, maria@example.org"
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    assert post.round() == Delivered(0, 1)
    (delivery,) = post.deliveries()
    assert delivery.error == "The mail server refuses the mail (451)."
    assert "maria" not in caplog.text
    mailbox.refusal = ""
    assert post.round(NOON + timedelta(minutes=1)) == Delivered(1, 0)


def test_a_wrong_mail_password_is_said(post: Post) -> None:
    wrong = post.settings.model_copy(update={"smtp_password": SecretStr("wrong")})
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.raise_at()
    with pretending(NOON):
        assert deliver_alerts(post.worker, wrong) == Delivered(0, 1)
    assert post.deliveries()[0].error == "The mail server refuses the login (535)."


def test_a_mail_goes_over_tls_to_a_server_whose_certificate_is_trusted_and_to_no_other(
    post: Post, mailbox: GuardedMailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = FreePort(mailbox, hostname="localhost", port=0, tls_context=context, require_starttls=True)
    server.start()
    secured = {"smtp_host": "localhost", "smtp_port": server.port, "smtp_security": "starttls", "smtp_user": None}
    settings = post.settings.model_copy(update=secured)
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.raise_at()
    with pretending(NOON):
        assert deliver_alerts(post.worker, settings) == Delivered(0, 1)
    assert "certificate" in (post.deliveries()[0].error or "")
    assert mailbox.mails == []
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with pretending(NOON + timedelta(minutes=1)):
        assert deliver_alerts(post.worker, settings) == Delivered(1, 0)
    server.stop()
    assert len(mailbox.mails) == 1


def test_a_digest_collects_what_arose_since_the_last_one(post: Post, mailbox: GuardedMailbox) -> None:
    post.subscribe("manager", email="maria@example.org", wanted={"overdue": "daily"})
    over_soon = post.request(post.world.scan_a)
    post.round(NOON)
    post.request(post.world.scan_b)
    post.close(over_soon)
    assert post.round(NOON + timedelta(hours=1)) == Delivered(0, 0)
    assert post.round(NOON + timedelta(hours=18)) == Delivered(1, 0), "six in the morning"
    (mail,) = mailbox.mails
    text = mail.get_payload(decode=True).decode()
    assert text.count("New scan overdue") == 2
    assert text.count("over since 23 Mar 13:00 UTC") == 1
    assert post.round(NOON + timedelta(hours=42)) == Delivered(0, 0), "a day without news has no digest"


def test_a_kind_that_is_not_wanted_is_not_sent_nor_what_arose_before_the_subscription(
    post: Post, mailbox: GuardedMailbox
) -> None:
    post.request(post.world.scan_a)
    post.round()
    post.subscribe("manager", email="maria@example.org", wanted={"queue": "at_once"})
    post.request(post.world.scan_b)
    assert post.round(NOON + timedelta(minutes=5)) == Delivered(0, 0)
    assert mailbox.mails == []


def test_without_a_mail_server_no_mail_waits_for_one(post: Post, settings: Settings) -> None:
    post.subscribe("manager", email="maria@example.org")
    post.request(post.world.scan_a)
    post.raise_at(settings=settings)
    assert post.deliveries() == []
