"""What the pages show can be read from the API, with the same numbers."""

from collections.abc import Callable

import pytest
from clinics import Clinics
from demo_rows import TODAY, Demo
from starlette.testclient import TestClient

from core.database.session import session_scope
from core.store.access import current_actor
from core.store.overview import read_overview
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.calibrate_reviewer import start_calibration
from core.usecases.judge_units import compare_units
from dashboard.filters import Period, period_bounds
from dashboard.installation import Installation

Person = Callable[[str], TestClient]

DEMO_READS = (
    "/rates/overview", "/rates/flags", "/rates/units", "/rates/units?by=device&standardised=true", "/rates/weeks",
    "/rates/weeks?by=technician&period=4w", "/rates/scan-scores", "/trends", "/trends?by=software&limits=p", "/trends?fault=motion",
    "/faz-outlines", "/faz-outlines?metric=faz_axis_ratio&slab=deep", "/examples?fault=deviation", "/marks",
    "/shared-images", "/causes", "/faz", "/faz?metric=faz_circularity&scale=corrected&group=device", "/agreement",
    "/agreement?group=slab", "/watch/inputs", "/watch/calibration", "/watch/calibration?reference=decisions",
    "/watch/versions", "/worklist", "/worklist?tab=stuck", "/scans?limit=3", "/examples", "/requests", "/actions",
    "/actions?state=done", "/alerts", "/alerts?ended_within_days=14", "/alerts/subscriptions", "/studies",
    "/certificates", "/model-versions/latest", "/models", "/batches", "/session", "/audit-events", "/completeness",
    "/report-schedules", "/completeness/visits?limit=5", "/completeness/visits?gaps=false&limit=5",
    "/baselines", "/unit-notes", "/unit-notes?by=device", "/requests-figures", "/reports", "/feedback", "/queue", "/queue/stuck", "/grading/progress", "/grading/settled",
    "/grading/acceptance",
)  # fmt: skip


@pytest.fixture
def demo_client(demo_api: TestClient) -> TestClient:
    return demo_api


def test_every_page_of_the_demo_study_can_be_read(demo_client: TestClient) -> None:
    refused = {path: answer.text[:300] for path in DEMO_READS if (answer := demo_client.get(path)).status_code != 200}
    assert refused == {}


def chosen(weeks: Period) -> ScanFilter:
    since, until = period_bounds(weeks, TODAY.date())
    return ScanFilter(since=since, until=until)


def test_the_overviews_rates_are_those_of_the_page(demo_client: TestClient, demo: Demo) -> None:
    answer = demo_client.get("/rates/overview").json()
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = read_overview(session, chosen(Period.WEEKS_26), today=TODAY.date())
    first = answer["current"]["first_pass"]
    assert (first["numerator"], first["denominator"]) == (found.current.gradable, found.current.decided)
    assert first["low"] < first["value"] == first["numerator"] / first["denominator"] < first["high"]
    assert first["unit"] == "first captures"
    assert [week["week_on"] for week in answer["weeks"]] == [week.week_on.isoformat() for week in found.weeks]
    assert sum(site["first_pass"]["denominator"] for site in answer["sites"]) == first["denominator"]


def test_the_trends_of_a_fault_are_those_of_every_unit_too(demo_client: TestClient) -> None:
    answer = demo_client.get("/trends", params={"fault": "motion"}).json()
    told = {answer["whole"]["what"], *(each["trend"]["what"] for each in answer["units"])}
    assert len(answer["units"]) > 1
    assert len(told) == 1, told
    assert "motion" in told.pop().lower()


def test_units_carry_limits_and_the_planted_site_is_red(demo_client: TestClient, demo: Demo) -> None:
    answer = demo_client.get("/rates/units").json()
    with session_scope(demo.database, token=demo.rows.manager) as session:
        found = compare_units(session, chosen(Period.WEEKS_26), UnitKind.SITE)
    assert answer["usual_rate"] == pytest.approx(found.funnel.target)
    red = [unit for unit in answer["units"] if unit["is_red"]]
    assert [unit["unit"]["label"] for unit in red] == [each.unit.label for each in found.red]
    assert demo.rows.study.planted.bad_site in red[0]["unit"]["label"]
    for unit in red:
        assert unit["ungradable"]["value"] > unit["limits"]["high_alarm"] > answer["usual_rate"]
    assert all(unit["standardised"] is None for unit in answer["units"]), "not asked for"


def test_weeks_of_a_unit_sum_to_its_rate(demo_client: TestClient) -> None:
    units = {unit["unit"]["key"]: unit["ungradable"] for unit in demo_client.get("/rates/units").json()["units"]}
    sums = dict.fromkeys(units, 0)
    for line in demo_client.get("/rates/weeks").json()["items"]:
        sums[line["unit"]["key"]] += line["ungradable"]["denominator"]
    assert sums == {key: rate["denominator"] for key, rate in units.items()}


def test_pages_of_scans_follow_each_other_without_gap_or_twin(demo_client: TestClient, demo: Demo) -> None:
    site = demo.rows.site_ids[demo.rows.study.planted.bad_site]
    whole = demo_client.get("/scans", params={"site": site, "limit": 500, "period": "4w"}).json()
    assert whole["next"] is None
    ids, after = [], None
    while True:
        params = {"site": site, "limit": 7, "period": "4w"} | ({"after": after} if after else {})
        page = demo_client.get("/scans", params=params).json()
        ids += [scan["scan_id"] for scan in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert ids == [scan["scan_id"] for scan in whole["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) > 7
    assert {scan["site_id"] for scan in whole["items"]} == {site}


def test_the_worklist_is_paged_in_the_order_of_the_page(demo_client: TestClient) -> None:
    whole = demo_client.get("/worklist", params={"limit": 500}).json()["items"]
    first = demo_client.get("/worklist", params={"limit": 4}).json()
    second = demo_client.get("/worklist", params={"limit": 4, "after": first["next"]}).json()
    assert [item["scan_id"] for item in first["items"] + second["items"]] == [item["scan_id"] for item in whole[:8]]
    refused = demo_client.get("/worklist", params={"limit": 3, "after": first["next"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "usage")


def test_one_scan_says_why_a_number_is_missing(demo_client: TestClient) -> None:
    ungradable = demo_client.get("/scans", params={"grade": 0, "limit": 1}).json()["items"][0]["scan_id"]
    scan = demo_client.get(f"/scans/{ungradable}").json()
    area = scan["assessment"]["measures"]["faz_area_mm2"]
    assert area["value"] is None
    assert area["not_computable"]
    assert sum(scan["assessment"]["probabilities"].values()) == pytest.approx(1.0)
    assert scan["history"]
    assert set(scan["assessment"]["measures"]) >= {"faz_area_mm2", "perfusion_density_percent"}


def test_a_study_has_its_sites_devices_technicians_and_protocol(demo_client: TestClient, demo: Demo) -> None:
    study = demo_client.get("/studies").json()["items"][0]
    assert study["id"] == demo.rows.study_id
    sites = demo_client.get(f"/studies/{study['id']}/sites").json()["items"]
    assert {site["id"] for site in sites} == set(demo.rows.site_ids.values())
    for part, n in (("devices", len(demo.rows.device_ids)), ("technicians", len(demo.rows.technician_ids))):
        assert len(demo_client.get(f"/studies/{study['id']}/{part}").json()["items"]) == n
    versions = demo_client.get(f"/studies/{study['id']}/protocol-versions").json()["items"]
    assert [version["number"] for version in versions] == [1]
    assert demo_client.get("/studies/999999/sites").status_code == 404


def test_a_request_is_read_with_its_steps(demo_client: TestClient) -> None:
    listed = demo_client.get("/requests", params={"limit": 1}).json()["items"][0]
    one = demo_client.get(f"/requests/{listed['id']}").json()
    assert one["request"] == listed
    assert [step["number"] for step in one["steps"]] == sorted(step["number"] for step in one["steps"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/scans?limit=501", 422),
        ("/scans?limit=0", 422),
        ("/scans?after=nonsense", 400),
        ("/scans?after=WyJhIl0", 400),
        ("/scans?unknown=1", 422),
        ("/scans?study=0", 422),
        ("/scans?study=99999999999999999999", 422),
        ("/scans?type=%00", 422),
        ("/scans?days=2026-02-30..2026-03-01", 400),
        ("/scans?days=9999-12-31..9999-12-31", 400),
        ("/scans?grade=4", 422),
        ("/scans/0", 422),
        ("/scans/9223372036854775807", 404),
        ("/nothing", 404),
    ],
)
def test_what_cannot_be_is_said_in_one_kind_of_document(demo_client: TestClient, path: str, status: int) -> None:
    answer = demo_client.get(path)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "message", "remedy"}
    assert answer.headers["cache-control"] == "no-store"


def test_an_unknown_method_names_those_there_are(demo_client: TestClient) -> None:
    answer = demo_client.post("/scans")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert set(answer.json()) == {"code", "message", "remedy"}


class TestImages:
    def test_image_masks_and_cam_are_png_with_their_hash(self, person: Person, clinics: Clinics) -> None:
        client = person(clinics.technician)
        scan = client.get(f"/scans/{clinics.flagged_id}").json()
        masks = [mark["type"] for mark in scan["assessment"]["artifacts"] if mark["has_mask"]]
        assert masks
        for path in ("image", "cam", *(f"masks/{type_}" for type_ in masks)):
            answer = client.get(f"/scans/{clinics.flagged_id}/{path}.png")
            assert answer.content.startswith(b"\x89PNG"), path
            assert answer.headers["content-type"] == "image/png"
            again = client.get(
                f"/scans/{clinics.flagged_id}/{path}.png", headers={"If-None-Match": answer.headers["etag"]}
            )
            assert (again.status_code, again.content) == (304, b"")

    def test_another_sites_images_do_not_exist(self, person: Person, clinics: Clinics) -> None:
        client = person(clinics.technician)
        for path in ("image", "cam", "faz", "masks/shadow"):
            assert client.get(f"/scans/{clinics.other_id}/{path}.png").status_code == 404

    def test_a_grader_gets_the_pixels_and_nothing_that_was_concluded(self, person: Person, clinics: Clinics) -> None:
        client = person(clinics.grader)
        assert client.get(f"/scans/{clinics.flagged_id}/image.png").status_code == 200
        for path in ("", "/cam.png", "/masks/motion.png", "/questions"):
            assert client.get(f"/scans/{clinics.flagged_id}{path}").status_code == 404, path
        assert client.get("/scans").json()["items"] == []
        assert client.get("/rates/overview").status_code == 403


def test_a_reviewer_in_calibration_mode_learns_nothing_of_the_models_here_either(
    person: Person, clinics: Clinics, installation: Installation
) -> None:
    with session_scope(installation.database, token=clinics.reviewer) as session:
        reviewer = current_actor(session)
    with session_scope(installation.database, token=clinics.manager) as session:
        manager = current_actor(session)
        assert reviewer is not None
        assert manager is not None
        start_calibration(
            session, actor=manager, study_id=clinics.study_id, user_id=reviewer.user_id or 0, reason="New in the team"
        )
    client = person(clinics.reviewer)
    scan = client.get(f"/scans/{clinics.flagged_id}").json()
    assert (scan["is_model_hidden"], scan["assessment"]) == (True, None)
    lines = client.get("/scans").json()["items"]
    assert clinics.flagged_id in {line["scan_id"] for line in lines}
    assert {(line["model_ordinal"], line["is_abstained"], line["final_verdict"]) for line in lines} == {(None,) * 3}
    assert client.get("/scans?grade=0").json()["items"] == [], "asking for a grade does not tell it"
    assert client.get("/examples").json()["items"] == []
    assert client.get(f"/scans/{clinics.flagged_id}/cam.png").status_code == 404
    assert client.get("/rates/scan-scores").json()["scans"] == []
