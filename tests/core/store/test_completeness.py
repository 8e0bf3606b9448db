"""What is missing of each visit, against a study made by hand in which every cell is known."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from builders import make_acquisition, make_expected_scan, make_member, make_site, make_study, make_subject, make_visit
from desk import Desk
from lane import GRADABLE, UNGRADABLE
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import session_scope
from core.store.capture import find_or_add_slot
from core.store.completeness import (
    SlotState,
    VisitRow,
    read_completeness,
    read_latest_visits,
    read_visits_with_gaps,
)
from core.store.scan_filter import ScanFilter
from core.usecases.check_rates import verify_rates
from core.usecases.reacquire import mark_not_possible
from core.vocabulary import Laterality, Role

TODAY = date(2026, 5, 4)
TYPES = ("octa-enface 3x3", "octa-enface 6x6")


class Plan:
    """Three visits of one subject: one received in part, one missed with its window open, one with it closed."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with session_scope(desk.owner) as session:
            site = desk.scene.site
            self.subject = make_subject(session, site, code="P-01")
            self.partly = self._visit(session, "V1", TODAY + timedelta(days=2))
            self.open = self._visit(session, "V2", TODAY)
            self.closed = self._visit(session, "V3", TODAY - timedelta(days=1))

    def _visit(self, session: Session, code: str, ends_on: date) -> dict[tuple[str, str], int]:
        visit = make_visit(session, self.subject, code=code, window_ends_on=ends_on)
        return {
            (eye.value, type_): make_expected_scan(
                session, visit, laterality=eye.value, scan_type=type_, first_received_at=None
            ).id
            for eye in Laterality
            for type_ in TYPES
        }

    def receive(self, eye: str, type_: str, order: int) -> int:
        with session_scope(self.desk.owner) as session:
            slot = session.get_one(tables.ExpectedScan, self.partly[eye, type_])
            find_or_add_slot(
                session, slot.site_id, slot.visit_id, Laterality(eye), type_, received_at=datetime.now(tz=UTC)
            )
            capture = make_acquisition(session, self.desk.scene.site, device=self.desk.scene.device, slot=slot)
        return self.desk.score(order, acquisition=capture)


@pytest.fixture
def plan(desk: Desk) -> Plan:
    return Plan(desk)


@pytest.fixture
def session(plan: Plan) -> Iterator[Session]:
    reviewer = plan.desk.hire(Role.QC_TECHNICIAN)
    plan.receive("OD", TYPES[0], GRADABLE)
    plan.receive("OD", TYPES[1], UNGRADABLE)
    given_up, asked = plan.receive("OS", TYPES[0], UNGRADABLE), plan.receive("OS", TYPES[1], UNGRADABLE)
    request = plan.desk.request(reviewer, given_up)
    with plan.desk.as_person(reviewer) as (acting, actor):
        mark_not_possible(acting, actor=actor, request_id=request, reason="Cataract.")
    plan.desk.request(reviewer, asked)
    assert verify_rates(plan.desk.owner) == []
    with plan.desk.as_person(plan.desk.hire(Role.MANAGER)) as (reading, _):
        yield reading


def cells(row: VisitRow) -> dict[tuple[str, str], SlotState]:
    return {(slot.laterality, slot.scan_type): slot.state for slot in row.slots}


def test_every_cell_of_a_visit_says_what_became_of_it(session: Session) -> None:
    newest_first = read_latest_visits(session, ScanFilter(), page=0, page_size=10).visits
    assert [row.visit_code for row in newest_first] == ["V3", "V2", "V1"]
    assert cells(newest_first[2]) == {
        ("OD", TYPES[0]): SlotState.GRADABLE,
        ("OD", TYPES[1]): SlotState.UNGRADABLE,
        ("OS", TYPES[0]): SlotState.NOT_POSSIBLE,
        ("OS", TYPES[1]): SlotState.REQUESTED,
    }
    assert set(cells(newest_first[1]).values()) == {SlotState.MISSING}
    assert newest_first[2].n_received == 4


def test_visits_with_gaps_stand_with_the_soonest_to_close_ahead_and_the_closed_last(session: Session) -> None:
    found = read_visits_with_gaps(session, ScanFilter(), today=TODAY, page=0, page_size=10)
    assert [row.visit_code for row in found.visits] == ["V2", "V3"]
    assert [row.is_window_open(TODAY) for row in found.visits] == [True, False]
    assert found.total == 2
    second = read_visits_with_gaps(session, ScanFilter(), today=TODAY, page=1, page_size=1)
    assert ([row.visit_code for row in second.visits], second.total) == (["V3"], 2)


def test_completeness_is_received_by_expected_with_what_can_still_be_taken(session: Session, plan: Plan) -> None:
    (site,) = read_completeness(session, ScanFilter(), today=TODAY)
    assert (site.n_received, site.n_missing_open, site.n_missing_closed, site.n_expected) == (4, 4, 4, 12)
    other = ScanFilter(site_id=plan.desk.scene.site.id + 10_000)
    assert read_completeness(session, other, today=TODAY) == ()


def test_another_sites_gaps_are_not_seen(plan: Plan) -> None:
    with session_scope(plan.desk.owner) as session:
        elsewhere = make_member(session, Role.MANAGER, site=make_site(session, make_study(session)))[1]
    with plan.desk.as_person(elsewhere) as (session, _):
        assert read_visits_with_gaps(session, ScanFilter(), today=TODAY, page=0, page_size=10).visits == ()
        assert read_latest_visits(session, ScanFilter(), page=0, page_size=10).visits == ()
