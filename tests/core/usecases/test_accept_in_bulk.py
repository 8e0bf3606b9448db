"""Accepting a list: the sample that comes first, what is left out, and what every scan has on record afterwards."""

from datetime import timedelta

import pytest
from builders import make_batch, make_member
from desk import Desk
from lane import ABSTAINED, GRADABLE, UNGRADABLE, Scene, make_scene, queue_scan
from sqlalchemy import select
from stopped_clock import stop_clock

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotFoundError, OctauditError, UsageError
from core.store.scan_filter import ScanFilter
from core.usecases import accept_in_bulk
from core.usecases.accept_in_bulk import (
    MOVES,
    BulkView,
    accept_piece,
    look_at_bulk,
    look_at_sample,
    mark_sample,
    open_bulk,
    propose_bulk,
    stop_bulk,
)
from core.usecases.check_rates import verify_rates
from core.usecases.undo_review import UNDO_WINDOW, find_undoable, undo_review
from core.vocabulary import BulkState, ReviewDecision, Role, SampleMark, ScanState

N = 7


@pytest.fixture
def waiting(desk: Desk) -> list[int]:
    """Seven abstained scans that wait for a decision."""
    return [desk.score(ABSTAINED + GRADABLE) for _ in range(N)]


def begin(desk: Desk, token: str) -> int:
    with desk.as_person(token) as (session, actor):
        return open_bulk(session, actor=actor, chosen=ScanFilter(), filters={"site": "1"}, today=now().date())


def view_of(desk: Desk, token: str, bulk_id: int) -> BulkView:
    with desk.as_person(token) as (session, _):
        view = look_at_bulk(session, bulk_id)
    assert view is not None
    return view


def look(desk: Desk, token: str, bulk_id: int, scan_id: int) -> None:
    with desk.as_person(token) as (session, actor):
        look_at_sample(session, actor=actor, bulk_id=bulk_id, scan_id=scan_id)


def mark(desk: Desk, token: str, bulk_id: int, scan_id: int, said: SampleMark = SampleMark.AGREE) -> None:
    with desk.as_person(token) as (session, actor):
        mark_sample(session, actor=actor, bulk_id=bulk_id, scan_id=scan_id, mark=said)


def agree_to_all(desk: Desk, token: str, bulk_id: int) -> None:
    for item in view_of(desk, token, bulk_id).sample:
        look(desk, token, bulk_id, item.scan_id)
        mark(desk, token, bulk_id, item.scan_id)


def accept_all(desk: Desk, token: str, bulk_id: int) -> None:
    left = N
    while left:
        with desk.as_person(token) as (session, actor):
            left = accept_piece(session, actor=actor, bulk_id=bulk_id)


def test_an_agreed_list_is_accepted_scan_by_scan_with_its_own_review_and_event(
    desk: Desk, reviewer: str, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept_in_bulk, "PIECE", 3)
    bulk_id = begin(desk, reviewer)
    assert len(view_of(desk, reviewer, bulk_id).sample) == 5
    agree_to_all(desk, reviewer, bulk_id)
    accept_all(desk, reviewer, bulk_id)
    with session_scope(desk.owner) as session:
        reviews = session.scalars(select(tables.Review)).all()
        events = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.accept")).all()
        bulk = session.scalars(select(tables.BulkReview)).one()
        last = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "bulk_review.done")).one()
    assert {desk.scan(scan_id).state for scan_id in waiting} == {ScanState.ACCEPTED}
    assert {(review.scan_id, review.decision, review.bulk_review_id) for review in reviews} == {
        (scan_id, ReviewDecision.ACCEPT, bulk_id) for scan_id in waiting
    }
    assert {(event.entity_id, event.after["bulk_review"]) for event in events} == {(each, bulk_id) for each in waiting}
    assert (bulk.state, bulk.filters) == (BulkState.DONE, {"site": "1"})
    assert (last.after["accepted"], last.after["left_out"]) == (N, 0)
    assert verify_rates(desk.worker) == []
    with desk.as_person(reviewer) as (session, actor):
        assert find_undoable(session, actor=actor) is None


def test_each_scan_of_an_accepted_list_is_taken_back_alone(desk: Desk, reviewer: str, waiting: list[int]) -> None:
    before = desk.stands(waiting[2])
    bulk_id = begin(desk, reviewer)
    agree_to_all(desk, reviewer, bulk_id)
    accept_all(desk, reviewer, bulk_id)
    for scan_id in (waiting[2], waiting[5]):  # in any order, and the list's last scan is neither
        with desk.as_person(reviewer) as (session, actor):
            found = find_undoable(session, actor=actor, scan_id=scan_id)
            assert found is not None
            assert undo_review(session, actor=actor, review_id=found.review_id, reason="Blurred.") == scan_id
    assert desk.stands(waiting[2]) == before
    view = view_of(desk, reviewer, bulk_id)
    assert {item.scan_id for item in view.accepted if item.is_taken_back} == {waiting[2], waiting[5]}
    assert {item.scan_id for item in view.accepted} == set(waiting)
    assert [desk.scan(scan_id).state for scan_id in waiting].count(ScanState.ACCEPTED) == N - 2
    assert verify_rates(desk.worker) == []


def test_an_acceptance_in_bulk_is_taken_back_once_by_its_giver_while_nobody_moved_on(
    desk: Desk, reviewer: str, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk_id = begin(desk, reviewer)
    agree_to_all(desk, reviewer, bulk_id)
    accept_all(desk, reviewer, bulk_id)
    reviews = {item.scan_id: item.review_id or 0 for item in view_of(desk, reviewer, bulk_id).accepted}
    desk.override(reviewer, waiting[0], 0)

    def undo(token: str, scan_id: int) -> None:
        with desk.as_person(token) as (session, actor):
            undo_review(session, actor=actor, review_id=reviews[scan_id])

    with pytest.raises(IllegalMoveError, match="moved on"):
        undo(reviewer, waiting[0])
    colleague = desk.hire(Role.QC_TECHNICIAN)
    desk.accept(colleague, desk.score(ABSTAINED + GRADABLE))
    with pytest.raises(IllegalMoveError, match="this is neither"):
        undo(colleague, waiting[1])
    undo(reviewer, waiting[1])
    with pytest.raises(IllegalMoveError, match="undone already"):
        undo(reviewer, waiting[1])
    stop_clock(monkeypatch, now() + UNDO_WINDOW + timedelta(seconds=1))
    with pytest.raises(IllegalMoveError, match="for 15 minutes"):
        undo(reviewer, waiting[2])
    assert verify_rates(desk.worker) == []


def test_nothing_is_accepted_before_every_sampled_scan_was_looked_at_and_agreed_to(
    desk: Desk, reviewer: str, waiting: list[int]
) -> None:
    bulk_id = begin(desk, reviewer)
    first, *others = view_of(desk, reviewer, bulk_id).sample
    with pytest.raises(IllegalMoveError, match="not looked"):
        mark(desk, reviewer, bulk_id, first.scan_id)
    for item in others:
        look(desk, reviewer, bulk_id, item.scan_id)
        mark(desk, reviewer, bulk_id, item.scan_id)
    with pytest.raises(IllegalMoveError, match="agreed"), desk.as_person(reviewer) as (session, actor):
        accept_piece(session, actor=actor, bulk_id=bulk_id)
    assert {desk.scan(scan_id).state for scan_id in waiting} == {ScanState.UNDER_REVIEW}


def test_one_disagreement_stops_it_and_nothing_is_accepted(desk: Desk, reviewer: str, waiting: list[int]) -> None:
    bulk_id = begin(desk, reviewer)
    first, second, *_ = view_of(desk, reviewer, bulk_id).sample
    for item in (first, second):
        look(desk, reviewer, bulk_id, item.scan_id)
    mark(desk, reviewer, bulk_id, first.scan_id)
    mark(desk, reviewer, bulk_id, second.scan_id, SampleMark.DISAGREE)
    assert view_of(desk, reviewer, bulk_id).bulk.state is BulkState.STOPPED
    for verb in (accept_piece, stop_bulk):
        with pytest.raises(NotFoundError, match="still open"), desk.as_person(reviewer) as (session, actor):
            verb(session, actor=actor, bulk_id=bulk_id)
    assert {desk.scan(scan_id).state for scan_id in waiting} == {ScanState.UNDER_REVIEW}


def test_what_changed_meanwhile_is_left_out_and_named(desk: Desk, reviewer: str, waiting: list[int]) -> None:
    bulk_id = begin(desk, reviewer)
    agree_to_all(desk, reviewer, bulk_id)
    desk.override(desk.hire(Role.ADJUDICATOR), waiting[2], UNGRADABLE)
    accept_all(desk, reviewer, bulk_id)
    left_out = [item for item in view_of(desk, reviewer, bulk_id).items if item.left_out]
    assert [item.scan_id for item in left_out] == [waiting[2]]
    assert "changed since" in left_out[0].left_out
    assert desk.stands(waiting[2])[2] == UNGRADABLE
    assert verify_rates(desk.worker) == []


def test_own_work_and_what_the_model_finds_ungradable_is_not_in_the_list_to_accept(
    desk: Desk, waiting: list[int]
) -> None:
    bad, likely_bad = desk.score(UNGRADABLE), desk.score(ABSTAINED + UNGRADABLE)
    with session_scope(desk.owner) as session:
        user, token = make_member(session, Role.QC_TECHNICIAN, site=desk.scene.site)
        batch = make_batch(session, desk.scene.site, uploaded_by_id=user.id)
        scene = Scene(desk.scene.study, desk.scene.site, desk.scene.device, batch, desk.scene.blobs)
        own = queue_scan(session, scene, ABSTAINED + GRADABLE).id
    desk.score(ABSTAINED + GRADABLE)  # scores the queued one as well
    with desk.as_person(token) as (session, actor):
        proposal = propose_bulk(session, actor=actor, chosen=ScanFilter(), today=now().date())
    assert proposal.left_out.keys() == {bad, likely_bad, own}
    assert "acquired or uploaded" in proposal.left_out[own]
    assert {scan.scan_id for scan in proposal.eligible} >= set(waiting)
    bulk_id = begin(desk, token)
    assert not {bad, likely_bad, own} & {item.scan_id for item in view_of(desk, token, bulk_id).sample}


def test_a_list_without_anything_to_accept_is_refused(desk: Desk, reviewer: str) -> None:
    desk.score(UNGRADABLE)
    with pytest.raises(UsageError, match="one by one"):
        begin(desk, reviewer)


def test_nobody_else_carries_a_bulk_acceptance_on_and_only_overseers_see_it(
    desk: Desk, reviewer: str, waiting: list[int]
) -> None:
    bulk_id = begin(desk, reviewer)
    assert waiting
    with session_scope(desk.owner) as session:
        elsewhere = make_scene(session, desk.scene.blobs).site
        manager = make_member(session, Role.MANAGER, study=desk.scene.study)[1]
    for token, is_seen in (
        (desk.hire(Role.QC_TECHNICIAN), False), (desk.hire(Role.SITE_TECHNICIAN), False),
        (desk.hire(Role.QC_TECHNICIAN, elsewhere), False), (manager, True),
    ):  # fmt: skip
        with desk.as_person(token) as (session, _):
            assert (look_at_bulk(session, bulk_id) is not None) == is_seen
        with pytest.raises(OctauditError), desk.as_person(token) as (session, actor):
            accept_piece(session, actor=actor, bulk_id=bulk_id)


def test_every_state_leads_to_an_end_and_the_ends_lead_nowhere() -> None:
    ends = {state for state in BulkState if not MOVES[state]}
    assert ends == {BulkState.DONE, BulkState.STOPPED}
    assert all(ends & MOVES[state] for state in BulkState if state not in ends)
