"""Row-level security for writing: what a role may add and change, and where, below the pages."""

from collections.abc import Callable

import pytest
from access_world import World, review_values, seen_sites
from builders import (
    login_token,
    make_acquisition,
    make_batch,
    make_device,
    make_scan,
    make_site,
    make_study,
    make_subject,
    make_technician,
    make_user,
)
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.store.access import Actor, current_actor
from core.store.audit import record_event

Writing = Callable[[Session, World], object]
FOREIGN_WRITES: dict[str, Writing] = {
    "a batch": lambda session, world: make_batch(
        session, _site(world.b, world), uploaded_by_id=world.users["technician"]
    ),
    "a subject": lambda session, world: make_subject(session, _site(world.b, world)),
    "a count": lambda session, world: session.execute(
        insert(tables.RateDelta).values(
            site_id=world.b, device_id=1, scan_type="octa-enface 3x3", week_on="2026-03-02", measure="received", n=1
        )
    ),
    "a request's step": lambda session, world: session.execute(
        insert(tables.ReacquisitionStep).values(request_id=1, site_id=world.b, number=1, state="acknowledged")
    ),
}


def _site(site_id: int, world: World) -> tables.Site:
    return tables.Site(id=site_id, study_id=world.study_id)


@pytest.mark.parametrize("write", FOREIGN_WRITES.values(), ids=FOREIGN_WRITES.keys())
def test_a_technician_of_one_site_cannot_write_into_another(
    dashboard_database: Database, world: World, write: Writing
) -> None:
    with (
        pytest.raises((NotAllowedError, IntegrityError), match=r"violates row-level security policy|another site"),
        session_scope(dashboard_database, token=world.tokens["technician"]) as session,
    ):
        write(session, world)


def test_a_technician_of_one_site_changes_and_locks_no_row_of_another(
    dashboard_database: Database, world: World
) -> None:
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        for statement in (
            update(tables.ExpectedScan).values(first_received_at=func.now()),
            update(tables.Acquisition).values(is_counted_received=True),
            update(tables.Batch).values(submitted_at=func.now()),
        ):
            rows = session.execute(statement.returning(text("site_id"))).scalars().all()
            assert set(rows) == {world.a}
        locked = session.scalars(select(tables.ExpectedScan.site_id).with_for_update(key_share=True)).all()
        assert set(locked) == {world.a}


def test_a_technician_uploads_for_the_own_site_in_the_own_name_only(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        site = session.get_one(tables.Site, world.a)
        batch = make_batch(session, site, uploaded_by_id=world.users["technician"])
        device = session.scalars(select(tables.Device)).one()
        acquisition = make_acquisition(session, site, device=device)
        make_scan(session, site, acquisition=acquisition, batch=batch)
    for uploader in (None, world.users["qc"]):
        with (
            pytest.raises(NotAllowedError, match="row-level security"),
            session_scope(dashboard_database, token=world.tokens["technician"]) as session,
        ):
            make_batch(session, site, uploaded_by_id=uploader)


def test_an_uploaded_scan_cannot_arrive_decided(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        site = session.get_one(tables.Site, world.a)
        batch = make_batch(session, site, uploaded_by_id=world.users["technician"])
        acquisition = make_acquisition(session, site, device=session.scalars(select(tables.Device)).one())
        for decided in ({"state": "accepted"}, {"human_ordinal": 2}, {"final_verdict": "accept"}):
            with pytest.raises(ProgrammingError, match="row-level security"), session.begin_nested():
                make_scan(session, site, acquisition=acquisition, batch=batch, **decided)


def test_a_site_technician_neither_reviews_nor_decides(dashboard_database: Database, world: World) -> None:
    for decision in ("accept", "override", "grade", "request_reacquisition"):
        with (
            pytest.raises(NotAllowedError, match="row-level security"),
            session_scope(dashboard_database, token=world.tokens["technician"]) as session,
        ):
            session.execute(insert(tables.Review).values(review_values(world, "technician", decision=decision)))
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        changed = session.execute(update(tables.Scan).values(state="accepted").returning(tables.Scan.id)).all()
        assert changed == []


def test_a_site_technician_may_only_close_scans_whose_replacement_cannot_be_taken(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as owner:
        owner.execute(update(tables.Scan).values(state="reacquisition_requested"))
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        session_scope(dashboard_database, token=world.tokens["technician"]) as session,
    ):
        session.execute(update(tables.Scan).values(state="accepted"))
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        closed = session.scalars(update(tables.Scan).values(state="closed_not_possible").returning(tables.Scan.id))
        assert closed.all() == [world.scan_a]


@pytest.mark.parametrize("name", ["qc", "adjudicator"])
def test_the_reading_centre_reviews_in_the_own_name_only(dashboard_database: Database, world: World, name: str) -> None:
    with session_scope(dashboard_database, token=world.tokens[name]) as session:
        session.execute(insert(tables.Review).values(review_values(world, name)))
        session.execute(update(tables.Scan).where(tables.Scan.id == world.scan_a).values(state="accepted"))
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        session_scope(dashboard_database, token=world.tokens[name]) as session,
    ):
        session.execute(insert(tables.Review).values(review_values(world, "grader")))


@pytest.mark.parametrize("name", ["manager", "admin", "global"])
def test_managers_and_administrators_do_not_review(dashboard_database: Database, world: World, name: str) -> None:
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        session_scope(dashboard_database, token=world.tokens[name]) as session,
    ):
        session.execute(insert(tables.Review).values(review_values(world, name)))


def test_a_grader_grades_and_decides_nothing(dashboard_database: Database, world: World) -> None:
    grade = review_values(world, "grader", decision="grade", ordinal=1, is_masked=True)
    with session_scope(dashboard_database, token=world.tokens["grader"]) as session:
        session.execute(insert(tables.Review).values(grade))
    for statement in (
        insert(tables.Review).values(grade | {"decision": "accept"}),
        update(tables.Scan).values(human_ordinal=2),
    ):
        with (
            pytest.raises(NotAllowedError, match="row-level security"),
            session_scope(dashboard_database, token=world.tokens["grader"]) as session,
        ):
            session.execute(statement)


def test_a_masked_grade_is_hidden_from_other_graders(dashboard_database: Database, world: World) -> None:
    grade = review_values(world, "grader", decision="grade", ordinal=1, is_masked=True)
    with session_scope(dashboard_database, token=world.tokens["grader"]) as session:
        session.execute(insert(tables.Review).values(grade))
    n_seen = {}
    for name in ("grader", "grader2", "qc", "technician", "adjudicator", "manager"):
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            n_seen[name] = session.scalar(select(func.count()).select_from(tables.Review))
    assert n_seen == {"grader": 1, "grader2": 0, "qc": 0, "technician": 0, "adjudicator": 1, "manager": 1}


@pytest.mark.parametrize("part", ["uploaded", "acquired"])
def test_nobody_reviews_or_decides_the_own_work(
    owner_database: Database, dashboard_database: Database, world: World, part: str
) -> None:
    own = world.users["qc"]
    with session_scope(owner_database) as owner:
        scan = owner.get_one(tables.Scan, world.scan_a)
        if part == "uploaded":
            owner.get_one(tables.Batch, scan.batch_id).uploaded_by_id = own
        else:
            technician = make_technician(owner, owner.get_one(tables.Site, world.a), user_id=own)
            owner.get_one(tables.Acquisition, scan.acquisition_id).technician_id = technician.id
    for statement in (
        insert(tables.Review).values(review_values(world, "qc")),
        update(tables.Scan).where(tables.Scan.id == world.scan_a).values(state="accepted"),
        update(tables.Scan).where(tables.Scan.id == world.scan_a).values(human_ordinal=2),
    ):
        with (
            pytest.raises(NotAllowedError, match="whoever acquired or uploaded a scan cannot review it"),
            session_scope(dashboard_database, token=world.tokens["qc"]) as session,
        ):
            session.execute(statement)
    with session_scope(dashboard_database, token=world.tokens["adjudicator"]) as session:
        session.execute(insert(tables.Review).values(review_values(world, "adjudicator")))


def test_even_the_owner_cannot_enter_a_review_of_own_work_for_somebody(owner_database: Database, world: World) -> None:
    with session_scope(owner_database) as owner:
        scan = owner.get_one(tables.Scan, world.scan_a)
        owner.get_one(tables.Batch, scan.batch_id).uploaded_by_id = world.users["qc"]
    with pytest.raises(NotAllowedError, match="cannot review"), session_scope(owner_database) as owner:
        owner.execute(insert(tables.Review).values(review_values(world, "qc")))


def test_a_row_of_one_site_cannot_point_at_a_row_of_another(dashboard_database: Database, world: World) -> None:
    with (
        pytest.raises(DBAPIError, match=r"review\.scan_id names a row of another site"),
        session_scope(dashboard_database, token=world.tokens["qc_a"]) as session,
    ):
        session.execute(insert(tables.Review).values(review_values(world, "qc_a", scan_id=world.scan_b)))


@pytest.mark.parametrize("table", ["audit_event", "review", "reacquisition_step", "protocol_version"])
def test_what_was_written_down_is_changed_by_nobody(owner_database: Database, table: str) -> None:
    for statement in (f"update {table} set id = id", f"delete from {table}", f"truncate {table} cascade"):  # noqa: S608
        with pytest.raises(NotAllowedError, match="only ever added to"), session_scope(owner_database) as session:
            session.execute(text(statement))


def test_an_event_is_written_in_the_own_name_and_reach_only(dashboard_database: Database, world: World) -> None:
    def record(name: str, user: str | None, site_id: int | None) -> None:
        actor = Actor(None if user is None else world.users[user], "", "", ())
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            record_event(session, actor=actor, action="test", entity="scan", entity_id=1, site_id=site_id)

    record("technician", "technician", world.a)
    record("technician", "technician", None)
    for user, site_id in (("qc", world.a), (None, world.a), ("technician", world.b)):
        with pytest.raises(NotAllowedError, match="row-level security"):
            record("technician", user, site_id)


def test_events_are_read_by_those_they_concern(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as owner:
        for study_id, site_id in (
            (world.study_id, world.a),
            (world.study_id, world.b),
            (world.study_id, None),
            (None, None),
        ):
            owner.add(tables.AuditEvent(action="x", entity="y", study_id=study_id, site_id=site_id))
    n_seen = {}
    for name in ("technician", "grader", "qc", "manager", "global"):
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            n_seen[name] = session.scalar(select(func.count()).select_from(tables.AuditEvent))
    assert n_seen == {"technician": 1, "grader": 0, "qc": 2, "manager": 3, "global": 4}


def test_only_administrators_add_studies_sites_and_protocols(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        study = make_study(session)
        make_site(session, study)
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        site = make_site(session, study_id=world.study_id)
        make_device(session, site)
        make_technician(session, site)
        session.add(tables.ProtocolVersion(study_id=world.study_id, number=1, effective_at=func.now(), document={}))
    refused: list[tuple[str, Writing]] = [
        ("admin", lambda session, _: make_study(session)),
        ("admin", lambda session, _: make_site(session, study_id=study.id)),
        ("manager", lambda session, world: make_site(session, study_id=world.study_id)),
        ("qc", lambda session, _: make_device(session, site)),
        ("technician", lambda session, world: make_technician(session, _site(world.a, world))),
    ]
    for name, write in refused:
        with (
            pytest.raises(NotAllowedError, match="row-level security"),
            session_scope(dashboard_database, token=world.tokens[name]) as session,
        ):
            write(session, world)


def test_the_worker_sees_every_site_and_writes_no_decisions(worker_database: Database, world: World) -> None:
    with session_scope(worker_database) as session:
        assert seen_sites(session) == {world.a, world.b, world.elsewhere}
    for statement in (
        insert(tables.Review).values(review_values(world, "qc")),
        delete(tables.Scan),
        select(tables.Session),
        select(tables.SiteGrant),
        text("select add_account('x', 'x', 'x')"),
    ):
        with pytest.raises(NotAllowedError, match="permission denied"), session_scope(worker_database) as session:
            session.execute(statement)


def test_a_token_is_refused_where_it_would_scope_nothing(worker_database: Database) -> None:
    with pytest.raises(NotAllowedError, match="scopes nothing"), session_scope(worker_database, token="x"):
        pass


def test_a_login_token_of_the_builders_is_a_live_session(
    owner_database: Database, dashboard_database: Database
) -> None:
    with session_scope(owner_database) as owner:
        user = make_user(owner, display_name="Ada")
        token = login_token(owner, user)
    with session_scope(dashboard_database, token=token) as session:
        actor = current_actor(session)
    assert actor is not None
    assert (actor.user_id, actor.display_name) == (user.id, "Ada")
