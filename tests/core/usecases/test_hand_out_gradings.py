"""Gradings from the draw to the consensus: who gets which scan, who settles it, and what comes back a second time."""

from collections import Counter
from datetime import timedelta

import pytest
from builders import make_acquisition, make_batch, make_technician
from desk import Desk
from grading_world import GradingWorld
from lane import GRADABLE, OUTSTANDING, UNGRADABLE, Scene, queue_scan
from sqlalchemy import select

from core.clock import now, pretending
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.policy.grading_plan import Settlement
from core.usecases.check_rates import verify_rates
from core.usecases.grade_masked import grade_masked
from core.vocabulary import AssignmentState, CheckCause, GradingState, Role

GRADERS = ("ann", "ben", "cid")


@pytest.fixture
def world(desk: Desk) -> GradingWorld:
    """Three graders, two adjudicators, and a plan that draws every scan."""
    made = GradingWorld(desk)
    made.plan()
    for name in GRADERS:
        made.hire(name, Role.GRADER)
    for name in ("sen", "sue"):
        made.hire(name, Role.ADJUDICATOR)
    return made


def adjudicator_of(world: GradingWorld) -> str:
    names = {id_: name for name, id_ in world.ids.items()}
    return names[world.grading().adjudicator_id or 0]


def test_a_scored_scan_is_handed_to_three_graders_and_settles_where_they_agree(world: GradingWorld) -> None:
    scan_id = world.score()
    assert world.grading().state == GradingState.DRAWN
    assert world.round().n_assigned == 3
    assert [world.list_of(name) for name in GRADERS] == [[scan_id]] * 3
    world.grade("ann", GRADABLE)
    world.grade("ben", GRADABLE)
    assert world.round().n_settled == 0
    world.grade("cid", GRADABLE)
    assert world.round().n_settled == 1
    grading = world.grading()
    assert (grading.state, grading.consensus_ordinal, grading.settlement, grading.settled_by_id) == (
        GradingState.SETTLED, GRADABLE, Settlement.AGREEMENT, None,
    )  # fmt: skip
    assert world.round().n_settled == 0


def test_graders_who_differ_send_a_scan_to_one_adjudicator_who_settles_it(world: GradingWorld) -> None:
    world.score()
    world.round()
    for name, ordinal in zip(GRADERS, (GRADABLE, GRADABLE, UNGRADABLE), strict=True):
        world.grade(name, ordinal)
    assert world.round().n_to_adjudicate == 1
    chosen = adjudicator_of(world)
    other = {"sen": "sue", "sue": "sen"}[chosen]
    with pytest.raises(NotAllowedError, match="another adjudicator"):
        world.settle(other, GRADABLE)
    with pytest.raises(UsageError, match="No grader gave"):
        world.settle(chosen, OUTSTANDING)
    with pytest.raises(NotFoundError):
        world.settle("ann", GRADABLE)
    world.settle(chosen, UNGRADABLE)
    grading = world.grading()
    assert (grading.consensus_ordinal, grading.settlement) == (UNGRADABLE, Settlement.ADJUDICATION)
    assert grading.settled_by_id == world.ids[chosen]
    with pytest.raises(IllegalMoveError, match="come to its end"):
        world.settle(chosen, GRADABLE)


def test_under_the_rule_of_the_majority_only_a_grade_two_steps_away_is_adjudicated(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan(rule="majority")
    for name in GRADERS:
        world.hire(name, Role.GRADER)
    near, far = world.score(), world.score()
    world.round()
    for scan_id, ordinals in ((near, (1, 1, 2)), (far, (2, 2, 0))):
        for name, ordinal in zip(GRADERS, ordinals, strict=True):
            world.grade(name, ordinal, scan_id)
    done = world.round()
    assert (done.n_settled, done.n_to_adjudicate) == (1, 1)


def test_a_drawn_scan_waits_until_there_are_as_many_graders_as_the_plan_asks_for(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan()
    for name in GRADERS[:2]:
        world.hire(name, Role.GRADER)
    world.score()
    assert world.round().n_assigned == 0
    world.hire("cid", Role.GRADER)
    assert world.round().n_assigned == 3


def test_scans_go_to_those_with_the_fewest_open(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan(n_graders=2)
    names = ("ann", "ben", "cid", "dot")
    for name in names:
        world.hire(name, Role.GRADER)
    for _ in range(10):
        world.score()
    world.round()
    assert Counter(len(world.list_of(name)) for name in names) == {5: 4}


def test_nobody_grades_a_scan_that_they_made_or_graded_already_or_with_a_second_role(world: GradingWorld) -> None:
    desk = world.desk
    for name in ("uploader", "operator", "both"):
        world.hire(name, Role.GRADER)
    with session_scope(desk.owner) as session:
        batch = make_batch(session, desk.scene.site, uploaded_by_id=world.ids["uploader"])
        operator = make_technician(session, desk.scene.site, user_id=world.ids["operator"])
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, technician_id=operator.id)
        queue_scan(session, Scene(desk.scene.study, desk.scene.site, desk.scene.device, batch, desk.scene.blobs), 1)
        session.add(
            tables.SiteGrant(user_id=world.ids["both"], role="qc_technician", study_id=desk.scene.study.id,
                             site_id=desk.scene.site.id)
        )  # fmt: skip
    acquired = world.score(acquisition=capture)
    known = world.score()
    with desk.as_person(world.tokens["ann"]) as (session, actor):
        grade_masked(session, actor=actor, scan_id=known, ordinal=GRADABLE)
    world.round()
    got = {(part.scan_id, part.grader_id) for part in world.parts()}
    uploaded = {part.scan_id for part in world.parts()} - {acquired, known}
    assert len(uploaded) == 1
    assert (uploaded.pop(), world.ids["uploader"]) not in got
    assert (acquired, world.ids["operator"]) not in got
    assert (known, world.ids["ann"]) in got
    assert known not in world.list_of("ann")
    assert world.ids["both"] not in {grader_id for _, grader_id in got}
    assert len(got) == 9


def test_a_disabled_grader_s_scans_go_to_another(world: GradingWorld) -> None:
    world.score()
    world.round()
    world.grade("ann", GRADABLE)
    world.disable("ben")
    assert world.round().n_withdrawn == 1
    world.hire("dot", Role.GRADER)
    assert world.round().n_assigned == 1
    world.grade("cid", GRADABLE)
    world.grade("dot", GRADABLE)
    assert world.round().n_settled == 1
    assert Counter(part.state for part in world.parts()) == {AssignmentState.DONE: 3, AssignmentState.WITHDRAWN: 1}


def test_a_disabled_adjudicator_s_scans_go_to_another(world: GradingWorld) -> None:
    world.score()
    world.round()
    for name, ordinal in zip(GRADERS, (0, 1, 2), strict=True):
        world.grade(name, ordinal)
    world.round()
    first = adjudicator_of(world)
    world.disable(first)
    world.round()
    second = adjudicator_of(world)
    assert second != first
    world.settle(second, GRADABLE)


def test_what_the_graders_agree_on_may_be_drawn_for_the_senior_check(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan(senior_check_share=1.0)
    for name in GRADERS:
        world.hire(name, Role.GRADER)
    world.hire("sen", Role.ADJUDICATOR)
    world.score()
    world.round()
    for name in GRADERS:
        world.grade(name, GRADABLE)
    world.round()
    assert (world.grading().state, world.grading().is_senior_check) == (GradingState.TO_ADJUDICATE, True)
    world.settle("sen", GRADABLE)
    assert world.grading().settlement == Settlement.ADJUDICATION


def test_a_repeat_comes_back_to_the_same_grader_after_the_interval_and_is_no_second_masked_grade(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan(repeat_share=1.0, repeat_after_days=28)
    for name in GRADERS:
        world.hire(name, Role.GRADER)
    scan_id = world.score()
    world.round()
    for name in GRADERS:
        world.grade(name, GRADABLE)
    with pretending(now() + timedelta(days=27)):
        assert world.round().n_assigned == 0
    with pretending(now() + timedelta(days=28, minutes=1)):
        assert world.round().n_assigned == 3
        assert world.round().n_assigned == 0
        assert world.list_of("ann") == [scan_id]
        world.grade("ann", OUTSTANDING)
        assert world.list_of("ann") == []
    with session_scope(desk.owner) as session:
        reviews = session.scalars(select(tables.Review.ordinal).where(tables.Review.scan_id == scan_id)).all()
    assert reviews == [GRADABLE] * 3
    assert [(part.ordinal, part.repeat_of_id is None) for part in world.parts() if part.grader_id == world.ids["ann"]] == [
        (GRADABLE, True), (OUTSTANDING, False),
    ]  # fmt: skip
    assert world.grading().consensus_ordinal == GRADABLE


def test_a_consensus_decides_nothing_but_calls_a_person_to_an_accepted_scan(world: GradingWorld) -> None:
    scan_id = world.score(GRADABLE)
    before = world.desk.stands(scan_id)
    world.round()
    for name in GRADERS:
        world.grade(name, UNGRADABLE)
    world.round()
    assert world.grading().consensus_ordinal == UNGRADABLE
    assert world.desk.stands(scan_id) == before
    assert verify_rates(world.desk.worker) == []
    with session_scope(world.desk.owner) as session:
        check = session.scalars(select(tables.AcceptedCheck)).one()
    assert (check.scan_id, check.cause, check.state) == (scan_id, CheckCause.CONSENSUS, "open")


def test_a_grade_given_from_the_scan_s_page_is_the_one_that_was_asked_for(world: GradingWorld) -> None:
    scan_id = world.score()
    world.round()
    with world.desk.as_person(world.tokens["ann"]) as (session, actor):
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=GRADABLE)
    assert world.list_of("ann") == []


def test_a_scan_is_drawn_once_whatever_scores_it_again_and_phantoms_never(world: GradingWorld) -> None:
    world.score()
    with session_scope(world.desk.owner) as session:
        phantom = make_acquisition(session, world.desk.scene.site, device=world.desk.scene.device, is_phantom=True)
    world.score(acquisition=phantom)
    with session_scope(world.desk.owner) as session:
        session.execute(tables.Scan.__table__.update().values(state="queued"))
    world.score()
    with session_scope(world.desk.owner) as session:
        drawn = session.scalars(select(tables.Grading.scan_id)).all()
    assert len(drawn) == len(set(drawn)) == 2


def test_every_move_of_a_grading_is_in_the_audit_trail_under_the_study(world: GradingWorld) -> None:
    world.score()
    world.round()
    for name, ordinal in zip(GRADERS, (0, 1, 2), strict=True):
        world.grade(name, ordinal)
    world.round()
    world.settle(adjudicator_of(world), GRADABLE)
    with session_scope(world.desk.owner) as session:
        events = session.scalars(
            select(tables.AuditEvent).where(tables.AuditEvent.entity == "grading").order_by(tables.AuditEvent.id)
        ).all()
    assert [event.action for event in events] == [
        "grading.drawn", *["grading.assigned"] * 3, "grading.to_adjudicate", "grading.given_to_adjudicator",
        "grading.settled",
    ]  # fmt: skip
    assert {event.site_id for event in events} == {None}
    assert {event.study_id for event in events} == {world.desk.scene.study.id}
