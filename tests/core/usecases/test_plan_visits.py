"""Planned visits are expected from their day on: what sends nothing is missing, what is called off is not."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from builders import make_member, make_protocol_version, make_site
from desk import Desk
from sqlalchemy import select, true

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.intake.visit_calendar import check_rows
from core.policy.protocol import ExpectedScanType, Protocol
from core.store.capture import find_visit
from core.store.completeness import (
    VisitRow,
    read_completeness,
    read_planned_visits,
    read_visits_with_gaps,
)
from core.store.scan_filter import ScanFilter
from core.usecases.plan_visits import (
    CalendarCheck,
    PlanChange,
    call_off_visit,
    check_calendar,
    plan_visits,
    resume_visit,
)
from core.vocabulary import Role

TYPE = "octa-enface 3x3"


class Calendar:
    """A study whose protocol expects one scan of each eye, with a window of 28 days, and who imports its calendar."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.site = desk, desk.scene.site
        protocol = Protocol(expected=(ExpectedScanType(scan_type=TYPE),), visit_window_days=28)
        with session_scope(desk.owner) as session:
            make_protocol_version(
                session, desk.scene.study, number=7, effective_at=now() - timedelta(days=100),
                document=protocol.model_dump(mode="json"),
            )  # fmt: skip
        self.planner = desk.hire(Role.QC_TECHNICIAN)
        self.today = now().date()

    def row(self, subject: str, in_days: int, **changes: str) -> dict[str, str]:
        day = self.today + timedelta(days=in_days)
        return {"site": self.site.code, "subject": subject, "visit": "V1", "planned_on": f"{day}"} | changes

    def plan(
        self, rows: Sequence[dict[str, str]], token: str | None = None, *, is_whole: bool = False
    ) -> CalendarCheck:
        table = check_rows(list(rows))
        with self.desk.as_person(token or self.planner) as (session, actor):
            return plan_visits(session, table, actor=actor, study_id=self.site.study_id, is_whole=is_whole)

    def amend(self, *expected: ExpectedScanType) -> None:
        """A later version of the protocol, in force on every day that the tests name."""
        protocol = Protocol(expected=expected, visit_window_days=28)
        with session_scope(self.desk.owner) as session:
            make_protocol_version(
                session, self.desk.scene.study, number=8, effective_at=now() - timedelta(days=90),
                document=protocol.model_dump(mode="json"),
            )  # fmt: skip

    def slots(self, subject: str) -> list[tuple[str, str]]:
        (visit,) = (visit for visit in self.ahead() if visit.subject_code == subject)
        return sorted((slot.laterality.value, slot.scan_type) for slot in visit.slots)

    def expected(self) -> tuple[int, int]:
        """How many scans are missing with an open and with a closed window."""
        with self.desk.as_person(self.planner) as (session, _):
            (site,) = read_completeness(session, ScanFilter(site_id=self.site.id), today=self.today)
        return site.n_missing_open, site.n_missing_closed

    def missing(self) -> list[str]:
        with self.desk.as_person(self.planner) as (session, _):
            page = read_visits_with_gaps(session, ScanFilter(), today=self.today, page=0, page_size=50)
        assert page.total == len(page.visits)
        return [visit.subject_code for visit in page.visits]

    def ahead(self) -> tuple[VisitRow, ...]:
        with self.desk.as_person(self.planner) as (session, _):
            return read_planned_visits(session, ScanFilter(), today=self.today, page=0, page_size=50).visits

    def visit_id(self, subject: str) -> int:
        with session_scope(self.desk.owner) as session:
            found = select(tables.Subject.id).where(tables.Subject.code == subject)
            visit = find_visit(session, session.scalars(found).one(), "V1")
        assert visit is not None
        return visit

    def events(self) -> list[tuple[str, str]]:
        with session_scope(self.desk.owner) as session:
            rows = session.scalars(
                select(tables.AuditEvent).where(tables.AuditEvent.entity == "visit").order_by(tables.AuditEvent.id)
            )
            return [(row.action, row.reason) for row in rows]


@pytest.fixture
def calendar(desk: Desk) -> Calendar:
    return Calendar(desk)


def test_a_visit_that_sent_nothing_is_missing_from_its_planned_day_on(calendar: Calendar) -> None:
    assert calendar.expected() == (0, 0)
    check = calendar.plan([calendar.row("P-1", -40), calendar.row("P-2", 0), calendar.row("P-3", 1)])
    assert [line.change for line in check.lines] == [PlanChange.NEW] * 3
    assert check.problems == ()
    assert calendar.expected() == (2, 2), "two eyes of the visit of today, two of the one whose window has closed"
    assert calendar.missing() == ["P-2", "P-1"], "what can still be taken stands first"
    assert [(visit.subject_code, visit.is_due(calendar.today)) for visit in calendar.ahead()] == [
        ("P-2", True),
        ("P-3", False),
    ]
    assert calendar.events() == [("visit.planned", "")] * 3


def test_importing_the_calendar_again_changes_only_what_changed(calendar: Calendar) -> None:
    rows = [calendar.row("P-1", 3), calendar.row("P-2", 4), calendar.row("P-3", 5)]
    calendar.plan(rows)
    again = calendar.plan([rows[0], calendar.row("P-2", 9), calendar.row("P-3", 5, called_off="Subject withdrew")])
    assert [line.change for line in again.lines] == [PlanChange.UNCHANGED, PlanChange.MOVED, PlanChange.CALLED_OFF]
    assert calendar.events()[3:] == [("visit.moved", ""), ("visit.called_off", "Subject withdrew")]
    first, last, moved = calendar.ahead()
    assert (moved.subject_code, moved.window_ends_on) == ("P-2", calendar.today + timedelta(days=9 + 28))
    assert (last.called_off_reason, first.called_off_reason) == ("Subject withdrew", "")
    resumed = calendar.plan([rows[2]])
    assert [line.change for line in resumed.lines] == [PlanChange.RESUMED]
    assert calendar.plan(rows[2:]).count(PlanChange.UNCHANGED) == 1


def test_what_a_visit_awaits_follows_the_protocol_when_the_calendar_is_imported_again(calendar: Calendar) -> None:
    row = calendar.row("P-1", 3)
    calendar.plan([row])
    calendar.amend(ExpectedScanType(scan_type="octa-enface 6x6"))
    assert calendar.slots("P-1") == [("OD", TYPE), ("OS", TYPE)], "publishing a version changes no plan by itself"
    (line,) = calendar.plan([row]).lines
    assert (line.change, len(line.added), len(line.removed)) == (PlanChange.REPLACED, 2, 2)
    assert calendar.slots("P-1") == [("OD", "octa-enface 6x6"), ("OS", "octa-enface 6x6")]
    assert calendar.plan([row]).count(PlanChange.UNCHANGED) == 1
    with session_scope(calendar.desk.owner) as session:
        event = session.scalars(
            select(tables.AuditEvent).where(tables.AuditEvent.action == "visit.expects_otherwise")
        ).one()
        assert event.before is not None
        assert event.after is not None
        assert event.before["awaited"] == [f"OD {TYPE}", f"OS {TYPE}"], "what was planned stays on record"
        assert event.after["awaited"] == ["OD octa-enface 6x6", "OS octa-enface 6x6"]


def test_what_arrived_stays_expected_whatever_the_protocol_now_says(calendar: Calendar) -> None:
    scan_id = calendar.desk.score(2)
    with session_scope(calendar.desk.owner) as session:
        capture = session.get_one(tables.Acquisition, session.get_one(tables.Scan, scan_id).acquisition_id)
        subject = session.get_one(tables.Subject, capture.subject_id)
        visit = session.get_one(tables.Visit, capture.visit_id)
        codes = {"subject": subject.code, "visit": visit.code}
        arrived = (capture.laterality, capture.scan_type)
    calendar.amend(ExpectedScanType(scan_type="octa-enface 12x12"))
    calendar.plan([calendar.row("", 1) | codes])
    assert calendar.slots(codes["subject"]) == sorted(
        [arrived, ("OD", "octa-enface 12x12"), ("OS", "octa-enface 12x12")]
    )
    technician = calendar.desk.hire(Role.SITE_TECHNICIAN)
    for token in (technician, calendar.planner):
        with session_scope(calendar.desk.dashboard, token=token) as session:
            gone = session.execute(
                tables.ExpectedScan.__table__.delete().where(
                    tables.ExpectedScan.first_received_at.is_not(None) if token == calendar.planner else true()
                )
            )
            assert gone.rowcount == 0, "row-level security holds it below the use case"


def test_a_whole_calendar_calls_off_what_it_leaves_out_and_nothing_was_sent_of(calendar: Calendar) -> None:
    rows = [calendar.row("P-1", 3), calendar.row("P-2", -4), calendar.row("P-3", 5)]
    calendar.plan(rows)
    assert calendar.plan(rows[:1]).count(PlanChange.LEFT_OUT) == 0, "a part of a calendar says nothing of the others"
    faulty = calendar.plan([*rows[:1], calendar.row("P-2", 1, planned_on="soon")], is_whole=True)
    assert faulty.count(PlanChange.LEFT_OUT) == 0, "the row that has a fault may be the visit's own"
    assert [problem.code for problem in faulty.problems] == ["date_invalid", "calendar_not_whole"]
    done = calendar.plan(rows[:1], is_whole=True)
    assert [(line.row.subject, line.change) for line in done.lines] == [
        ("P-1", PlanChange.UNCHANGED), ("P-2", PlanChange.LEFT_OUT), ("P-3", PlanChange.LEFT_OUT),
    ]  # fmt: skip
    assert calendar.missing() == []
    action, reason = calendar.events()[-1]
    assert action == "visit.called_off"
    assert reason.startswith("Not in the calendar imported on")
    assert calendar.plan(rows[1:2]).count(PlanChange.RESUMED) == 1, "a later calendar names it again"


def test_a_visit_that_is_called_off_is_not_missing_and_may_take_place_after_all(calendar: Calendar) -> None:
    calendar.plan([calendar.row("P-1", -1)])
    visit_id = calendar.visit_id("P-1")
    with calendar.desk.as_person(calendar.planner) as (session, actor):
        with pytest.raises(UsageError, match="without a reason"):
            call_off_visit(session, actor=actor, visit_id=visit_id, reason=" ")
        call_off_visit(session, actor=actor, visit_id=visit_id, reason="Moved abroad")
        with pytest.raises(IllegalMoveError, match="called off already"):
            call_off_visit(session, actor=actor, visit_id=visit_id, reason="Moved abroad")
    assert (calendar.expected(), calendar.missing()) == ((0, 0), [])
    with calendar.desk.as_person(calendar.planner) as (session, actor):
        resume_visit(session, actor=actor, visit_id=visit_id)
        with pytest.raises(IllegalMoveError, match="was not called off"):
            resume_visit(session, actor=actor, visit_id=visit_id)
    assert calendar.expected() == (2, 0)
    assert calendar.events()[1:] == [("visit.called_off", "Moved abroad"), ("visit.resumed", "")]


def test_a_scan_that_arrived_keeps_its_window_when_the_calendar_comes_late(calendar: Calendar) -> None:
    scan_id = calendar.desk.score(2)
    with session_scope(calendar.desk.owner) as session:
        capture = session.get_one(tables.Acquisition, session.get_one(tables.Scan, scan_id).acquisition_id)
        visit = session.get_one(tables.Visit, capture.visit_id)
        subject = session.get_one(tables.Subject, visit.subject_id)
        visit.window_ends_on = date(2031, 1, 1)
        codes = {"subject": subject.code, "visit": visit.code}
    check = calendar.plan([calendar.row("", -3) | codes])
    assert [(line.change, line.window_ends_on) for line in check.lines] == [(PlanChange.MOVED, date(2031, 1, 1))]


def test_rows_that_cannot_be_taken_are_named_and_stop_no_others(calendar: Calendar) -> None:
    with session_scope(calendar.desk.owner) as session:
        other = make_site(session, calendar.desk.scene.study)
    check = calendar.plan(
        [
            calendar.row("P-1", 1),
            calendar.row("P-2", 1, site="NOWHERE"),
            calendar.row("P-3", 1, site=other.code),
            calendar.row("P-4", 36_500),
        ]
    )
    assert [line.row.subject for line in check.lines] == ["P-1"]
    assert [problem.code for problem in check.problems] == ["site_unknown", "site_unknown", "day_implausible"]
    with pytest.raises(UsageError, match=r"can be taken\. Line 1: there is no site NOWHERE"):
        calendar.plan([calendar.row("P-1", 1, site="NOWHERE")])


def test_a_protocol_that_expects_nothing_is_said(calendar: Calendar) -> None:
    with session_scope(calendar.desk.owner) as session:
        make_protocol_version(
            session, calendar.desk.scene.study, number=8, effective_at=now() - timedelta(days=50),
            document=Protocol().model_dump(mode="json"),
        )  # fmt: skip
    check = calendar.plan([calendar.row("P-1", 0)])
    assert [(problem.code, problem.is_blocking) for problem in check.problems] == [("protocol_expects_nothing", False)]
    assert check.count(PlanChange.NEW) == 1


def test_a_site_neither_plans_nor_calls_off_its_visits(calendar: Calendar) -> None:
    technician = calendar.desk.hire(Role.SITE_TECHNICIAN)
    with pytest.raises(UsageError, match="you do not plan visits of site"):
        calendar.plan([calendar.row("P-1", 1)], technician)
    calendar.plan([calendar.row("P-1", 1)])
    visit_id = calendar.visit_id("P-1")
    with (
        pytest.raises(NotAllowedError, match="does not plan"),
        calendar.desk.as_person(technician) as (session, actor),
    ):
        call_off_visit(session, actor=actor, visit_id=visit_id, reason="No time")
    with session_scope(calendar.desk.dashboard, token=technician) as session:
        plans = tables.Visit.__table__.update().values(called_off_reason="x", called_off_at=now())
        assert session.execute(plans).rowcount == 0, "row-level security holds it below the use case"


def test_nobody_of_another_site_reaches_a_visit_and_checking_writes_nothing(calendar: Calendar) -> None:
    with session_scope(calendar.desk.owner) as session:
        stranger = make_member(session, Role.MANAGER, site=make_site(session))[1]
    with calendar.desk.as_person(calendar.planner) as (session, actor):
        table = check_rows([calendar.row("P-1", 1)])
        check = check_calendar(session, table, actor=actor, study_id=calendar.site.study_id)
        assert check.count(PlanChange.NEW) == 1
    assert calendar.events() == []
    calendar.plan([calendar.row("P-1", 1)])
    with calendar.desk.as_person(stranger) as (session, actor), pytest.raises(NotFoundError, match="no such visit"):
        call_off_visit(session, actor=actor, visit_id=calendar.visit_id("P-1"), reason="x")
