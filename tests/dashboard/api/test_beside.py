"""What pages show beside their lists is there for programs too: check lists, captures, previews, sendings, workers."""

from collections.abc import Callable

import pytest
from builders import make_member, make_protocol_version
from clinics import Clinics
from demo_rows import TODAY, Demo
from named_rows import make_named_rows
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from core.charts.requests import receipt_rows
from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.policy.protocol import Protocol
from core.statistics.survival import TurnAround
from core.store.access import current_actor
from core.store.capture_set import read_capture_set, slot_of
from core.store.scan_filter import ScanFilter
from core.store.scan_view import read_scan
from core.usecases.calibrate_reviewer import start_calibration
from core.usecases.follow_requests import follow_requests
from core.usecases.look_at_scan import check_scan
from core.usecases.report_process import ProcessKind, ProcessReport
from core.vocabulary import DeliveryState, Role
from dashboard.filters import Period, period_bounds
from dashboard.installation import Installation

Person = Callable[[str], TestClient]


@pytest.fixture
def admin(owner_database: Database, clinics: Clinics) -> str:
    with session_scope(owner_database) as session:
        return make_member(session, Role.ADMIN, study=session.get_one(tables.Study, clinics.study_id))[1]


@pytest.fixture
def named(owner_database: Database, clinics: Clinics, admin: str) -> dict[str, int]:
    """A row of everything that has an id, made by the administrator, about the flagged scan."""
    assert admin
    with session_scope(owner_database) as session:
        person_id = session.scalars(select(func.max(tables.User.id))).one()
        return make_named_rows(session, session.get_one(tables.Scan, clinics.flagged_id), person_id)


class TestOfOneScan:
    def test_the_check_list_is_that_of_the_page_and_the_index_stands_beside_its_limit(
        self, person: Person, clinics: Clinics, owner_database: Database, installation: Installation
    ) -> None:
        with session_scope(owner_database) as session:
            session.execute(update(tables.Acquisition).values(device_quality_name="SSI", device_quality_value=54.0))
        client, path = person(clinics.reviewer), f"/scans/{clinics.flagged_id}/checks"
        found = client.get(path).json()
        with session_scope(installation.database, token=clinics.reviewer) as session:
            view = read_scan(session, clinics.flagged_id)
            assert view is not None
            checks = check_scan(session, view)
        assert [each["subject"] for each in found["checks"]] == [check.subject for check in checks]
        assert [each["is_met"] for each in found["checks"]] == [check.is_met for check in checks]
        index = found["device_index"]
        assert (index["name"], index["value"], index["limit"], index["is_met"]) == ("SSI", 54.0, 55.0, False)
        assert "10.1167/tvst.10.3.2" in index["source"]
        assert found["previous"] is None
        assert person(clinics.stranger).get(path).status_code == 404

    def test_before_and_after_name_the_capture_that_stands_and_the_requests(
        self, person: Person, clinics: Clinics, named: dict[str, int], installation: Installation
    ) -> None:
        path = f"/scans/{clinics.flagged_id}/captures"
        found = person(clinics.technician).get(path).json()
        with session_scope(installation.database, token=clinics.technician) as session:
            view = read_scan(session, clinics.flagged_id)
            assert view is not None
            slot_id = slot_of(session, view.acquisition_id)
            captures = read_capture_set(session, slot_id or 0)
        assert captures is not None
        best = captures.best
        assert found["captures"]["best_id"] == (best.acquisition_id if best else None)
        assert [each["acquisition_id"] for each in found["captures"]["captures"]] == [
            each.acquisition_id for each in captures.captures
        ]
        assert [request["id"] for request in found["requests"]] == [named["request_id"]]
        for token in (clinics.stranger, clinics.grader):
            assert person(token).get(path).status_code == 404

    def test_an_accepted_scan_stands_for_its_expected_scan(self, person: Person, clinics: Clinics) -> None:
        found = person(clinics.reviewer).get(f"/scans/{clinics.accepted_id}/captures").json()["captures"]
        assert found["best_id"] == found["captures"][0]["acquisition_id"]
        assert found["captures"][0]["scans"][0]["ordinal"] == 2

    def test_a_scan_that_came_as_a_picture_has_no_dicom_results(self, person: Person, clinics: Clinics) -> None:
        answer = person(clinics.technician).get(f"/scans/{clinics.flagged_id}/dicom.zip")
        assert "did not come as a DICOM object" in answer.json()["message"]
        assert person(clinics.stranger).get(f"/scans/{clinics.flagged_id}/dicom.zip").status_code == 404


class TestPreviews:
    def test_judging_again_is_foreseen_for_administrators_and_nothing_is_written(
        self, person: Person, clinics: Clinics, admin: str, owner_database: Database
    ) -> None:
        with session_scope(owner_database) as session:
            study = session.get_one(tables.Study, clinics.study_id)
            number = session.scalars(
                select(func.max(tables.ProtocolVersion.number)).where(tables.ProtocolVersion.study_id == study.id)
            ).one()
            document = Protocol.default().model_dump(mode="json")
            version = make_protocol_version(session, study, number=number + 1, document=document).id
        path, asked = f"/studies/{clinics.study_id}/re-evaluation-preview", {"version": version}
        found = person(admin).get(path, params=asked).json()
        assert found["n_judged"] == found["outcomes"].get("changed", 0) + found["outcomes"].get("same", 0)
        assert sum(move["n"] for move in found["moves"]) == found["outcomes"].get("changed", 0)
        assert sum(found["outcomes"].values()) == 4, "every scored scan of the study is met"
        here = person(admin).get(path, params=asked | {"site": clinics.other_site_id}).json()
        assert sum(here["outcomes"].values()) == 1
        assert person(clinics.manager).get(path, params=asked).status_code == 403
        assert person(admin).get(f"/studies/{clinics.study_id}/re-evaluations").json()["items"] == []

    def test_scoring_again_and_adopting_are_foreseen_and_failures_named(
        self, person: Person, clinics: Clinics, admin: str, named: dict[str, int], owner_database: Database
    ) -> None:
        order, client = named["rescoring_id"], person(admin)
        with session_scope(owner_database) as session:
            session.execute(update(tables.RescoringScan).values(state="failed", failure="Out of memory."))
        assert client.get(f"/rescorings/{order}/failures").json()["items"] == [
            {"scan_id": clinics.flagged_id, "why": "Out of memory."}
        ]
        assert client.get(f"/rescorings/{order}/findings").json() == {"items": []}, "OCTA is compared by its grades"
        assert client.get(f"/rescorings/{order}/adoption-preview").json() == {"outcomes": {}}
        asked = {"version": named["model_id"], "kind": "octa-enface"}
        path = f"/studies/{clinics.study_id}/rescoring-preview"
        assert client.get(path, params=asked).json()["n_scans"] == 0, "that model counts already"
        assert person(clinics.manager).get(path, params=asked).status_code == 403
        assert client.get("/rescorings/999999/failures").status_code == 404

    def test_a_list_to_accept_in_bulk_is_foreseen_with_what_it_leaves_out(
        self, person: Person, clinics: Clinics
    ) -> None:
        found = person(clinics.reviewer).get("/bulk-acceptance-preview").json()
        left = {scan["scan_id"]: scan["left_out"] for scan in found["scans"]}
        assert left[clinics.flagged_id], "what the model finds ungradable is left out"
        assert found["n_eligible"] == sum(not why for why in left.values())
        assert not found["is_cut"]
        assert person(clinics.technician).get("/bulk-acceptance-preview").status_code == 403


class TestOfPeopleAndProcesses:
    def test_the_queue_tells_what_workers_hold_and_do(
        self, person: Person, clinics: Clinics, worker_database: Database
    ) -> None:
        report = ProcessReport(worker_database, ProcessKind.WORKER, lambda: {"device": "cpu", "held_bytes": 7})
        report.add_work(n_scored=12, n_failed=1, n_lost=0, seconds=3.5)
        report.beat(is_forced=True)
        found = person(clinics.manager).get("/queue").json()
        (worker,) = found["processes"]
        assert (worker["facts"]["device"], worker["facts"]["held_bytes"]) == ("cpu", 7)
        (hour,) = found["work"]
        assert (hour["process_id"], hour["n_scored"], hour["n_failed"]) == (worker["id"], 12, 1)
        assert person(clinics.technician).get("/queue").status_code == 403

    def test_who_is_calibrated_and_what_waits_to_be_checked_is_told_to_whom_it_concerns(
        self, person: Person, clinics: Clinics, installation: Installation, owner_database: Database
    ) -> None:
        with session_scope(owner_database) as session:
            user_id = session.scalars(
                select(tables.SiteGrant.user_id).where(tables.SiteGrant.role == Role.QC_TECHNICIAN.value)
            ).one()
            scan = session.get_one(tables.Scan, clinics.accepted_id)
            session.add(
                tables.AcceptedCheck(
                    site_id=scan.site_id,
                    scan_id=scan.id,
                    assessment_id=scan.assessment_id,
                    cause="sample",
                    state="open",
                )
            )
        (check,) = person(clinics.reviewer).get("/grading/checks").json()["items"]
        assert (check["scan_id"], check["cause"]) == (clinics.accepted_id, "sample")
        assert person(clinics.manager).get("/grading/checks").status_code == 403
        with session_scope(installation.database, token=clinics.manager) as session:
            actor = current_actor(session)
            assert actor is not None
            start_calibration(
                session, actor=actor, study_id=clinics.study_id, user_id=user_id, reason="New in the team"
            )
        params = {"study": clinics.study_id}
        (calibrated,) = person(clinics.manager).get("/grading/calibrated", params=params).json()["items"]
        assert (calibrated["user_id"], calibrated["reason"]) == (user_id, "New in the team")
        assert person(clinics.reviewer).get("/grading/calibrated", params=params).status_code == 403

    def test_a_report_says_to_whom_it_was_sent_and_how_that_went(
        self, person: Person, clinics: Clinics, named: dict[str, int], owner_database: Database
    ) -> None:
        with session_scope(owner_database) as session:
            person_id = session.scalars(select(func.max(tables.User.id))).one()
            session.execute(
                update(tables.Report).values(schedule_id=named["schedule_id"], occurrence_at=now(), asked_by_id=None)
            )
            session.add(
                tables.ReportSending(
                    report_id=named["report_id"], user_id=person_id, study_id=clinics.study_id,
                    state=DeliveryState.FAILED.value, due_at=now(), error="The mail server refused the address.",
                )
            )  # fmt: skip
        path = f"/reports/{named['report_id']}/sendings"
        (sent,) = person(clinics.manager).get(path).json()["items"]
        assert (sent["state"], sent["error"]) == ("failed", "The mail server refused the address.")
        assert person(clinics.technician).get(path).status_code == 403


def test_a_certificate_comes_with_the_scans_that_were_shown_for_it(
    person: Person, clinics: Clinics, named: dict[str, int], owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        session.add(
            tables.CertificateEvidence(
                site_id=clinics.site_id, certificate_id=named["certificate_id"], scan_id=clinics.accepted_id
            )
        )
    found = person(clinics.manager).get(f"/certificates/{named['certificate_id']}").json()["evidence"]
    assert [(shown["scan_id"], shown["is_gradable"]) for shown in found] == [(clinics.accepted_id, True)]


def test_the_curve_and_the_questions_are_those_that_the_tracker_draws(demo_api: TestClient, demo: Demo) -> None:
    since, until = period_bounds(Period.WEEKS_26, TODAY.date())
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = follow_requests(session, ScanFilter(since=since, until=until), now=TODAY)
    assert isinstance(found.to_receipt, TurnAround)
    answer = demo_api.get("/requests-figures").json()
    assert answer["receipt"] == [pytest.approx(row) for row in receipt_rows(found.to_receipt)]
    assert [
        (each["site_id"], each["rate"]["numerator"], each["rate"]["denominator"]) for each in answer["queries"]
    ] == [(each.site_id, each.rate.k, each.rate.n) for each in found.queries]


def test_a_number_is_no_day_and_no_moment(person: Person, admin: str) -> None:
    client = person(admin)
    for path in ("/audit-events?since=0.0", "/exports/rates.zip?study=1&since=0", "/audit-events?since=2026-03-14"):
        assert client.get(path).status_code == 422, path
    assert client.get("/audit-events?since=2026-03-14T09:30:00Z").status_code == 200


def test_requests_are_narrowed_to_one_owner(demo_api: TestClient) -> None:
    everyone = demo_api.get("/requests?limit=500").json()["items"]
    owners = {request["owner"] for request in everyone if request["owner"]}
    technicians = {
        each["code"]: each["id"]
        for study in demo_api.get("/studies").json()["items"]
        for each in demo_api.get(f"/studies/{study['id']}/technicians").json()["items"]
    }
    code = min(owners & technicians.keys())
    own = demo_api.get("/requests", params={"owner": technicians[code], "limit": 500}).json()["items"]
    assert {request["owner"] for request in own} == {code}
    assert 0 < len(own) < len(everyone)


def test_baselines_and_notes_are_read_by_who_compares(demo_api: TestClient) -> None:
    assert demo_api.get("/baselines").json() == {"items": []}, "nobody signed one"
    site = demo_api.get("/rates/units").json()["units"][0]["unit"]["key"]
    part = demo_api.get("/baselines", params={"site": site, "model": "Triton"})
    assert (part.status_code, "part of a unit" in part.json()["message"]) == (400, True)
    assert demo_api.get("/unit-notes?by=device").status_code == 200
