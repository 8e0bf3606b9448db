"""What stands beside a scan: its place in the list, the visit before, the check list, the own draft and undo."""

from datetime import timedelta

import pytest
from builders import make_acquisition, make_expected_scan, make_visit
from desk import Desk
from lane import ABSTAINED, GRADABLE, OUTSTANDING, UNGRADABLE
from sqlalchemy import update

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.store.scan_filter import ScanFilter
from core.store.scan_view import read_scan
from core.store.worklist import WorklistTab, read_worklist
from core.usecases.look_at_scan import Surroundings, look_at_scan
from core.vocabulary import Laterality, ReviewDecision, Role, ScanState


def look(desk: Desk, token: str, scan_id: int, chosen: ScanFilter | None = None) -> Surroundings:
    with desk.as_person(token) as (session, actor):
        view = read_scan(session, scan_id)
        assert view is not None
        return look_at_scan(
            session,
            view,
            actor=actor,
            chosen=chosen or ScanFilter(),
            tab=WorklistTab.TO_DECIDE,
            today=now().date(),
        )


def next_visit(desk: Desk, scan_id: int, *, days: int = 30, **changes: object) -> tables.Acquisition:
    """Another capture of the same subject, at a later visit."""
    with session_scope(desk.owner) as session:
        first = session.get_one(tables.Acquisition, desk.scan(scan_id).acquisition_id)
        visit = make_visit(session, session.get_one(tables.Subject, first.subject_id))
        slot = make_expected_scan(session, visit, laterality=first.laterality, scan_type=first.scan_type)
        when = first.acquired_at + timedelta(days=days)
        return make_acquisition(
            session, desk.scene.site, device=desk.scene.device, slot=slot, **{"acquired_at": when} | changes
        )


def test_the_place_is_that_of_the_worklist_in_its_order(desk: Desk, reviewer: str) -> None:
    for _ in range(3):
        desk.score(ABSTAINED + GRADABLE)
    accepted = desk.score(OUTSTANDING)
    with desk.as_person(reviewer) as (session, _):
        page = read_worklist(session, ScanFilter(), WorklistTab.TO_DECIDE, today=now().date(), page=0)
    ids = [item.scan_id for item in page.items]
    assert len(ids) == 3
    places = [look(desk, reviewer, scan_id).place for scan_id in ids]
    assert [place.number for place in places] == [1, 2, 3]
    assert {place.total for place in places} == {3}
    assert [(place.previous_id, place.next_id) for place in places] == [
        (None, ids[1]), (ids[0], ids[2]), (ids[1], None),
    ]  # fmt: skip
    outside = look(desk, reviewer, accepted).place
    assert (outside.number, outside.total, outside.next_id) == (None, 3, ids[0])
    narrowed = look(desk, reviewer, ids[0], ScanFilter(laterality=Laterality.OS)).place
    assert narrowed.total < 3


def test_the_same_eye_at_the_visit_before_is_found_and_no_other(desk: Desk, reviewer: str) -> None:
    first = desk.score(OUTSTANDING)
    other = desk.score(OUTSTANDING)
    second = desk.score(ABSTAINED + GRADABLE, acquisition=next_visit(desk, first))
    assert look(desk, reviewer, first).previous is None
    found = look(desk, reviewer, second).previous
    assert found is not None
    assert (found.scan_id, found.ordinal, found.is_by_person) == (first, OUTSTANDING, False)
    assert found.scan_id != other
    with session_scope(desk.owner) as session:
        session.execute(update(tables.Scan).where(tables.Scan.id == first).values(state=ScanState.SUPERSEDED))
    assert look(desk, reviewer, second).previous is None, "a scan that was replaced is passed over"


def test_the_grade_of_the_visit_before_is_a_persons_where_there_is_one(desk: Desk, reviewer: str) -> None:
    first = desk.score(UNGRADABLE)
    desk.override(reviewer, first, GRADABLE)
    second = desk.score(ABSTAINED + GRADABLE, acquisition=next_visit(desk, first))
    found = look(desk, reviewer, second).previous
    assert found is not None
    assert (found.ordinal, found.is_by_person) == (GRADABLE, True)


@pytest.mark.parametrize("decided", [False, True])
def test_what_can_be_undone_is_the_persons_own(desk: Desk, reviewer: str, decided: bool) -> None:
    first, second = desk.score(ABSTAINED + GRADABLE), desk.score(ABSTAINED + GRADABLE)
    if decided:
        desk.accept(reviewer, first)
    found = look(desk, reviewer, second).undoable
    assert (found is not None) == decided
    assert found is None or (found.scan_id, found.decision) == (first, ReviewDecision.ACCEPT)
    assert look(desk, desk.hire(Role.ADJUDICATOR), second).undoable is None


def test_the_check_list_has_a_line_for_everything_that_is_compared(desk: Desk, reviewer: str) -> None:
    subjects = [check.subject for check in look(desk, reviewer, desk.score(ABSTAINED + GRADABLE)).checks]
    assert subjects == ["laterality", "scan_type", "slab", "software", "device", "scale"]
