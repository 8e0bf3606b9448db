"""Schedules: what goes to whom by mail, exactly once, whatever happens meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
from report_press import MONDAYS, NOON, Press
from sqlalchemy import select, update

from core.clock import pretending
from core.database.session import session_scope
from core.database.tables import AuditEvent, ReportSchedule, ReportSending, SiteGrant, User
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.reports.make_report import make_asked
from core.reports.send_reports import Delivered
from core.store.report import ReportRow, read_reports
from core.store.report_schedule import Timing, claim_due, list_addressees, read_schedules, read_sendings
from core.usecases.schedule_reports import ask_due, next_moment, set_recipients
from core.vocabulary import DeliveryState, ReportKind, SchedulePace, ScheduleState


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


def change(press: Press, schedule_id: int, *names: str, by: str = "manager") -> None:
    with session_scope(press.dashboard, token=press.world.tokens[by]) as session:
        set_recipients(
            session, actor=press.actor(by), schedule_id=schedule_id,
            recipient_ids=[press.world.users[name] for name in names],
        )  # fmt: skip


def test_recipients_are_changed_and_whoever_was_taken_away_gets_not_even_what_is_waiting(press: Press) -> None:
    press.confirm_addresses("manager", "qc", "admin")
    schedule_id = press.schedule("manager", "qc")
    due = next_moment(MONDAYS, after=NOON)
    with pretending(due):
        ask_due(press.worker)
        make_asked(press.worker, press.blobs)
    change(press, schedule_id, "manager", "admin")
    press.keep(due)
    assert press.box.recipients == ["manager@example.org"], "planned when the report was made, and still wanted"
    press.keep(due + timedelta(weeks=1))
    assert sorted(press.box.recipients[1:]) == ["admin@example.org", "manager@example.org"]
    with session_scope(press.owner) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "schedule.recipients")).one()
    assert len(event.before["recipients"]) == len(event.after["recipients"]) == 2
    assert event.before != event.after


def test_recipients_are_people_with_rights_and_an_address_and_never_nobody(press: Press) -> None:
    press.confirm_addresses("manager", "qc", "technician")
    schedule_id = press.schedule("manager")
    for names, message in (
        ((), "would have no recipient"),
        (("manager",), "Nobody was added or taken away"),
        (("manager", "technician"), "no role that reaches this report"),
        (("manager", "admin"), "No e-mail address is confirmed"),
    ):
        with pytest.raises(UsageError, match=message):
            change(press, schedule_id, *names)
    with pytest.raises((NotAllowedError, NotFoundError)):
        change(press, schedule_id, "manager", "qc", by="qc")
    press.set(schedule_id, ScheduleState.ENDED)
    with pytest.raises(IllegalMoveError, match="has ended"):
        change(press, schedule_id, "qc")


def test_another_keeper_of_the_study_changes_the_recipients_too(press: Press) -> None:
    press.confirm_addresses("manager", "qc")
    schedule_id = press.schedule("manager")
    change(press, schedule_id, "manager", "qc", by="admin")
    with session_scope(press.dashboard, token=press.world.tokens["manager"]) as session:
        (schedule,) = read_schedules(session)
    assert sorted(schedule.recipient_ids) == sorted(press.world.users[name] for name in ("manager", "qc"))


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
