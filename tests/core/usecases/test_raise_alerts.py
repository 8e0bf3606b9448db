"""What opens an alert, that it opens once and ends, and who sees it, on the real database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from alert_world import NOON, AlertWorld, make_alert_world
from builders import make_technician
from demo_rows import TODAY, write_demo_rows
from scored_scans import make_scored_capture
from sqlalchemy import select, update

from core.alerting.wording import what
from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import Alert, Assessment, ReacquisitionRequest, Site
from core.settings import Settings
from core.storage import open_blob_store
from core.store.alert import lock_alerts, read_ended_alerts, read_open_alerts
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases import raise_alerts as module
from core.usecases.judge_units import compare_units
from core.usecases.raise_alerts import Raised, Standing, next_digest, raise_alerts
from core.vocabulary import AlertKind, ScanKind, ScanState


@pytest.fixture
def scene(owner_database: Database, worker_database: Database, settings: Settings) -> AlertWorld:
    return make_alert_world(owner_database, worker_database, settings)


def seen_by(scene: AlertWorld, dashboard: Database, name: str) -> list[str]:
    with session_scope(dashboard, token=scene.world.tokens[name]) as session:
        return sorted(alert.subject for alert in read_open_alerts(session))


def test_flagged_units_and_overdue_requests_of_the_demo_study_are_announced_once_and_end(
    owner_database: Database, worker_database: Database, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        rows = write_demo_rows(session)
    with pretending(TODAY):
        first, second = (raise_alerts(worker_database, settings) for _ in range(2))
    with session_scope(owner_database) as session:
        alerts = session.scalars(select(Alert)).all()
        overdue = session.scalars(
            select(ReacquisitionRequest.id).where(
                ReacquisitionRequest.due_on < TODAY.date(),
                ReacquisitionRequest.state.in_(("requested", "acknowledged", "scheduled")),
            )
        ).all()
        period = ScanFilter(study_id=rows.study_id, since=date(2026, 5, 25), until=date(2026, 11, 23))
        red = {
            f"{kind}:{unit.unit.key}"
            for kind in UnitKind
            if kind is not UnitKind.TECHNICIAN
            for unit in compare_units(session, period, kind).red
        }
    of_units = {alert.subject: alert for alert in alerts if alert.kind == AlertKind.UNIT}
    bad_site = of_units[f"site:{rows.site_ids[rows.study.planted.bad_site]}"]
    assert bad_site.detail["label"] == rows.study.planted.bad_site
    assert bad_site.site_id == rows.site_ids[rows.study.planted.bad_site]
    assert set(of_units) == red
    assert {a.subject for a in alerts if a.kind == AlertKind.OVERDUE} == {f"request:{id_}" for id_ in overdue}
    assert overdue
    assert (first, second) == (Raised(n_opened=len(alerts)), Raised())
    with pretending(TODAY + timedelta(weeks=40)):
        later = raise_alerts(worker_database, settings)
    assert later.n_ended == len(red), "no capture is left in the period, so no unit is flagged"


def test_a_request_is_announced_after_its_day_and_ends_with_it(scene: AlertWorld) -> None:
    request_id = scene.request(scene.world.scan_a, due_on=NOON.date())
    assert scene.raise_at(NOON) == Raised(), "its day is not over"
    assert scene.raise_at(NOON + timedelta(days=1)) == Raised(n_opened=1)
    assert scene.open_subjects() == [f"request:{request_id}"]
    assert scene.raise_at(NOON + timedelta(days=2)) == Raised()
    scene.close(request_id)
    assert scene.raise_at(NOON + timedelta(days=3)) == Raised(n_ended=1)
    (alert,) = scene.alerts()
    assert (alert.since, alert.ended_at) == (NOON + timedelta(days=1), NOON + timedelta(days=3))
    assert alert.detail == {"scan_id": scene.world.scan_a, "due_on": "2026-03-23"}


def test_an_overdue_request_names_its_owner(scene: AlertWorld, dashboard_database: Database) -> None:
    request_id = scene.request(scene.world.scan_a)
    with session_scope(scene.owner) as session:
        owner = make_technician(session, session.get_one(Site, scene.world.a), code="T07")
        session.get_one(ReacquisitionRequest, request_id).owner_id = owner.id
    scene.raise_at()
    with session_scope(dashboard_database, token=scene.world.tokens["technician"]) as session:
        (alert,) = read_open_alerts(session)
    assert what(alert) == "New scan overdue since 20 Mar 2026, owner T07"


def test_each_person_sees_the_alerts_of_their_sites_and_a_grader_none(
    scene: AlertWorld, dashboard_database: Database
) -> None:
    here, there = (f"request:{scene.request(id_)}" for id_ in (scene.world.scan_a, scene.world.scan_b))
    scene.more_scans(scene.world.b, 1, state=ScanState.QUEUED)
    scene.raise_at()
    queue = f"lane:{ScanKind.OCTA_ENFACE.value}"
    seen = {name: seen_by(scene, dashboard_database, name) for name in scene.world.tokens}
    everything = sorted([here, there, queue])
    whole_study = dict.fromkeys(("qc", "adjudicator", "manager", "admin", "global"), everything)
    assert seen == {**whole_study, "technician": [here], "qc_a": [here], "grader": [], "grader2": []}


def test_a_flagged_unit_is_not_shown_to_the_site_s_own_technician(
    scene: AlertWorld, dashboard_database: Database
) -> None:
    with session_scope(scene.owner) as session:
        values = {"study_id": scene.world.study_id, "kind": "unit", "subject": "site:1", "detail": {}, "since": NOON}
        session.add(Alert(site_id=scene.world.a, **values))
    assert seen_by(scene, dashboard_database, "technician") == []
    assert seen_by(scene, dashboard_database, "qc_a") == ["site:1"]


def test_a_queue_is_stalled_where_scans_wait_and_none_is_scored(scene: AlertWorld) -> None:
    waiting = scene.more_scans(scene.world.a, 2, state=ScanState.QUEUED)
    assert scene.raise_at(NOON - timedelta(minutes=61)) == Raised(), "they came 59 minutes before"
    assert scene.raise_at() == Raised(n_opened=1)
    (alert,) = scene.alerts()
    assert alert.site_id is None
    assert alert.detail["n"] == len(waiting)
    assert datetime.fromisoformat(alert.detail["oldest_at"]) == NOON - timedelta(hours=2)
    with session_scope(scene.owner) as session:
        site = session.get_one(Site, scene.world.elsewhere)
        make_scored_capture(session, open_blob_store(scene.settings), site, ordinal=2, seed=1)
        session.execute(update(Assessment).values(scored_at=NOON + timedelta(minutes=9)))
    assert scene.raise_at(NOON + timedelta(minutes=10)) == Raised(n_ended=1), "it moves again, however slowly"


def test_a_keeper_leaves_alerts_to_another_that_is_at_it(scene: AlertWorld) -> None:
    scene.request(scene.world.scan_a)
    with session_scope(scene.worker) as other:
        assert lock_alerts(other)
        assert scene.raise_at() == Raised()
    assert scene.raise_at() == Raised(n_opened=1)


def test_a_unit_between_the_lines_keeps_its_alert_and_opens_none(
    scene: AlertWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = module.Event(scene.world.study_id, scene.world.a, AlertKind.UNIT, "site:1", {"label": "S1"})
    red, amber, green = (
        Standing((event,), frozenset({event.key})),
        Standing((), frozenset({event.key})),
        Standing((), frozenset()),
    )
    found = []
    for standing in (amber, red, amber, red, green, red):
        only_here = {scene.world.study_id: standing}
        monkeypatch.setattr(
            module, "read_standing", lambda _s, study, *_a, seen=only_here, **_k: seen.get(study, green)
        )
        found.append(scene.raise_at())
    opened, ended, nothing = Raised(n_opened=1), Raised(n_ended=1), Raised()
    assert found == [nothing, opened, nothing, nothing, ended, opened]


def test_ended_alerts_are_listed_for_a_while(scene: AlertWorld, dashboard_database: Database) -> None:
    request_id = scene.request(scene.world.scan_a)
    scene.raise_at()
    scene.close(request_id)
    scene.raise_at(NOON + timedelta(hours=1))
    with session_scope(dashboard_database, token=scene.world.tokens["manager"]) as session:
        (row,) = read_ended_alerts(session, after=NOON, limit=10)
        assert read_ended_alerts(session, after=NOON + timedelta(days=1), limit=10) == ()
    assert row.subject == f"request:{request_id}"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 3, 23, 5, 59, tzinfo=UTC), datetime(2026, 3, 23, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 23, 6, 0, tzinfo=UTC), datetime(2026, 3, 24, 6, 0, tzinfo=UTC)),
        (datetime(2026, 2, 28, 23, 0, tzinfo=UTC), datetime(2026, 3, 1, 6, 0, tzinfo=UTC)),
    ],
)
def test_a_digest_is_sent_at_the_next_full_hour_that_is_set(at: datetime, expected: datetime) -> None:
    assert next_digest(at, 6) == expected
