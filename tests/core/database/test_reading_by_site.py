"""Row-level security for reading: the session's token decides which rows exist, whatever the pages do."""

import pytest
from access_world import World, seen_sites
from builders import (
    make_grant,
    make_member,
    make_site,
    make_study,
    make_user,
)
from desk import Desk
from lane import UNGRADABLE
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.store.access import Actor, current_actor
from core.store.masked_grade import read_scan_to_grade
from core.store.scan_image import ScanImages, read_scan_images
from core.store.scan_view import read_scan
from core.usecases.grade_masked import grade_masked
from core.vocabulary import Role


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("technician", {"a"}),
        ("qc_a", {"a"}),
        ("qc", {"a", "b"}),
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


HIDDEN_FROM_PAGES = {
    "session", "site_grant", "audit_seal", "blob", "model_version", "email_confirmation", "identity_provider",
    "api_client", "api_token",
    "user_identity",
}  # fmt: skip
"""No select for the dashboard at all, or nothing in them belongs to a site."""


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("token", [None, "", "forged", "x" * 10_000, "' or true --"])
def test_no_or_a_forged_token_sees_no_row_of_any_table(dashboard_database: Database, token: str | None) -> None:
    readable = set(tables.Base.metadata.tables) - HIDDEN_FROM_PAGES
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


def test_a_person_knows_those_of_the_own_sites_and_studies_and_no_others(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        stranger = make_user(session)
        make_grant(session, stranger, Role.MANAGER, study=make_study(session))
        neighbour = make_user(session)
        make_grant(session, neighbour, Role.SITE_TECHNICIAN, site=session.get_one(tables.Site, world.b))
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        assert set(session.scalars(select(tables.User.id))) == set(world.users.values())
    with session_scope(dashboard_database, token=world.tokens["manager"]) as session:
        assert set(session.scalars(select(tables.User.id))) == {*world.users.values(), neighbour.id}
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        assert stranger.id in set(session.scalars(select(tables.User.id)))


def test_the_scope_is_an_index_condition_and_not_a_filter(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.tokens["technician"]) as session:
        session.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(session.scalars(text("explain select id from scan where state = 'scored'")))
    assert "Index Cond: ((site_id = ANY ((InitPlan" in plan, plan


def rows_about(session: Session, scan_id: int) -> dict[str, int]:
    """How many rows this session sees of everything that tells, or lets one work out, what was thought of a scan."""
    scan = tables.Scan.id == scan_id
    queries = {
        "scan": select(tables.Scan.final_verdict).where(scan),
        "acquisition": select(tables.Acquisition.id).join(tables.Scan).where(scan),
        "assessment": select(tables.Assessment.id).where(tables.Assessment.scan_id == scan_id),
        "assessment_artifact": select(tables.AssessmentArtifact.type),
        "assessment_picture": select(tables.AssessmentPicture.name),
        "assessment_reason": select(tables.AssessmentReason.code),
        "reacquisition_request": select(tables.ReacquisitionRequest.id),
        "reacquisition_step": select(tables.ReacquisitionStep.id),
        "review": select(tables.Review.id).where(tables.Review.scan_id == scan_id),
    }
    return {name: len(session.execute(query).all()) for name, query in queries.items()}


def grade_as(database: Database, desk: Desk, token: str, scan_id: int) -> None:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        assert actor is not None
        grade_masked(session, actor=actor, scan_id=scan_id, ordinal=2)


def test_a_grader_sees_nothing_about_a_scan_but_its_pixels_until_the_own_grade_is_given(
    desk: Desk, dashboard_database: Database
) -> None:
    scan_id, other_id = desk.score(UNGRADABLE), desk.score(UNGRADABLE)
    desk.request(desk.hire(Role.QC_TECHNICIAN), scan_id)
    token = desk.hire(Role.GRADER)
    with session_scope(dashboard_database, token=token) as session:
        assert set(rows_about(session, scan_id).values()) == {0}
        assert session.scalars(select(tables.RateDelta.n)).all() == []
        to_grade = read_scan_to_grade(session, scan_id)
        assert to_grade is not None
        assert read_scan_images(session, scan_id) == ScanImages(to_grade.image_sha256, None, is_pixels_only=True)
    grade_as(dashboard_database, desk, token, scan_id)
    with session_scope(dashboard_database, token=token) as session:
        assert rows_about(session, scan_id) == {
            "scan": 1, "acquisition": 1, "assessment": 1, "assessment_artifact": 1, "assessment_picture": 0,
            "assessment_reason": 1,
            "reacquisition_request": 1, "reacquisition_step": 1, "review": 2,
        }  # fmt: skip
        assert session.scalars(select(tables.Scan.id)).all() == [scan_id]
        view = read_scan(session, scan_id)
        assert view is not None
        assert view.assessment is not None
        assert read_scan(session, other_id) is None


def test_who_is_more_than_a_grader_at_a_site_is_not_masked_there(desk: Desk, dashboard_database: Database) -> None:
    scan_id = desk.score(UNGRADABLE)
    for role in set(Role) - {Role.GRADER}:
        with session_scope(dashboard_database, token=desk.hire(role)) as session:
            assert rows_about(session, scan_id)["assessment"] == 1, role
    with session_scope(dashboard_database, token=desk.hire(Role.SITE_TECHNICIAN)) as session:
        assert read_scan_to_grade(session, scan_id) is None


def test_another_role_at_another_site_unmasks_nobody(desk: Desk, dashboard_database: Database) -> None:
    scan_id = desk.score(UNGRADABLE)
    desk.request(desk.hire(Role.QC_TECHNICIAN), scan_id)
    grade_as(dashboard_database, desk, desk.hire(Role.GRADER), scan_id)
    tokens = {}
    with session_scope(desk.owner) as session:
        for here, elsewhere in ((Role.GRADER, Role.MANAGER), (Role.QC_TECHNICIAN, Role.ADJUDICATOR)):
            user, tokens[here] = make_member(session, here, site=desk.scene.site)
            make_grant(session, user, elsewhere, site=make_site(session))
    with session_scope(dashboard_database, token=tokens[Role.GRADER]) as session:
        assert set(rows_about(session, scan_id).values()) == {0}
    masked = select(tables.Review.id).where(tables.Review.is_masked)
    with session_scope(dashboard_database, token=tokens[Role.QC_TECHNICIAN]) as session:
        assert rows_about(session, scan_id)["assessment"] == 1
        assert session.scalars(masked).all() == []
    with session_scope(dashboard_database, token=desk.hire(Role.ADJUDICATOR)) as session:
        assert len(session.scalars(masked).all()) == 1


def test_a_masked_grade_cannot_be_read_in_the_audit_trail(desk: Desk, dashboard_database: Database) -> None:
    scan_id = desk.score(UNGRADABLE)
    token = desk.hire(Role.GRADER)
    grade_as(dashboard_database, desk, token, scan_id)
    told = select(tables.AuditEvent.after).where(tables.AuditEvent.action == "scan.graded_masked")
    readers = set()
    for role in Role:
        with session_scope(dashboard_database, token=desk.hire(role)) as session:
            if session.scalars(told).all():
                readers.add(role)
    assert readers == {Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN}
