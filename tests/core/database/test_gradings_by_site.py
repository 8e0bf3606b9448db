"""Row-level security of gradings, assignments, checks and calibrations, by raw SQL under the dashboard's role."""

from dataclasses import dataclass

import pytest
from access_world import World, make_world
from builders import make_protocol_version
from scored_scans import make_scored_capture
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import (
    AcceptedCheck,
    Grading,
    GradingAssignment,
    Review,
    ReviewerCalibration,
    Scan,
    Site,
    Study,
)
from core.errors import NotAllowedError
from core.settings import Settings
from core.storage import open_blob_store

TABLES = (Grading, GradingAssignment, AcceptedCheck, ReviewerCalibration)
PLACES = ("a", "b", "elsewhere")


@dataclass
class Drawn:
    """A world with a grading, two assignments of it, a check and a calibration at each place."""

    world: World
    gradings: dict[str, int]
    assignments: dict[str, int]
    """The first grader's, by place."""
    scans: dict[str, int]


@pytest.fixture
def drawn(owner_database: Database, settings: Settings) -> Drawn:
    world = make_world(owner_database)
    made = Drawn(world, {}, {}, {})
    blobs = open_blob_store(settings)
    with session_scope(owner_database) as session:
        for place in PLACES:
            site = session.get_one(Site, getattr(world, place))
            scan = session.get_one(Scan, make_scored_capture(session, blobs, site, ordinal=1, seed=site.id).id)
            version = make_protocol_version(session, session.get_one(Study, site.study_id), number=site.id + 10)
            grading = Grading(
                site_id=site.id, scan_id=scan.id, protocol_version_id=version.id, n_graders=2,
                state="to_adjudicate", adjudicator_id=world.users["adjudicator"],
            )  # fmt: skip
            session.add(grading)
            session.flush()
            parts = [
                GradingAssignment(
                    site_id=site.id, grading_id=grading.id, scan_id=scan.id, grader_id=world.users[name],
                    state="open", due_on="2026-04-01",
                )
                for name in ("grader", "grader2")
            ]  # fmt: skip
            check = AcceptedCheck(
                site_id=site.id, scan_id=scan.id, assessment_id=scan.assessment_id, cause="sample", state="open"
            )
            session.add_all([*parts, check])
            session.flush()
            made.gradings[place], made.assignments[place], made.scans[place] = grading.id, parts[0].id, scan.id
        session.add(ReviewerCalibration(study_id=world.study_id, user_id=world.users["qc"], reason="New",
                                        started_by_id=world.users["manager"]))  # fmt: skip
    return made


def n_seen(session: Session) -> tuple[int, ...]:
    return tuple(session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES)


def refused(database: Database, token: str, statement: object, **values: object) -> None:
    with pytest.raises((NotAllowedError, DBAPIError)), session_scope(database, token=token) as session:
        session.execute(statement, values)  # type: ignore[call-overload]


def test_each_person_sees_what_the_role_and_the_sites_allow(dashboard_database: Database, drawn: Drawn) -> None:
    expected = {
        "manager": (2, 4, 2, 1), "admin": (2, 4, 2, 1), "adjudicator": (2, 4, 2, 0), "qc": (0, 0, 2, 1),
        "qc_a": (0, 0, 1, 0), "technician": (0, 0, 0, 0), "grader": (0, 0, 0, 0),
    }  # fmt: skip
    seen = {}
    for name in expected:
        with session_scope(dashboard_database, token=drawn.world.tokens[name]) as session:
            seen[name] = n_seen(session)
    assert seen == expected


def test_a_grader_reaches_the_own_open_scans_at_the_own_sites_and_nothing_tells_a_repeat(
    dashboard_database: Database, drawn: Drawn
) -> None:
    with session_scope(dashboard_database, token=drawn.world.tokens["grader"]) as session:
        rows = session.execute(text("select * from own_grading_work(100)")).mappings().all()
    assert [set(row) for row in rows] == [{"id", "scan_id", "due_on"}] * 2
    assert {row["scan_id"] for row in rows} == {drawn.scans["a"], drawn.scans["b"]}


@pytest.mark.parametrize("name", ["grader2", "manager", "qc", "technician"])
def test_nobody_locks_or_finishes_another_s_scan(dashboard_database: Database, drawn: Drawn, name: str) -> None:
    own = {"id": drawn.assignments["a"]}
    with session_scope(dashboard_database, token=drawn.world.tokens[name]) as session:
        assert session.execute(text("select * from lock_own_grading(:id)"), own).all() == []
        assert session.scalar(text("select finish_own_repeat(:id, 2, now())"), own) is False


def test_a_first_look_is_finished_by_its_masked_grade_alone(dashboard_database: Database, drawn: Drawn) -> None:
    with session_scope(dashboard_database, token=drawn.world.tokens["grader"]) as session:
        own = {"id": drawn.assignments["a"]}
        assert session.scalar(text("select finish_own_repeat(:id, 2, now())"), own) is False


def test_no_role_of_the_dashboard_writes_an_assignment(dashboard_database: Database, drawn: Drawn) -> None:
    values = {
        "site_id": drawn.world.a, "grading_id": drawn.gradings["a"], "scan_id": drawn.scans["a"],
        "grader_id": drawn.world.users["manager"], "state": "open", "due_on": "2026-04-01",
    }  # fmt: skip
    for name in ("manager", "admin", "adjudicator", "grader"):
        refused(dashboard_database, drawn.world.tokens[name], insert(GradingAssignment).values(values))
        refused(dashboard_database, drawn.world.tokens[name], update(GradingAssignment).values(state="withdrawn"))


def settled(drawn: Drawn, place: str, name: str) -> object:
    return (
        update(Grading)
        .where(Grading.id == drawn.gradings[place])
        .values(state="settled", consensus_ordinal=1, settlement="adjudication", settled_at=now(),
                settled_by_id=drawn.world.users[name])
    )  # fmt: skip


def test_only_the_adjudicator_who_has_it_settles_and_in_the_own_name(
    dashboard_database: Database, drawn: Drawn
) -> None:
    tokens = drawn.world.tokens
    for name in ("manager", "qc", "grader"):
        with session_scope(dashboard_database, token=tokens[name]) as session:
            assert session.execute(settled(drawn, "a", name)).rowcount == 0  # type: ignore[call-overload, attr-defined]
    refused(dashboard_database, tokens["adjudicator"], settled(drawn, "a", "manager"))
    with session_scope(dashboard_database, token=tokens["adjudicator"]) as session:
        assert session.execute(settled(drawn, "elsewhere", "adjudicator")).rowcount == 0  # type: ignore[call-overload, attr-defined]
        assert session.execute(settled(drawn, "a", "adjudicator")).rowcount == 1  # type: ignore[call-overload, attr-defined]
        assert session.execute(settled(drawn, "a", "adjudicator")).rowcount == 0  # type: ignore[call-overload, attr-defined]


def test_whoever_graded_a_scan_cannot_settle_it_whatever_the_program_says(
    owner_database: Database, dashboard_database: Database, drawn: Drawn
) -> None:
    with session_scope(owner_database) as session:
        session.add(
            Review(site_id=drawn.world.b, scan_id=drawn.scans["b"], reviewer_id=drawn.world.users["adjudicator"],
                   decision="grade", ordinal=1, is_masked=True)
        )  # fmt: skip
    with (
        pytest.raises(NotAllowedError, match="whoever graded a scan cannot settle it"),
        session_scope(dashboard_database, token=drawn.world.tokens["adjudicator"]) as session,
    ):
        session.execute(settled(drawn, "b", "adjudicator"))  # type: ignore[call-overload]


def test_a_check_is_called_for_by_a_consensus_and_answered_by_a_decision_alone(
    owner_database: Database, dashboard_database: Database, drawn: Drawn
) -> None:
    with session_scope(owner_database) as session:
        assessment_id = session.get_one(Scan, drawn.scans["a"]).assessment_id
        session.execute(text("delete from accepted_check"))
    values = {"site_id": drawn.world.a, "scan_id": drawn.scans["a"], "assessment_id": assessment_id, "state": "open"}
    tokens = drawn.world.tokens
    refused(dashboard_database, tokens["adjudicator"], insert(AcceptedCheck).values(values | {"cause": "sample"}))
    refused(dashboard_database, tokens["qc"], insert(AcceptedCheck).values(values | {"cause": "consensus"}))
    with session_scope(dashboard_database, token=tokens["adjudicator"]) as session:
        session.execute(insert(AcceptedCheck).values(values | {"cause": "consensus"}))
    refused(dashboard_database, tokens["qc"], update(AcceptedCheck).values(state="confirmed"))


def test_a_reviewer_cannot_end_the_own_calibration_nor_begin_one(dashboard_database: Database, drawn: Drawn) -> None:
    tokens, users = drawn.world.tokens, drawn.world.users
    with session_scope(dashboard_database, token=tokens["qc"]) as session:
        assert session.execute(update(ReviewerCalibration).values(ended_at=now())).rowcount == 0  # type: ignore[attr-defined]
    values = {"study_id": drawn.world.study_id, "user_id": users["qc_a"], "reason": "x"}
    begun = insert(ReviewerCalibration).values(values | {"started_by_id": users["qc"]})
    refused(dashboard_database, tokens["qc"], begun)


def test_who_may_grade_at_a_site_is_told_to_the_worker_alone(
    dashboard_database: Database, worker_database: Database, drawn: Drawn
) -> None:
    asked = text("select user_id, role from people_to_grade(:site)")
    with session_scope(worker_database) as session:
        found = {tuple(row) for row in session.execute(asked, {"site": drawn.world.a})}
    users = drawn.world.users
    assert found == {(users["grader"], "grader"), (users["grader2"], "grader"), (users["adjudicator"], "adjudicator")}
    refused(dashboard_database, drawn.world.tokens["admin"], asked, site=drawn.world.a)
