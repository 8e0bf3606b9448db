"""The header's count of alerts, the page Alerts, and what its forms write."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from clinics import Clinics
from sqlalchemy import select, text
from streamlit.testing.v1 import AppTest

from core.alerting.webhook_secret import webhook_secret
from core.alerting.wording import address
from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import Alert, AlertSubscription, AuditEvent, EmailConfirmation, User
from core.settings import Settings
from core.store.access import Actor, Grant
from core.store.alert import AlertRow
from core.store.email_confirmation import claim_codes, record_code_sent
from core.usecases.subscribe_to_alerts import kinds_for
from core.vocabulary import AlertKind, Role
from dashboard.installation import Installation, install
from dashboard.navigation import PAGES

PageOf = Callable[..., AppTest]
ALERTS = "pages/alerts.py"
DETAILS = {
    AlertKind.UNIT: {"by": "site", "label": "S01", "k": 51, "n": 300},
    AlertKind.OVERDUE: {"scan_id": 7, "due_on": "2026-03-10"},
    AlertKind.RETRAINING: {"action_id": 3, "due_on": "2026-03-10"},
    AlertKind.QUEUE: {"lane": "octa-enface", "n": 4, "oldest_at": "2026-03-21T08:30:00+00:00"},
    AlertKind.CERTIFICATE: {
        "certificate_id": 5,
        "device": "S01-A",
        "expires_on": "2026-04-01",
        "why": "expires",
    },
}


@pytest.fixture
def alerts(clinics: Clinics, owner_database: Database) -> None:
    """A flagged unit and two overdue requests at the first site, an overdue one at the other, a stalled queue, one over."""
    here, there = clinics.site_id, clinics.other_site_id
    rows = [
        (here, AlertKind.UNIT, f"site:{here}", None), (here, AlertKind.OVERDUE, "request:1", None),
        (here, AlertKind.OVERDUE, "request:2", None), (there, AlertKind.OVERDUE, "request:3", None),
        (None, AlertKind.QUEUE, "lane:octa-enface", None), (here, AlertKind.OVERDUE, "request:4", now()),
    ]  # fmt: skip
    since = datetime(2026, 3, 11, 6, 0, tzinfo=UTC)
    with session_scope(owner_database) as session:
        for site_id, kind, subject, ended_at in rows:
            values = {"study_id": clinics.study_id, "detail": DETAILS[kind], "since": since}
            session.add(Alert(site_id=site_id, kind=kind.value, subject=subject, ended_at=ended_at, **values))


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(data["html"] for data in given if "html" in data)


def bell(page: AppTest) -> list[str]:
    """Label of the header's bell; there are other popovers."""
    assert not page.exception, page.exception[0].value
    popovers = [block.proto.popover for block in page.get("popover")]
    return [popover.label for popover in popovers if popover.icon == ":material/notifications:"]


@pytest.mark.usefixtures("alerts")
def test_the_header_counts_the_alerts_that_the_person_may_see(page_of: PageOf, clinics: Clinics) -> None:
    counts = {name: bell(page_of(getattr(clinics, name))) for name in ("manager", "reviewer", "technician", "stranger")}
    assert counts == {
        "manager": ["5 alerts"], "reviewer": ["5 alerts"], "technician": ["2 alerts"], "stranger": ["1 alert"],
    }  # fmt: skip
    assert bell(page_of(clinics.grader)) == []


def test_without_an_alert_the_header_is_as_it_was(page_of: PageOf, clinics: Clinics) -> None:
    assert bell(page_of(clinics.manager)) == []


@pytest.mark.usefixtures("alerts")
def test_the_header_s_list_says_what_where_and_leads_there(page_of: PageOf, clinics: Clinics) -> None:
    markup = shown(page_of(clinics.manager, "pages/worklist.py"))
    listed = markup[markup.index('class="alerts"') : markup.index("All alerts")]
    for words in (
        "Site S01 above the red line: 51 of 300 first captures ungradable",
        "2 new scans overdue",
        "New scan overdue since 10 Mar 2026",
        "4 scans wait in lane octa-enface since 21 Mar 08:30 UTC and none is scored",
        "RET-1, S02",
        f"/worklist?study={clinics.study_id}&amp;site={clinics.site_id}&amp;tab=reacquire",
        f"/sites?study={clinics.study_id}&amp;period=26w&amp;by=site",
        f"/worklist?study={clinics.study_id}&amp;tab=waiting",
    ):
        assert words in listed, words


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_leads_to_a_page_that_there_is(kind: AlertKind) -> None:
    row = AlertRow(1, 2, "RET-1", 3, "S01", kind, "x", DETAILS[kind], now(), None)
    assert urlsplit(address(row)).path in {f"/{page.url_path}" for page in PAGES}


@pytest.mark.usefixtures("alerts")
def test_the_page_lists_open_alerts_and_those_just_over(page_of: PageOf, clinics: Clinics) -> None:
    page = page_of(clinics.manager, ALERTS)
    markup = shown(page)
    assert markup.count("New scan overdue since") == 5, "three open, one over, one in the header"
    assert markup.count('href="/scan?id=7"') == 4
    table = markup[markup.index("<table") :]
    assert table.index("Site S01") < table.index("4 scans wait") < table.index("New scan overdue")
    assert [each.label for each in page.expander] == ["Over within the last 14 days: 1"]


def test_without_alerts_the_page_says_so_and_that_no_mail_is_sent(page_of: PageOf, clinics: Clinics) -> None:
    page = page_of(clinics.manager, ALERTS)
    assert "Nothing is flagged, overdue or stalled" in shown(page)
    assert any("sends no mail" in caption.value for caption in page.caption)


def field(page: AppTest, label: str, nth: int = 0):
    return [each for each in (*page.text_input, *page.selectbox, *page.button) if each.label == label][nth]


def subscriptions(owner: Database) -> list[AlertSubscription]:
    with session_scope(owner) as session:
        return list(session.scalars(select(AlertSubscription).order_by(AlertSubscription.id)))


def test_mails_are_chosen_by_kind_and_ended_with_an_audit_event_each(
    page_of: PageOf, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    settings = installation.settings.model_copy(update={"smtp_host": "mail.example.org"})
    install(Installation(settings, installation.database, installation.blobs, installation.bell))
    page = page_of(clinics.technician, ALERTS)
    field(page, "Your e-mail address").input("tina@example.org")
    field(page, "Overdue requests and issues").select("daily")
    field(page, "Save").click().run()
    assert "as soon as the address is confirmed" in page.success[0].value
    assert "on its way to tina@example.org" in page.info[0].value
    (row,) = subscriptions(owner_database)
    assert (row.channel, row.wanted, row.ended_at) == ("email", {"overdue": "daily"}, None)
    field(page, "Overdue requests and issues").select("off")
    field(page, "Save").click().run()
    assert "no alerts by e-mail" in page.success[0].value
    assert subscriptions(owner_database)[0].ended_at is not None
    with session_scope(owner_database) as session:
        assert session.scalars(select(User.email).where(User.id == row.user_id)).one() is None
        asked = session.scalars(select(EmailConfirmation.address).where(EmailConfirmation.user_id == row.user_id)).one()
        assert asked == "tina@example.org"
        events = session.scalars(select(AuditEvent).where(AuditEvent.entity == "alert_subscription")).all()
    assert [event.action for event in events] == ["alerts.subscribe", "alerts.unsubscribe"]
    assert "tina@example.org" not in str([(event.before, event.after) for event in events])


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        (
            "manager",
            {
                "Flagged units",
                "Overdue requests and issues",
                "Overdue retraining",
                "Stalled queues",
                "Certificates that end or must be checked",
            },
        ),
        ("technician", {"Overdue requests and issues"}),
    ],
)
def test_the_forms_offer_what_can_reach_the_person(
    page_of: PageOf, clinics: Clinics, name: str, offered: set[str]
) -> None:
    page = page_of(getattr(clinics, name), ALERTS)
    assert not page.exception
    assert {each.label for each in page.selectbox} == offered


def test_a_person_of_one_site_in_the_centre_gets_no_queues_and_a_grader_nothing() -> None:
    def kinds(role: Role, site_id: int | None) -> tuple[AlertKind, ...]:
        return kinds_for(Actor(1, "a", "A", (Grant(role, study_id=7, site_id=site_id),)), 7)

    assert set(kinds(Role.QC_TECHNICIAN, 3)) == set(AlertKind) - {AlertKind.QUEUE}
    assert kinds(Role.MANAGER, None) == tuple(AlertKind)
    assert kinds(Role.GRADER, None) == ()


def test_a_wrong_address_is_refused_in_words(
    page_of: PageOf, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    settings = installation.settings.model_copy(update={"smtp_host": "mail.example.org"})
    install(Installation(settings, installation.database, installation.blobs, installation.bell))
    page = page_of(clinics.technician, ALERTS)
    field(page, "Your e-mail address").input("tina at example")
    field(page, "Overdue requests and issues").select("at_once")
    field(page, "Save").click().run()
    assert "e-mail address" in page.error[0].value
    assert subscriptions(owner_database) == []


def test_a_webhook_s_secret_is_shown_once_and_stored_nowhere(
    page_of: PageOf, clinics: Clinics, owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    page = page_of(clinics.manager, ALERTS)
    field(page, "Address that is posted to").input("http://hooks.example.org/x")
    field(page, "Flagged units").select("at_once")
    field(page, "Connect").click().run()
    assert "https://" in page.error[0].value
    field(page, "Address that is posted to").input("https://hooks.example.org/x")
    field(page, "Connect").click().run()
    secret = re.search(r"whsec_[\w+/=]+", page.success[0].value)
    assert secret
    (row,) = subscriptions(owner_database)
    assert secret.group() == webhook_secret(settings, row.id)
    assert (row.url, row.wanted) == ("https://hooks.example.org/x", {"unit": "at_once"})
    with owner_database.engine.connect() as connection:
        stored = connection.execute(text("select row_to_json(s)::text from alert_subscription s")).scalars().all()
    assert not any(secret.group() in each for each in stored)
    page.run()
    assert list(page.success) == []
    with session_scope(dashboard_database, token=clinics.reviewer) as session:
        assert session.scalars(select(AlertSubscription.id)).all() == [], "a subscription is its person's alone"


def test_a_code_from_a_link_confirms_the_address_and_a_wrong_one_does_not(
    page_of: PageOf, clinics: Clinics, owner_database: Database, worker_database: Database, installation: Installation
) -> None:
    settings = installation.settings.model_copy(update={"smtp_host": "mail.example.org"})
    install(Installation(settings, installation.database, installation.blobs, installation.bell))
    page = page_of(clinics.manager, ALERTS)
    field(page, "Your e-mail address").input("maria@example.org")
    field(page, "Flagged units").select("at_once")
    field(page, "Save").click().run()
    moment = datetime.now(tz=UTC) + timedelta(minutes=1)
    with session_scope(worker_database) as session:
        (made,) = claim_codes(session, at=moment, limit=1, new_code=lambda: "abcd-2345")
        record_code_sent(session, made.id, at=moment)
    page = page_of(clinics.manager, ALERTS, code="abcd-2346")
    assert "A code was sent to maria@example.org" in page.info[0].value
    field(page, "Confirm").click().run()
    assert "That is not the code." in page.error[0].value
    field(page, "Code from the mail").input(" ABCD2345 ")
    field(page, "Confirm").click().run()
    assert "alerts go there from now on" in page.success[0].value
    assert list(page.info) == []
    with session_scope(owner_database) as session:
        assert session.scalars(select(User.email).where(User.email.is_not(None))).all() == ["maria@example.org"]


def test_a_webhook_connected_anew_has_a_new_secret_and_the_old_one_ends(
    page_of: PageOf, clinics: Clinics, owner_database: Database, settings: Settings
) -> None:
    page = page_of(clinics.manager, ALERTS)
    for _ in range(2):
        field(page, "Address that is posted to").input("https://hooks.example.org/x")
        field(page, "Flagged units").select("at_once")
        field(page, "Connect").click().run()
    first, second = subscriptions(owner_database)
    assert webhook_secret(settings, first.id) != webhook_secret(settings, second.id)
    assert (first.ended_at is None, second.ended_at is None) == (False, True)
    field(page, "Flagged units").select("daily")
    field(page, "Save the choice only").click().run()
    assert subscriptions(owner_database)[1].wanted == {"unit": "daily"}
