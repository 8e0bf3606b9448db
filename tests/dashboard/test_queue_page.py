"""The page Queue: figures, workers, and what to do about scans that could not be scored."""

from datetime import timedelta

import pytest
from builders import make_member, make_scan, make_site
from clinics import Clinics
from sqlalchemy import select

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.report_process import ProcessKind, ProcessReport
from core.vocabulary import Role, ScanState

PAGE = "pages/scoring_queue.py"


def text_of(page) -> str:
    return " ".join(str(getattr(each, "value", "")) + str(each.proto) for each in page.main)


@pytest.fixture
def stuck(owner_database: Database, clinics: Clinics) -> dict[str, int]:
    """A failed and a quarantined scan at the manager's site, and a failed one elsewhere."""
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, session.get_one(tables.Scan, clinics.flagged_id).site_id)
        failed = make_scan(session, site, state=ScanState.FAILED.value, attempts=5, failure="The image is empty.")
        aside = make_scan(session, site, state=ScanState.QUARANTINED.value, worker_losses=3, failure="Worker lost.")
        elsewhere = make_scan(session, make_site(session), state=ScanState.FAILED.value, failure="Of another study.")
        manager = make_member(session, Role.MANAGER, site=site)[1]
        return {"failed": failed.id, "aside": aside.id, "elsewhere": elsewhere.id, "token": manager}  # type: ignore[dict-item]


@pytest.fixture
def processes(worker_database: Database) -> None:
    worker = ProcessReport(
        worker_database,
        ProcessKind.WORKER,
        lambda: {
            "models": [{"lane": "octa-enface", "name": "octa-joint", "version": "1.2"}],
            "device": "NVIDIA H200", "held_bytes": 3 << 30, "total_bytes": 139 << 30,
        },
    )  # fmt: skip
    worker.add_work(n_scored=480, n_failed=2, n_lost=1, seconds=60)
    worker.beat(is_forced=True)
    done_at = now().isoformat()
    duties = [{"name": "return expired leases", "every_s": 10, "done_at": done_at, "has_failed": False}]
    ProcessReport(worker_database, ProcessKind.KEEPER, lambda: {"duties": duties}).beat()


def states(owner: Database, *scan_ids: int) -> list[str]:
    with session_scope(owner) as session:
        return [session.get_one(tables.Scan, scan_id).state for scan_id in scan_ids]


@pytest.mark.usefixtures("processes")
def test_a_manager_sees_figures_workers_and_only_the_own_scans(app_page, stuck: dict) -> None:
    page = app_page(stuck["token"], PAGE)
    assert not page.exception
    shown = text_of(page)
    for words in ("Waiting", "Set aside", "octa-joint 1.2", "NVIDIA H200", "3.0 of 139 GiB held", "keeper alive"):
        assert words in shown, words
    assert "The image is empty." in shown
    assert "Of another study." not in shown


def test_without_a_sign_of_life_the_page_says_so(app_page, stuck: dict) -> None:
    shown = text_of(app_page(stuck["token"], PAGE))
    assert "No worker was heard" in shown
    assert "no keeper" in shown


def choose(page, scan_id: int, step: str, reason: str):
    page.multiselect[0].set_value([scan_id])
    page.radio[0].set_value(step)
    page.text_input[0].set_value(reason)
    return page.button[-1].click().run()


def test_a_scan_is_queued_again_with_a_reason_and_an_event(app_page, stuck: dict, owner_database: Database) -> None:
    page = choose(app_page(stuck["token"], PAGE), stuck["failed"], "Queue again", "The disk was full.")
    assert not page.exception
    assert [each.value for each in page.success] == ["1 scan queued again."]
    assert states(owner_database, stuck["failed"], stuck["aside"]) == [ScanState.QUEUED, ScanState.QUARANTINED]
    with session_scope(owner_database) as session:
        told = select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.queued_again")
        assert session.scalars(told).one().reason == "The disk was full."


def test_without_a_reason_nothing_is_done(app_page, stuck: dict, owner_database: Database) -> None:
    page = choose(app_page(stuck["token"], PAGE), stuck["aside"], "Discard", " ")
    assert "Why are the scans discarded?" in page.error[0].value
    assert states(owner_database, stuck["aside"]) == [ScanState.QUARANTINED]


def press(page, label: str):
    return next(button for button in page.button if button.label == label).click().run()


def test_what_is_to_be_discarded_is_named_and_counted_before_anything_happens(
    app_page, stuck: dict, owner_database: Database
) -> None:
    page = app_page(stuck["token"], PAGE)
    page.multiselect[0].set_value([stuck["failed"], stuck["aside"]])
    page.radio[0].set_value("Discard")
    page.text_input[0].set_value("No scan at all.")
    next(button for button in page.button if button.label == "Do it").click().run()
    assert not page.exception
    asked = "".join(str(part.proto) for part in page.get("bidi_component"))
    for words in (f"#{stuck['failed']} ", f"#{stuck['aside']} ", "Discard 2 scans for good?", "No scan at all."):
        assert words in asked, words
    assert states(owner_database, stuck["failed"], stuck["aside"]) == [ScanState.FAILED, ScanState.QUARANTINED]
    press(page, "Keep them")
    assert states(owner_database, stuck["failed"], stuck["aside"]) == [ScanState.FAILED, ScanState.QUARANTINED]


def test_a_discarded_scan_leaves_the_list_for_good(app_page, stuck: dict, owner_database: Database) -> None:
    page = choose(app_page(stuck["token"], PAGE), stuck["aside"], "Discard", "No scan at all.")
    press(page, "Discard 1 scan")
    assert not page.exception
    assert states(owner_database, stuck["aside"]) == [ScanState.CLOSED_NOT_POSSIBLE]
    assert "Worker lost." not in text_of(app_page(stuck["token"], PAGE))


def test_the_figures_are_those_of_the_metrics(
    client_of, app_page, stuck: dict, owner_database: Database, dashboard_database: Database
) -> None:
    from core.store.queue_state import read_totals

    with session_scope(dashboard_database) as session:
        (lane,) = read_totals(session)
    assert (lane.n_failed, lane.n_quarantined) == (2, 1)
    with session_scope(owner_database) as session:
        chief = session.scalars(
            select(tables.SiteGrant.user_id).where(
                tables.SiteGrant.role == Role.ADMIN.value, tables.SiteGrant.study_id.is_(None)
            )
        ).first()
        from builders import login_token, make_user

        user = make_user(session) if chief is None else session.get_one(tables.User, chief)
        if chief is None:
            session.add(tables.SiteGrant(user_id=user.id, role=Role.ADMIN.value, study_id=None, site_id=None))
        token = login_token(session, user)
    text = client_of(token).get("/metrics").text
    assert 'octaudit_queue_scans{lane="octa-enface",state="failed"} 2.0' in text
    assert 'octaudit_queue_scans{lane="octa-enface",state="quarantined"} 1.0' in text


def test_hours_without_a_scan_stand_in_the_chart() -> None:
    from core.charts.throughput import hour_rows
    from core.store.queue_state import ScoredHour

    at = now().replace(minute=30)
    hour = at.replace(minute=0, second=0, microsecond=0)
    rows = hour_rows([ScoredHour(hour - timedelta(hours=2), 7)], until=at)
    assert [row["scored"] for row in rows] == [0] * 21 + [7, 0, 0]
    assert [row["is_open"] for row in rows] == [False] * 23 + [True]
