"""Which capture stands for an expected scan: a rule, until the reading centre chooses; no rate depends on it."""

from datetime import timedelta

import pytest
from builders import MONDAY, make_acquisition, make_batch, make_member
from desk import Desk
from lane import GRADABLE, OUTSTANDING, UNGRADABLE, Scene
from sqlalchemy import insert, select

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.capture_set import CaptureSet, read_capture_set
from core.usecases.choose_best import choose_best
from core.vocabulary import Role

Captures = dict[str, int]


@pytest.fixture
def captures(desk: Desk) -> Captures:
    """Acquisition ids of one slot: bad, then gradable, then outstanding, then gradable again."""
    found: Captures = {}
    slot: tables.ExpectedScan | None = None
    for day, (name, order) in enumerate(
        {"bad": UNGRADABLE, "fair": GRADABLE, "good": OUTSTANDING, "latest": GRADABLE}.items()
    ):
        with session_scope(desk.owner) as session:
            capture = make_acquisition(
                session, desk.scene.site, device=desk.scene.device, slot=slot, acquired_at=MONDAY + timedelta(days=day)
            )
            slot = session.get_one(tables.ExpectedScan, capture.expected_scan_id)
        desk.score(order, acquisition=capture)
        found[name] = capture.id
        found["slot"] = slot.id
    return found


def look(desk: Desk, token: str, captures: Captures) -> CaptureSet:
    with desk.as_person(token) as (session, _):
        found = read_capture_set(session, captures["slot"])
    assert found is not None
    return found


def best(desk: Desk, token: str, captures: Captures) -> str:
    found = look(desk, token, captures).best
    assert found is not None
    return next(name for name, id_ in captures.items() if id_ == found.acquisition_id and name != "slot")


def choose(desk: Desk, token: str, captures: Captures, name: str | None, reason: str = "Better centred.") -> None:
    with desk.as_person(token) as (session, actor):
        acquisition_id = captures[name] if name is not None else None
        choose_best(
            session, actor=actor, expected_scan_id=captures["slot"], acquisition_id=acquisition_id, reason=reason
        )


def test_by_rule_the_highest_grade_stands_and_of_equal_ones_the_newest(
    desk: Desk, reviewer: str, captures: Captures
) -> None:
    assert best(desk, reviewer, captures) == "good"
    scan = next(
        s for c in look(desk, reviewer, captures).captures if c.acquisition_id == captures["good"] for s in c.scans
    )
    desk.override(reviewer, scan.scan_id, UNGRADABLE, reason="Motion at the edge.")
    assert best(desk, reviewer, captures) == "latest"


def test_a_choice_holds_until_it_is_taken_back(desk: Desk, reviewer: str, captures: Captures) -> None:
    choose(desk, reviewer, captures, "fair")
    found = look(desk, reviewer, captures)
    assert best(desk, reviewer, captures) == "fair"
    assert found.choice is not None
    assert found.choice.reason == "Better centred."
    choose(desk, reviewer, captures, None, "It was the same.")
    assert best(desk, reviewer, captures) == "good"


def test_a_chosen_capture_that_becomes_ungradable_stands_no_more(desk: Desk, reviewer: str, captures: Captures) -> None:
    choose(desk, reviewer, captures, "fair")
    scan = next(
        s for c in look(desk, reviewer, captures).captures if c.acquisition_id == captures["fair"] for s in c.scans
    )
    desk.override(reviewer, scan.scan_id, UNGRADABLE, reason="Motion at the edge.")
    assert best(desk, reviewer, captures) == "good"


def test_what_cannot_stand_is_refused_with_the_reason(desk: Desk, reviewer: str, captures: Captures) -> None:
    with pytest.raises(UsageError, match="Why this one"):
        choose(desk, reviewer, captures, "fair", " ")
    with pytest.raises(IllegalMoveError, match="not gradable"):
        choose(desk, reviewer, captures, "bad")
    with pytest.raises(UsageError, match="no capture of this expected scan"):
        choose(desk, reviewer, captures | {"elsewhere": 999_999}, "elsewhere")
    with pytest.raises(IllegalMoveError, match="Nobody has chosen"):
        choose(desk, reviewer, captures, None)
    with pytest.raises(NotFoundError):
        choose(desk, reviewer, captures | {"slot": 999_999}, "fair")
    choose(desk, reviewer, captures, "fair")
    with pytest.raises(IllegalMoveError, match="chosen already"):
        choose(desk, reviewer, captures, "fair")


@pytest.mark.parametrize("role", [Role.SITE_TECHNICIAN, Role.MANAGER])
def test_only_reviewers_choose(desk: Desk, captures: Captures, role: Role) -> None:
    with pytest.raises(NotAllowedError):
        choose(desk, desk.hire(role), captures, "fair")


def test_nobody_chooses_the_own_capture(desk: Desk, captures: Captures) -> None:
    with session_scope(desk.owner) as session:
        user, token = make_member(session, Role.QC_TECHNICIAN, site=desk.scene.site)
        batch = make_batch(session, desk.scene.site, uploaded_by_id=user.id)
        slot = session.get_one(tables.ExpectedScan, captures["slot"])
        capture = make_acquisition(session, desk.scene.site, device=desk.scene.device, slot=slot)
    scene = Scene(desk.scene.study, desk.scene.site, desk.scene.device, batch, desk.scene.blobs)
    Desk(desk.owner, desk.worker, desk.dashboard, desk.settings, scene).score(GRADABLE, acquisition=capture)
    with pytest.raises(NotAllowedError, match="cannot choose it"):
        choose(desk, token, captures | {"own": capture.id}, "own")
    with pytest.raises(NotAllowedError, match="cannot choose it"), desk.as_person(token) as (session, _):
        session.execute(
            insert(tables.BestCapture).values(
                site_id=desk.scene.site.id, expected_scan_id=captures["slot"], acquisition_id=capture.id,
                chosen_by_id=user.id, reason="Mine.",
            )
        )  # fmt: skip


def test_a_choice_moves_no_count_and_leaves_an_audit_event(desk: Desk, reviewer: str, captures: Captures) -> None:
    def counts() -> int:
        with session_scope(desk.owner) as session:
            return len(session.scalars(select(tables.RateDelta.id)).all())

    before = counts()
    choose(desk, reviewer, captures, "fair")
    assert counts() == before
    with session_scope(desk.owner) as session:
        event = session.scalars(
            select(tables.AuditEvent).where(tables.AuditEvent.action == "capture.chosen_best")
        ).one()
    assert event.before == {"acquisition_id": captures["good"]}
    assert event.after == {"acquisition_id": captures["fair"], "by_rule": False}
