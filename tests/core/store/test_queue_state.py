"""How the queue stands, counted from rows with known states, for whom and over all sites."""

from datetime import timedelta

import pytest
from builders import make_batch, make_member, make_scan, make_site, make_study, make_user
from lane import GRADABLE
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.store.queue_state import STUCK_STATES, LaneState, read_lanes, read_scored_hours, read_stuck, read_totals
from core.vocabulary import Role, ScanKind, ScanState


@pytest.fixture
def sites(owner_database: Database) -> dict[str, object]:
    """Two sites of two studies with a queue each, and people."""
    with session_scope(owner_database) as session:
        study, other_study = make_study(session), make_study(session)
        site, other = make_site(session, study), make_site(session, other_study)
        came_at = now() - timedelta(minutes=90)
        batch = make_batch(session, site, submitted_at=came_at)
        later = now() + timedelta(minutes=5)
        make_scan(session, site, batch=batch)
        make_scan(session, site, batch=batch, attempts=1)
        make_scan(session, site, batch=batch, attempts=1, not_before_at=later, failure="told to fail")
        make_scan(session, site, batch=batch, state=ScanState.SCORING.value, attempts=1)
        make_scan(session, site, batch=batch, state=ScanState.FAILED.value, attempts=5, failure="told to fail")
        make_scan(session, site, batch=batch, state=ScanState.QUARANTINED.value, worker_losses=3, failure="lost")
        make_scan(session, site, batch=batch, state=ScanState.ACCEPTED.value)
        make_scan(session, other, state=ScanState.FAILED.value)
        chief = make_user(session)
        session.add(tables.SiteGrant(user_id=chief.id, role=Role.ADMIN.value, study_id=None, site_id=None))
        session.flush()
        from builders import login_token

        return {
            "came_at": came_at, "site_id": site.id, "study_id": study.id,
            "manager": make_member(session, Role.MANAGER, study=study)[1],
            "technician": make_member(session, Role.SITE_TECHNICIAN, site=site)[1],
            "chief": login_token(session, chief),
        }  # fmt: skip


def expected(came_at: object, n_failed: int) -> LaneState:
    return LaneState(ScanKind.OCTA_ENFACE, 2, 1, 1, 2, n_failed, 1, came_at, 0)  # type: ignore[arg-type]


def test_a_manager_sees_the_queue_of_the_own_study(dashboard_database: Database, sites: dict) -> None:
    with session_scope(dashboard_database, token=sites["manager"]) as session:
        assert read_lanes(session) == (expected(sites["came_at"], 1),)
        assert read_lanes(session, site_id=sites["site_id"]) == read_lanes(session, study_id=sites["study_id"])
        assert read_totals(session) == (), "totals of all sites are for an administrator of all"


def test_totals_are_the_same_numbers_as_an_administrator_of_all_studies_sees(
    dashboard_database: Database, sites: dict
) -> None:
    with session_scope(dashboard_database, token=sites["chief"]) as session:
        assert read_lanes(session) == (expected(sites["came_at"], 2),)
        assert read_totals(session) == read_lanes(session)
    with session_scope(dashboard_database) as session:
        assert read_totals(session) == (expected(sites["came_at"], 2),), "for Prometheus, which has no session"
        assert read_lanes(session) == ()


def test_what_is_stuck_is_listed_with_why_and_in_pages(dashboard_database: Database, sites: dict) -> None:
    with session_scope(dashboard_database, token=sites["manager"]) as session:
        found, total = read_stuck(session, STUCK_STATES)
        assert total == 2
        assert [(scan.state, scan.failure, scan.attempts, scan.worker_losses) for scan in found] == [
            (ScanState.FAILED, "told to fail", 5, 0), (ScanState.QUARANTINED, "lost", 0, 3),
        ]  # fmt: skip
        (second,), total = read_stuck(session, STUCK_STATES, page=1, page_size=1)
        assert (second.scan_id, total) == (found[1].scan_id, 2)


def test_what_was_scored_is_counted_by_the_hour(desk, dashboard_database: Database) -> None:
    for _ in range(3):
        desk.score(GRADABLE)
    with session_scope(dashboard_database, token=desk.hire(Role.MANAGER)) as session:
        hours = read_scored_hours(session, since=now() - timedelta(hours=1))
        assert sum(hour.n_scored for hour in hours) == 3
        (lane,) = read_lanes(session)
        assert lane.n_scored_last_hour == 3
        assert (lane.n_waiting, lane.oldest_at) == (0, None)


def plan_of(session: Session, statement: str) -> str:
    session.execute(text("set local enable_seqscan = off"))
    return "\n".join(session.scalars(text(f"explain {statement}")))


def test_the_hours_are_found_by_index(dashboard_database: Database, sites: dict) -> None:
    with session_scope(dashboard_database, token=sites["manager"]) as session:
        plan = plan_of(session, "select count(*) from assessment where scored_at > now() - interval '1 hour'")
    assert "ix_assessment_site_id_scored_at" in plan
