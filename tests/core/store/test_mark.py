"""Marks on trends, as the dashboard's role under row-level security."""

from datetime import timedelta

import pytest
from builders import MONDAY, make_device, make_member, make_site, make_study

from core.database import tables
from core.database.session import Database, session_scope
from core.store.mark import read_marks
from core.store.scan_filter import ScanFilter
from core.vocabulary import Role


@pytest.fixture
def places(owner_database: Database) -> dict[str, object]:
    """Two sites of a study, one with two devices; a mark of the study, of each site, and of one device; one elsewhere."""
    with session_scope(owner_database) as session:
        study, other_study = make_study(session), make_study(session)
        here, there = make_site(session, study), make_site(session, study)
        device, spare = make_device(session, here), make_device(session, here)

        def mark(text: str, days: int, **of: object) -> None:
            values = {"study_id": study.id, "happened_at": MONDAY + timedelta(days=days), "kind": "event", "text": text}
            session.add(tables.Annotation(**values | of))

        mark("study", 3)
        mark("here", 1, site_id=here.id)
        mark("there", 2, site_id=there.id)
        mark("device", 4, site_id=here.id, device_id=device.id)
        mark("elsewhere", 5, study_id=other_study.id)
        return {
            "study": study.id, "here": here.id, "there": there.id, "device": device.id, "spare": spare.id,
            "manager": make_member(session, Role.MANAGER, study=study)[1],
            "technician": make_member(session, Role.SITE_TECHNICIAN, site=there)[1],
        }  # fmt: skip


def texts(database: Database, token: object, limit: int = 12, **chosen: object) -> list[str]:
    with session_scope(database, token=str(token)) as session:
        return [mark.text for mark in read_marks(session, ScanFilter(**chosen), limit=limit)]


def test_marks_come_oldest_first_and_the_latest_where_there_are_many(
    dashboard_database: Database, places: dict[str, object]
) -> None:
    assert texts(dashboard_database, places["manager"]) == ["here", "there", "study", "device"]
    assert texts(dashboard_database, places["manager"], limit=2) == ["study", "device"]


def test_a_person_of_one_site_sees_its_marks_and_the_study_s(
    dashboard_database: Database, places: dict[str, object]
) -> None:
    assert texts(dashboard_database, places["technician"]) == ["there", "study"]


def test_a_filter_keeps_the_marks_of_what_it_names_and_of_what_holds_that(
    dashboard_database: Database, places: dict[str, object]
) -> None:
    for chosen, expected in (
        ({"study_id": places["study"]}, ["here", "there", "study", "device"]),
        ({"site_id": places["here"]}, ["here", "study", "device"]),
        ({"device_id": places["device"]}, ["here", "study", "device"]),
        ({"device_id": places["spare"]}, ["here", "study"]),
        ({"since": (MONDAY + timedelta(days=3)).date()}, ["study", "device"]),
        ({"until": (MONDAY + timedelta(days=2)).date()}, ["here"]),
    ):
        assert texts(dashboard_database, places["manager"], **chosen) == expected, chosen
