"""Calibration mode: what a reviewer may know of a scan before and after the own grade, and who sets it."""

from datetime import date

import pytest
from builders import make_member
from desk import Desk
from grading_world import GradingWorld
from lane import GRADABLE, UNGRADABLE

from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.calibration_mode import read_calibrated
from core.store.example import read_examples
from core.store.scan_filter import ScanFilter
from core.store.scan_image import read_scan_images
from core.store.scan_list import read_scan_list
from core.store.scan_view import read_scan
from core.store.worklist import WorklistTab, read_worklist
from core.usecases.calibrate_reviewer import start_calibration, stop_calibration
from core.usecases.check_rates import verify_rates
from core.usecases.grade_masked import grade_masked
from core.vocabulary import Role

TODAY = date(2026, 3, 20)


@pytest.fixture
def world(desk: Desk) -> GradingWorld:
    """A study's manager and reviewer."""
    made = GradingWorld(desk)
    made.plan(graded_share=0.0)
    with session_scope(desk.owner) as session:
        for name, role in (("max", Role.MANAGER), ("qc", Role.QC_TECHNICIAN), ("ada", Role.ADJUDICATOR)):
            user, made.tokens[name] = make_member(session, role, study=desk.scene.study)
            made.ids[name] = user.id
    return made


def calibrate(world: GradingWorld, name: str = "qc", *, by: str = "max", reason: str = "New in the team") -> None:
    with world.desk.as_person(world.tokens[by]) as (session, actor):
        start_calibration(
            session, actor=actor, study_id=world.desk.scene.study.id, user_id=world.ids[name], reason=reason
        )


def known(world: GradingWorld, name: str, scan_id: int) -> dict[str, bool]:
    """What this person can learn of the model's about a scan, wherever single scans are read."""
    with world.desk.as_person(world.tokens[name]) as (session, _):
        view, images = read_scan(session, scan_id), read_scan_images(session, scan_id)
        listed = read_worklist(session, ScanFilter(), WorklistTab.TO_DECIDE, today=TODAY, page=0).items
        item = next(item for item in listed if item.scan_id == scan_id)
        line = next(line for line in read_scan_list(session, ScanFilter(), limit=50).items if line.scan_id == scan_id)
        examples = {example.scan_id for example in read_examples(session, ScanFilter()).items}
    assert view is not None
    assert images is not None
    own = next(slab for slab in view.slabs if slab.scan_id == scan_id)
    return {
        "view": view.assessment is not None or view.final_verdict is not None,
        "history": any(entry.text.startswith("scored") for entry in view.history),
        "overlays": own.has_cam or own.has_faz or bool(own.artifact_types),
        "images": images.cam_sha256 is not None or images.faz_sha256 is not None or bool(images.mask_sha256),
        "worklist": item.verdict is not None or item.grade_ordinal is not None or bool(item.reasons),
        "list": line.model_ordinal is not None or line.final_verdict is not None,
        "examples": scan_id in examples,
    }


def test_nothing_of_the_model_s_is_known_before_the_own_grade_and_all_of_it_after(world: GradingWorld) -> None:
    scan_id, other = world.score(UNGRADABLE), world.score(UNGRADABLE)
    assert set(known(world, "qc", scan_id).values()) == {True}
    calibrate(world)
    assert set(known(world, "qc", scan_id).values()) == {False}
    with world.desk.as_person(world.tokens["qc"]) as (session, actor):
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=GRADABLE)
    assert set(known(world, "qc", scan_id).values()) == {True}
    assert set(known(world, "qc", other).values()) == {False}
    assert set(known(world, "ada", other).values()) == {True}


def test_a_protocol_may_put_every_qc_technician_into_calibration_mode(desk: Desk) -> None:
    world = GradingWorld(desk)
    world.plan(graded_share=0.0, hides_model=True)
    for name, role in (("qc", Role.QC_TECHNICIAN), ("ada", Role.ADJUDICATOR)):
        world.hire(name, role)
    scan_id = world.score(UNGRADABLE)
    assert set(known(world, "qc", scan_id).values()) == {False}
    assert set(known(world, "ada", scan_id).values()) == {True}


def test_a_calibrated_reviewer_s_decision_counts_as_any_other(world: GradingWorld) -> None:
    scan_id = world.score(UNGRADABLE)
    calibrate(world)
    world.desk.override(world.tokens["qc"], scan_id, GRADABLE)
    assert verify_rates(world.desk.worker) == []
    assert set(known_after_decision(world, scan_id)) == {True}


def known_after_decision(world: GradingWorld, scan_id: int) -> list[bool]:
    with world.desk.as_person(world.tokens["qc"]) as (session, _):
        view = read_scan(session, scan_id)
    assert view is not None
    return [view.assessment is not None]


def test_calibration_ends_as_it_began_by_a_manager_of_the_study(world: GradingWorld) -> None:
    scan_id = world.score(UNGRADABLE)
    calibrate(world)
    with pytest.raises(IllegalMoveError, match="already"):
        calibrate(world)
    with world.desk.as_person(world.tokens["max"]) as (session, actor):
        study_id = world.desk.scene.study.id
        standing = read_calibrated(session, study_id)
        assert [(each.user_id, each.reason) for each in standing] == [(world.ids["qc"], "New in the team")]
        stop_calibration(session, actor=actor, study_id=study_id, calibration_id=standing[0].id)
        with pytest.raises(IllegalMoveError, match="ended already"):
            stop_calibration(session, actor=actor, study_id=study_id, calibration_id=standing[0].id)
    assert set(known(world, "qc", scan_id).values()) == {True}


def test_only_a_manager_begins_it_for_a_reviewer_and_with_a_reason(world: GradingWorld) -> None:
    with pytest.raises(NotAllowedError, match="manager of the whole study"):
        calibrate(world, by="qc")
    with pytest.raises(UsageError, match="reason"):
        calibrate(world, reason=" ")
    with pytest.raises(NotFoundError, match="no QC technician"):
        calibrate(world, "ada")
