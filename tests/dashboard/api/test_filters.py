"""Every filter of a query narrows what it gives; what a route cannot narrow by, it does not take."""

from collections.abc import Iterator

import pytest
from demo_rows import Demo
from starlette.testclient import TestClient

from core.vocabulary import GradeSource, Laterality

OVERVIEW = "/rates/overview"
BY_WEEK = ("/rates/overview", "/rates/flags", "/rates/units", "/rates/weeks", "/trends", "/causes", "/watch/inputs")
NOBODY: dict[str, str | int] = {
    "visit": "no such visit",
    "scored_by": 999,
    "manufacturer": "no such maker",
    "model": "no such model",
}
FINER = ("manufacturer", "model", "software", "visit", "scored_by", "graded_by")


def decided(client: TestClient, **query: str | int) -> int:
    """First captures decided under ``query``, of all time."""
    answer = client.get(OVERVIEW, params={"period": "all", **query})
    assert answer.status_code == 200, answer.text
    found: int = answer.json()["current"]["first_pass"]["denominator"]
    return found


def parts(demo: Demo) -> Iterator[tuple[str, list[str]]]:
    study = demo.rows.study
    yield "eye", [each.value for each in Laterality]
    yield "visit", sorted({each.visit.code for each in study.acquisitions})
    yield "manufacturer", sorted({each.manufacturer for each in study.devices})
    yield "model", sorted({each.model for each in study.devices})


def test_parts_add_up_to_the_whole(demo_api: TestClient, demo: Demo) -> None:
    whole = decided(demo_api)
    for name, values in parts(demo):
        found = [decided(demo_api, **{name: value}) for value in values]
        assert sum(found) == whole, name
        assert all(0 < part < whole for part in found), name


def test_whose_grade_counts_narrows_rates_and_scans(demo_api: TestClient) -> None:
    assert sum(decided(demo_api, graded_by=each.value) for each in GradeSource) == decided(demo_api)
    by_model, by_person = (
        demo_api.get("/scans", params={"graded_by": each.value, "limit": 3}).json()["items"]
        for each in (GradeSource.MODEL, GradeSource.PERSON)
    )
    assert len(by_model) == 3
    assert by_person != by_model


@pytest.mark.parametrize("path", [OVERVIEW, "/rates/units", "/rates/weeks", "/causes", "/scans", "/faz", "/examples"])
@pytest.mark.parametrize("name", NOBODY)
def test_nobodys_captures_are_none(demo_api: TestClient, path: str, name: str) -> None:
    answer = demo_api.get(path, params={name: NOBODY[name]})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if path == OVERVIEW:
        assert found["current"]["first_pass"]["denominator"] == 0
    elif path == "/causes":
        assert all(not value for value in found.values() if isinstance(value, list))
    else:
        assert found.get("items", found.get("units", found.get("points"))) == [], path


@pytest.mark.parametrize("path", ["/completeness", "/completeness/visits", "/shared-images"])
@pytest.mark.parametrize("name", ["device", "technician", "type", "period", "eye", *FINER])
def test_what_a_list_of_places_cannot_narrow_by_it_does_not_take(demo_api: TestClient, path: str, name: str) -> None:
    assert demo_api.get(path, params={name: 1}).status_code == 422


@pytest.mark.parametrize("path", ["/marks", "/requests", "/requests-figures"])
@pytest.mark.parametrize("name", FINER)
def test_marks_and_requests_are_not_narrowed_by_what_they_do_not_know(
    demo_api: TestClient, path: str, name: str
) -> None:
    assert demo_api.get(path, params={name: 1}).status_code == 422


@pytest.mark.parametrize("path", BY_WEEK)
def test_days_that_are_no_whole_weeks_are_refused_where_counts_are_kept_by_week(
    demo_api: TestClient, path: str
) -> None:
    answer = demo_api.get(path, params={"days": "2026-09-02..2026-10-13"})
    assert answer.status_code == 400
    assert answer.json()["remedy"] == "Ask for 2026-08-31..2026-10-18."
    assert demo_api.get(path, params={"days": "2026-08-31..2026-10-18"}).status_code == 200


def test_scans_are_narrowed_by_the_day(demo_api: TestClient) -> None:
    every = demo_api.get("/scans", params={"days": "2026-09-02..2026-10-13", "limit": 500}).json()["items"]
    one = demo_api.get("/scans", params={"days": "2026-09-02..2026-09-02", "limit": 500}).json()["items"]
    assert 0 < len(one) < len(every)


@pytest.mark.parametrize("days", ["2026-10-02..2026-09-01", "2026-10-02..9999-12-30", "2026-02-30..2026-03-01"])
def test_days_that_are_none_are_refused(demo_api: TestClient, days: str) -> None:
    for path in (OVERVIEW, "/scans"):
        answer = demo_api.get(path, params={"days": days})
        assert (answer.status_code, answer.json()["remedy"]) == (400, "Write 2026-08-03..2026-08-16."), path
