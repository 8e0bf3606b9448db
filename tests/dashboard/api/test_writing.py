"""What people change on the pages, programs change by the API: the same rules, the same words, the same rows."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from api_clients import make_client
from builders import MONDAY, make_device, make_member, make_protocol_version
from clinics import Clinics
from scored_scans import make_scored_capture
from sqlalchemy import select, update
from starlette.testclient import TestClient
from stopped_clock import stop_clock

from core.database import tables
from core.database.session import Database, session_scope
from core.policy.protocol import ExpectedScanType, Protocol
from core.vocabulary import ApiScope, Role, ScanState
from dashboard.installation import Installation

Person = Callable[[str], TestClient]
TODAY = (MONDAY + timedelta(days=20)).date()


@pytest.fixture(autouse=True)
def three_weeks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch, MONDAY + timedelta(days=20))


@pytest.fixture
def admin(owner_database: Database) -> str:
    with session_scope(owner_database) as session:
        return make_member(session, Role.ADMIN)[1]


def posted(client: TestClient, path: str, body: dict | None = None, *, status: int = 200) -> dict:
    answer = client.post(path, json=body) if body is not None else client.post(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(client: TestClient, path: str, body: dict, status: int) -> str:
    return posted(client, path, body, status=status)["message"]


def test_a_list_is_accepted_in_bulk_after_its_sample_and_one_scan_of_it_taken_back(
    person: Person, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, clinics.site_id)
        for seed in range(40, 43):
            scan = make_scored_capture(session, installation.blobs, site, ordinal=2, seed=seed)
            session.execute(
                update(tables.Scan)
                .where(tables.Scan.id == scan.id)
                .values(state=ScanState.UNDER_REVIEW, final_verdict=None)
            )
    client = person(clinics.reviewer)
    bulk = posted(client, "/bulk-acceptances?type=octa-enface%203x3", status=201)
    path = f"/bulk-acceptances/{bulk['id']}"
    assert bulk["sample"]
    assert not bulk["is_agreed"]
    assert "has been agreed to" in posted(client, f"{path}/accept", status=409)["message"]
    for item in bulk["sample"]:
        at = f"{path}/sample/{item['scan_id']}"
        assert "not looked at" in refused(client, f"{at}/mark", {"mark": "agree"}, 409)
        posted(client, f"{at}/look")
        bulk = posted(client, f"{at}/mark", {"mark": "agree"})
    assert bulk["is_agreed"]
    while bulk["n_waiting"]:
        bulk = posted(client, f"{path}/accept")
    assert bulk["state"] == "done"
    assert client.get(path).json() == bulk
    first = bulk["accepted"][0]
    assert client.get("/decisions/last").json()["items"] == [], "nobody can tell which of a list came last"
    undone = posted(client, "/decisions/undo", {"review_id": first["review_id"], "reason": "Blurred"})
    assert (undone["scan_id"], undone["state"]) == (first["scan_id"], "under_review")
    assert [each["scan_id"] for each in client.get(path).json()["accepted"] if each["is_taken_back"]] == [
        first["scan_id"]
    ]
    assert person(clinics.technician).post("/bulk-acceptances").status_code == 403


def test_the_own_last_decision_is_undone(person: Person, clinics: Clinics) -> None:
    client, scan_id = person(clinics.reviewer), clinics.flagged_id
    assert client.get("/decisions/last").json()["items"] == []
    version = client.get(f"/scans/{scan_id}").json()["version"]
    posted(client, f"/scans/{scan_id}/query", {"seen_version": version, "question": "Which eye is it?"})
    (last,) = client.get("/decisions/last").json()["items"]
    assert (last["scan_id"], last["decision"]) == (scan_id, "query")
    assert refused(client, "/decisions/undo", {"review_id": last["review_id"] + 1}, 409)
    undone = posted(client, "/decisions/undo", {"review_id": last["review_id"], "reason": "Wrong scan"})
    assert (undone["scan_id"], undone["state"]) == (scan_id, "under_review")
    assert client.get("/decisions/last").json()["items"] == []


def test_a_certificate_goes_from_asking_to_granting(
    person: Person, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, clinics.site_id)
        device = make_device(session, site, code="S01-B", software_version="4.2.0")
        scans = [
            make_scored_capture(session, installation.blobs, site, device=device, seed=seed, ordinal=2)
            for seed in range(20, 23)
        ]
        captures = [scan.acquisition_id for scan in scans]
        session.execute(
            update(tables.Acquisition).where(tables.Acquisition.id.in_(captures)).values(software_version="4.2.0")
        )
        device_id, shown = device.id, [scan.id for scan in scans]
    site_person, manager = person(clinics.technician), person(clinics.manager)
    body = {"device_id": device_id, "kind": "octa-enface", "scan_ids": shown[:2]}
    assert "one device or of one technician" in refused(manager, "/certificates", body | {"technician_id": 1}, 400)
    course = posted(site_person, "/certificates", body, status=201)
    path = f"/certificates/{course['certificate']['id']}"
    posted(site_person, f"{path}/evidence", {"scan_ids": shown[2:]})
    assert site_person.post(f"{path}/grant", json={}).status_code == 403
    posted(manager, f"{path}/review", {"note": "Sharp."})
    course = posted(manager, f"{path}/grant", {"expires_on": f"{TODAY + timedelta(days=100)}"})
    assert [step["state"] for step in course["steps"]] == ["requested", "under_review", "certified"]
    assert course["certificate"]["expires_on"] == f"{TODAY + timedelta(days=100)}"
    assert manager.get(path).json() == course
    assert refused(manager, f"{path}/refuse", {"reason": "Too late"}, 409)
    assert person(clinics.stranger).get(path).status_code == 404


def test_a_report_is_asked_for_and_schedules_need_a_mail_server(person: Person, clinics: Clinics) -> None:
    manager = person(clinics.manager)
    body = {"kind": "site", "study_id": clinics.study_id, "site_id": clinics.site_id, "n_weeks": 4}
    report = posted(manager, "/reports", body, status=201)
    assert (report["state"], report["site_code"], report["made"]) == ("asked", "S01", None)
    assert manager.get("/reports").json()["items"][0]["id"] == report["id"]
    assert (
        person(clinics.technician).post("/reports", json=body | {"kind": "study", "site_id": None}).status_code == 403
    )
    people = manager.get(
        "/report-addressees", params={"kind": "site", "study": clinics.study_id, "site": clinics.site_id}
    )
    ids = [each["user_id"] for each in people.json()["items"]]
    assert ids
    scheduled = body | {"every": "week", "on_day": 1, "hour": 6, "recipient_ids": ids[:1]}
    assert "No mail server" in refused(manager, "/report-schedules", scheduled, 400)


def test_a_schedule_is_made_paused_and_sent_to_others(
    person: Person, clinics: Clinics, installation: Installation, owner_database: Database
) -> None:
    installation.settings.__dict__["smtp_host"] = "localhost"
    with session_scope(owner_database) as session:
        for user in session.scalars(select(tables.User)):
            session.execute(update(tables.User).where(tables.User.id == user.id).values(email=f"{user.id}@example.org"))
    manager, reviewer = person(clinics.manager), person(clinics.reviewer)
    asked = {"kind": "site", "study": clinics.study_id, "site": clinics.site_id}
    ids = [each["user_id"] for each in manager.get("/report-addressees", params=asked).json()["items"]]
    body = {
        "kind": "site", "study_id": clinics.study_id, "site_id": clinics.site_id, "n_weeks": 4, "every": "week",
        "on_day": 1, "hour": 6, "recipient_ids": ids[:1],
    }  # fmt: skip
    made = posted(manager, "/report-schedules", body, status=201)
    path = f"/report-schedules/{made['id']}"
    changed = manager.put(f"{path}/recipients", json={"recipient_ids": ids[1:3]}).json()
    assert sorted(changed["recipient_ids"]) == sorted(ids[1:3])
    assert reviewer.put(f"{path}/recipients", json={"recipient_ids": ids[:1]}).status_code == 403
    assert manager.put(f"{path}/state", json={"state": "paused"}).json()["state"] == "paused"
    assert manager.put(f"{path}/state", json={"state": "paused"}).status_code == 409


def test_a_protocol_version_is_published_by_an_administrator_alone(
    person: Person, clinics: Clinics, admin: str
) -> None:
    administrator, path = person(admin), f"/studies/{clinics.study_id}/protocol-versions"
    newest = administrator.get(path).json()["items"][0]
    document = newest["document"] | {"visit_window_days": 14}
    body = {"document": document, "note": "Shorter windows"}
    assert person(clinics.manager).post(path, json=body).status_code == 403
    added = posted(administrator, path, body, status=201)
    assert (added["number"], added["document"]["visit_window_days"]) == (newest["number"] + 1, 14)
    assert "Nothing differs" in refused(administrator, path, body, 400)
    wrong = body | {"document": document | {"visit_window_days": -1}}
    assert "visit window days" in refused(administrator, path, wrong, 400)


@pytest.fixture
def planned(owner_database: Database, clinics: Clinics) -> str:
    """The path of the calendar of a study that expects a scan of each eye."""
    protocol = Protocol(expected=(ExpectedScanType(scan_type="octa-enface 3x3"),))
    with session_scope(owner_database) as session:
        make_protocol_version(
            session, session.get_one(tables.Study, clinics.study_id), number=9,
            effective_at=MONDAY + timedelta(days=1), document=protocol.model_dump(mode="json"),
        )  # fmt: skip
    return f"/studies/{clinics.study_id}/visit-calendar"


def test_a_program_imports_the_calendar_and_calls_visits_off(  # noqa: PLR0917 - fixtures
    program: Callable[[str], TestClient], person: Person, clinics: Clinics, admin: str, installation: Installation,
    planned: str,
) -> None:  # fmt: skip
    token = make_client(
        installation.database, admin, study_id=clinics.study_id, roles=[Role.MANAGER],
        scopes=[ApiScope.WRITE_VISITS, ApiScope.READ_WORK],
    ).token  # fmt: skip
    client = program(token)
    rows = [
        {"site": "S01", "subject": "P-7", "visit": "V2", "planned_on": f"{TODAY}"},
        {"site": "S09", "subject": "P-8", "visit": "V2", "planned_on": f"{TODAY}"},
    ]
    looked = posted(client, planned, {"rows": rows, "dry_run": True})
    assert client.get("/completeness/visits", params={"planned": True}).json()["items"] == []
    done = posted(client, planned, {"rows": rows})
    assert done == looked
    assert [(line["line"], line["change"]) for line in done["lines"]] == [(1, "new")]
    assert [problem["code"] for problem in done["problems"]] == ["site_unknown"]
    (visit,) = client.get("/completeness/visits", params={"planned": True}).json()["items"]
    assert (visit["subject_code"], visit["planned_on"], len(visit["slots"])) == ("P-7", f"{TODAY}", 2)
    path = f"/visits/{visit['visit_id']}"
    called_off = posted(client, f"{path}/call-off", {"reason": "Withdrew"})
    assert called_off["called_off_reason"] == "Withdrew"
    assert posted(client, f"{path}/resume")["called_off_at"] is None
    assert person(clinics.technician).post(planned, json={"rows": rows}).status_code == 403
    assert person(clinics.stranger).post(f"{path}/call-off", json={"reason": "x"}).status_code == 404


def test_a_scope_is_asked_for_each_kind_of_change(
    program: Callable[[str], TestClient], clinics: Clinics, admin: str, installation: Installation, planned: str
) -> None:
    token = make_client(
        installation.database, admin, study_id=clinics.study_id, roles=[Role.MANAGER], scopes=[ApiScope.READ_WORK]
    ).token
    client = program(token)
    for path, body, scope in (
        (planned, {"rows": [{"site": "S01", "subject": "P", "visit": "V", "planned_on": f"{TODAY}"}]}, "write:visits"),
        ("/reports", {"kind": "study", "study_id": clinics.study_id, "n_weeks": 4}, "write:reports"),
        ("/certificates", {"device_id": clinics.device_id, "kind": "octa-enface"}, "write:certificates"),
        (f"/studies/{clinics.study_id}/protocol-versions", {"document": {}, "note": "x"}, "write:protocol"),
        ("/decisions/undo", {"review_id": 1}, "write:decisions"),
    ):
        assert scope in refused(client, path, body, 403), path


def test_a_picture_that_the_store_lost_is_503_in_the_api_too(
    person: Person, clinics: Clinics, installation: Installation, owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        sha256 = session.get_one(tables.Scan, clinics.flagged_id).image_sha256
    next(Path(installation.blobs.url).rglob(sha256)).unlink()
    answer = person(clinics.manager).get(f"/scans/{clinics.flagged_id}/image.png")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage")
