"""Checks of accepted scans: what is drawn, what a person's grade does, and what it says of the accept level."""

import pytest
from builders import make_batch
from desk import Desk
from grading_world import GradingWorld
from lane import ABSTAINED, GRADABLE, OUTSTANDING, UNGRADABLE, Scene, queue_scan
from sqlalchemy import select

from core.database import tables
from core.database.session import session_scope
from core.errors import NotFoundError, UsageError
from core.statistics.proportions import exact_interval
from core.store.accepted_check import OpenCheck, read_open_checks
from core.store.scan_filter import ScanFilter
from core.usecases.check_accepted import check_accepted
from core.usecases.check_rates import verify_rates
from core.usecases.measure_acceptance import measure_acceptance
from core.usecases.undo_review import find_undoable, undo_review
from core.vocabulary import CheckState, Role, ScanState, Verdict


@pytest.fixture
def world(desk: Desk) -> GradingWorld:
    """A reviewer, and a plan that draws every accepted scan for a check and none for grading."""
    made = GradingWorld(desk)
    made.plan(graded_share=0.0, accepted_check_share=1.0)
    made.hire("qc", Role.QC_TECHNICIAN)
    return made


def waiting(world: GradingWorld, name: str = "qc") -> tuple[OpenCheck, ...]:
    with world.desk.as_person(world.tokens[name]) as (session, _):
        return read_open_checks(session, ScanFilter(), page=0, page_size=50).items


def answer(world: GradingWorld, check: OpenCheck, ordinal: int, reason: str = "") -> None:
    with world.desk.as_person(world.tokens["qc"]) as (session, actor):
        check_accepted(
            session, actor=actor, check_id=check.id, seen_version=check.version, ordinal=ordinal, reason=reason
        )


def states(world: GradingWorld) -> list[str]:
    with session_scope(world.desk.owner) as session:
        return list(session.scalars(select(tables.AcceptedCheck.state).order_by(tables.AcceptedCheck.id)))


def test_only_scans_that_the_model_accepted_are_drawn(world: GradingWorld) -> None:
    accepted = world.score(OUTSTANDING)
    world.score(UNGRADABLE)
    world.score(ABSTAINED + GRADABLE)
    assert [check.scan_id for check in waiting(world)] == [accepted]


def test_a_gradable_grade_confirms_the_acceptance_and_is_a_human_grade(world: GradingWorld) -> None:
    scan_id = world.score(OUTSTANDING)
    answer(world, waiting(world)[0], GRADABLE)
    assert world.desk.stands(scan_id) == (ScanState.ACCEPTED, Verdict.ACCEPT, GRADABLE)
    assert states(world) == [CheckState.CONFIRMED]
    assert waiting(world) == ()
    assert verify_rates(world.desk.worker) == []


def test_an_ungradable_grade_takes_the_acceptance_back_and_wants_a_reason(world: GradingWorld) -> None:
    scan_id = world.score(GRADABLE)
    with pytest.raises(UsageError, match="say why"):
        answer(world, waiting(world)[0], UNGRADABLE)
    answer(world, waiting(world)[0], UNGRADABLE, "The macula is cut off.")
    assert world.desk.stands(scan_id) == (ScanState.UNDER_REVIEW, Verdict.REACQUIRE, UNGRADABLE)
    assert states(world) == [CheckState.OVERTURNED]
    assert verify_rates(world.desk.worker) == []


def test_a_decision_on_another_page_answers_the_check_and_undoing_it_opens_it_again(world: GradingWorld) -> None:
    scan_id = world.score(GRADABLE)
    check = waiting(world)[0]
    world.desk.override(world.tokens["qc"], scan_id, UNGRADABLE)
    assert states(world) == [CheckState.OVERTURNED]
    with pytest.raises(NotFoundError, match="no longer"):
        answer(world, check, GRADABLE)
    with world.desk.as_person(world.tokens["qc"]) as (session, actor):
        undoable = find_undoable(session, actor=actor)
        assert undoable is not None
        undo_review(session, actor=actor, review_id=undoable.review_id)
    assert states(world) == [CheckState.OPEN]


def test_own_uploads_are_not_on_the_list(world: GradingWorld) -> None:
    scene = world.desk.scene
    with session_scope(world.desk.owner) as session:
        own = make_batch(session, scene.site, uploaded_by_id=world.ids["qc"])
        queue_scan(session, Scene(scene.study, scene.site, scene.device, own, scene.blobs), GRADABLE)
    other = world.score(GRADABLE)
    assert [check.scan_id for check in waiting(world)] == [other]


def test_the_share_overturned_has_an_exact_interval_whole_and_by_device(world: GradingWorld) -> None:
    world.hire("max", Role.MANAGER)
    for _ in range(4):
        world.score(GRADABLE)
    world.score(UNGRADABLE)
    for ordinal in (GRADABLE, GRADABLE, UNGRADABLE):
        answer(world, waiting(world)[0], ordinal, "Blurred.")
    with world.desk.as_person(world.tokens["max"]) as (session, _):
        found = measure_acceptance(session, ScanFilter())
    expected = exact_interval(1, 3)
    assert found.overturned == expected
    assert [device.overturned for device in found.devices] == [expected]
    assert found.accepted_share == pytest.approx(4 / 5)
    assert found.of_all is not None
    assert found.of_all[0] == pytest.approx(1 / 3 * 4 / 5)


def test_a_site_s_technician_sees_no_check(world: GradingWorld) -> None:
    world.score(GRADABLE)
    world.hire("tess", Role.SITE_TECHNICIAN)
    assert waiting(world, "tess") == ()
