"""Row-level security: the session's token decides which rows exist, whatever the pages do."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from builders import (
    login_token,
    make_acquisition,
    make_batch,
    make_device,
    make_grant,
    make_member,
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
from core.vocabulary import Role


@dataclass(frozen=True)
class World:
    """Two sites of one study and one site of another, with one scan each."""

    study_id: int
    a: int
    b: int
    elsewhere: int
    scan_a: int
    scan_b: int
    tokens: dict[str, str]
    users: dict[str, int]


@pytest.fixture
def world(owner_database: Database) -> World:
    with session_scope(owner_database) as session:
        study = make_study(session)
        site_a, site_b = make_site(session, study), make_site(session, study)
        elsewhere = make_site(session)
        scans = {site.id: make_scan(session, site) for site in (site_a, site_b, elsewhere)}
        members = {
            "technician": make_member(session, Role.SITE_TECHNICIAN, site=site_a),
            "qc": make_member(session, Role.QC_TECHNICIAN, study=study),
            "qc_a": make_member(session, Role.QC_TECHNICIAN, site=site_a),
            "grader": make_member(session, Role.GRADER, study=study),
            "grader2": make_member(session, Role.GRADER, study=study),
            "adjudicator": make_member(session, Role.ADJUDICATOR, study=study),
            "manager": make_member(session, Role.MANAGER, study=study),
            "admin": make_member(session, Role.ADMIN, study=study),
            "global": make_member(session, Role.ADMIN),
        }
        return World(
            study_id=study.id,
            a=site_a.id,
            b=site_b.id,
            elsewhere=elsewhere.id,
            scan_a=scans[site_a.id].id,
            scan_b=scans[site_b.id].id,
            tokens={name: token for name, (_, token) in members.items()},
            users={name: user.id for name, (user, _) in members.items()},
        )


def seen_sites(session: Session) -> set[int]:
    return set(session.scalars(select(tables.Scan.site_id)))


def review_values(world: World, name: str, **changes: object) -> dict[str, object]:
    values = {"site_id": world.a, "scan_id": world.scan_a, "reviewer_id": world.users[name], "decision": "accept"}
    return values | changes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("technician", {"a"}),
        ("qc_a", {"a"}),
        ("qc", {"a", "b"}),
        ("grader", {"a", "b"}),
        ("manager", {"a", "b"}),
        ("admin", {"a", "b"}),
        ("global", {"a", "b", "elsewhere"}),
    ],
)
def test_a_person_sees_the_sites_of_the_grants_and_no_others(
    dashboard_database: Database, world: World, name: str, expected: set[str]
) -> None:
    with session_scope(dashboard_database, token=world.tokens[name]) as session:
        assert seen_sites(session) == {getattr(world, site) for site in expected}
        assert set(session.scalars(select(tables.Site.id))) == {getattr(world, site) for site in expected}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("token", [None, "", "forged", "x" * 10_000, "' or true --"])
def test_no_or_a_forged_token_sees_no_row_of_any_table(dashboard_database: Database, token: str | None) -> None:
    readable = set(tables.Base.metadata.tables) - {"session", "site_grant", "audit_seal", "blob", "model_version"}
    with session_scope(dashboard_database, token=token) as session:
        assert current_actor(session) is None
        for name in sorted(readable):
            column = "id, name" if name == "app_user" else "1"
            assert session.execute(text(f"select {column} from {name}")).all() == [], name  # noqa: S608 - table names


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now() - interval '1 s'"])
def test_a_revoked_or_expired_session_sees_nothing_from_the_next_transaction_on(
    owner_database: Database, dashboard_database: Database, world: World, change: str
) -> None:
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert seen_sites(session) == {world.a, world.b}
        session.commit()
        with session_scope(owner_database) as owner:
            owner.execute(text(f"update session set {change}"))  # noqa: S608 - given above
        assert seen_sites(session) == set()


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now() - interval '1 s'"])
def test_a_revoked_or_expired_grant_reaches_nothing(
    owner_database: Database, dashboard_database: Database, world: World, change: str
) -> None:
    with session_scope(owner_database) as owner:
        owner.execute(text(f"update site_grant set {change}"))  # noqa: S608 - given above
    with session_scope(dashboard_database, token=world.tokens["qc"]) as session:
        assert seen_sites(session) == set()
        assert current_actor(session) == Actor(
            world.users["qc"], *session.execute(select(tables.User.name, tables.User.display_name)).one(), grants=()
        )


def test_the_scope_stays_right_after_commit_rollback_savepoint_and_error(
    dashboard_database: Database, world: World
) -> None:
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        assert seen_sites(session) == {world.a}
        session.commit()
        assert seen_sites(session) == {world.a}
        session.rollback()
        assert seen_sites(session) == {world.a}
        with session.begin_nested() as savepoint:
            assert seen_sites(session) == {world.a}
            savepoint.rollback()
        assert seen_sites(session) == {world.a}
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text("select 1 / 0"))
        assert seen_sites(session) == {world.a}
        with pytest.raises(DBAPIError):
            session.execute(text("select 1 / 0"))
        session.rollback()
        assert seen_sites(session) == {world.a}


def test_the_next_user_of_a_pooled_connection_starts_without_a_scope(
    dashboard_database: Database, world: World
) -> None:
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        first = session.scalar(text("select pg_backend_pid()"))
        assert len(seen_sites(session)) == 3
    with session_scope(dashboard_database) as session:
        assert session.scalar(text("select pg_backend_pid()")) == first
        assert seen_sites(session) == set()
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        assert session.scalar(text("select pg_backend_pid()")) == first
        assert seen_sites(session) == {world.a}
    with dashboard_database.engine.connect() as connection:
        assert connection.scalar(text("select count(*) from scan")) == 0


@pytest.mark.parametrize("table", ["session", "site_grant", "audit_seal"])
def test_the_dashboards_role_cannot_read_sessions_grants_and_seals(
    dashboard_database: Database, world: World, table: str
) -> None:
    with (
        pytest.raises(NotAllowedError, match=f"permission denied for table {table}"),
        session_scope(dashboard_database, token=world.tokens["global"]) as session,
    ):
        session.execute(text(f"select * from {table}"))  # noqa: S608 - given above


def test_the_dashboards_role_cannot_read_password_hashes(dashboard_database: Database, world: World) -> None:
    with (
        pytest.raises(NotAllowedError, match="permission denied for table app_user"),
        session_scope(dashboard_database, token=world.tokens["global"]) as session,
    ):
        session.execute(text("select password_hash from app_user"))


def test_a_person_knows_those_who_share_a_study_and_no_others(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        stranger = make_user(session)
        make_grant(session, stranger, Role.MANAGER, study=make_study(session))
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        assert set(session.scalars(select(tables.User.id))) == set(world.users.values())
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        assert stranger.id in set(session.scalars(select(tables.User.id)))


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
        session.execute(select(tables.Scan).where(tables.Scan.id == world.scan_a).with_for_update()).one()
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
