"""The page Grading for each role, and calibration mode on the Scan page: what is shown, and what a click writes."""

from collections.abc import Callable

import pytest
from builders import make_member
from desk import Desk
from grading_world import GradingWorld
from lane import GRADABLE, OUTSTANDING, UNGRADABLE, make_scene
from streamlit.testing.v1 import AppTest

from core.database.session import Database, session_scope
from core.settings import Settings
from core.vocabulary import Role, ScanState
from dashboard.grading.own_first import difference
from dashboard.installation import Installation

PAGE = "pages/grading.py"


@pytest.fixture
def world(
    owner_database: Database,
    worker_database: Database,
    dashboard_database: Database,
    settings: Settings,
    installation: Installation,
) -> GradingWorld:
    """A study with everybody in it; every scan is drawn for grading, every accepted one for a check."""
    with session_scope(owner_database) as session:
        scene = make_scene(session, installation.blobs)
        made = GradingWorld(Desk(owner_database, worker_database, dashboard_database, settings, scene))
        for name, role in (("max", Role.MANAGER), ("qc", Role.QC_TECHNICIAN)):
            user, made.tokens[name] = make_member(session, role, study=scene.study)
            made.ids[name] = user.id
    made.plan(accepted_check_share=1.0)
    for name in ("ann", "ben", "cid"):
        made.hire(name, Role.GRADER)
    made.hire("sen", Role.ADJUDICATOR)
    return made


def shown(test: AppTest) -> str:
    """Everything that stands on the page, our own markup included."""
    assert not test.exception, test.exception
    texts = [*test.caption, *test.success, *test.error, *test.title, *test.subheader]
    return "\n".join([*(text.value for text in texts), *(str(each.proto) for each in test.get("bidi_component"))])


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label == label).click().run()


def test_a_grader_sees_pixels_and_keys_and_no_number_of_the_scan(
    world: GradingWorld, app_page: Callable[..., AppTest]
) -> None:
    scan_id = world.score()
    world.round()
    page = app_page(world.tokens["ann"], PAGE)
    assert "1 to grade, 0 of 1 graded" in shown(page)
    assert f"Scan {scan_id}" not in shown(page)
    save = next(button for button in page.button if button.label == "Save and next")
    assert save.disabled
    page = press(press(page, "Gradable (1)"), "Save and next")
    assert "Saved: Gradable (1)." in shown(page)
    assert "Nothing to grade" in shown(page)
    assert [part.ordinal for part in world.parts() if part.grader_id == world.ids["ann"]] == [GRADABLE]


def test_an_adjudicator_settles_with_a_reason_where_nobody_gave_the_grade(
    world: GradingWorld, app_page: Callable[..., AppTest]
) -> None:
    world.score()
    world.round()
    for name, ordinal in (("ann", 0), ("ben", 1), ("cid", 0)):
        world.grade(name, ordinal)
    world.round()
    page = app_page(world.tokens["sen"], PAGE)
    assert "The graders differ" in shown(page)
    page = press(press(page, "Outstanding (2)"), "Settle and next")
    assert "No grader gave this grade, so it needs a reason." in shown(page)
    page.text_area[0].input("The stripe lies outside the vessels.").run()
    page = press(page, "Settle and next")
    assert "Settled as Outstanding (2)." in shown(page)
    assert world.grading().consensus_ordinal == OUTSTANDING


def test_a_reviewer_checks_an_accepted_scan_and_overturns_it_with_a_reason(
    world: GradingWorld, app_page: Callable[..., AppTest]
) -> None:
    scan_id = world.score(GRADABLE)
    page = app_page(world.tokens["qc"], PAGE)
    assert "The model: Gradable (1)" in shown(page)
    page = press(press(page, "Ungradable (0)"), "Save and next")
    assert "say why" in shown(page)
    page.text_area[0].input("The macula is cut off.").run()
    page = press(page, "Save and next")
    assert "Overturned: the scan is in the worklist; your grade Ungradable (0), the model's Gradable (1)." in shown(
        page
    )
    assert world.desk.scan(scan_id).state == ScanState.UNDER_REVIEW


def test_a_manager_sees_the_plan_the_progress_and_what_the_checks_say(
    world: GradingWorld, app_page: Callable[..., AppTest]
) -> None:
    world.score(GRADABLE)
    world.round()
    page = app_page(world.tokens["max"], PAGE)
    words = shown(page)
    assert "3 grades to come" in words
    assert "No accepted scan has been checked in this selection yet." in words
    assert "by 3 graders, due within 7 days" in words
    page = press(app_page(world.tokens["qc"], PAGE), "Gradable (1)")
    press(page, "Save and next")
    words = shown(app_page(world.tokens["max"], PAGE))
    assert "0 of 1 checked scans that the model accepted were found ungradable" in words
    assert "too few checks to tell" in words


def test_a_manager_puts_a_reviewer_into_calibration_mode_who_then_grades_first(
    world: GradingWorld, app_page: Callable[..., AppTest]
) -> None:
    scan_id = world.score(UNGRADABLE)
    page = app_page(world.tokens["max"], PAGE)
    page.text_input(key="calibration.reason").input("New in the team").run()
    page = press(page, "Begin")
    assert "From now on this reviewer grades before seeing the model's grade." in shown(page)
    scan = app_page(world.tokens["qc"], "pages/scan.py", id=scan_id)
    assert "Your grade first" in shown(scan)
    assert "by the model" not in shown(scan)
    assert "Motion" not in shown(scan)
    scan = press(press(scan, "Gradable (1)"), "Save and show the model's grade")
    assert "one step apart" in shown(scan)
    assert "by the model" in shown(scan)


@pytest.mark.parametrize(("own", "model", "words"), [(1, 1, "equal"), (0, 1, "one step"), (2, 0, "two steps")])
def test_the_difference_is_said_in_steps(own: int, model: int, words: str) -> None:
    assert words in difference(own, model).text
