"""The list of all scans: a page looks through a bounded number of them, and goes on where it stopped."""

import pytest
from clinics import Clinics, build_clinics

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.store import scan_list
from core.store.scan_filter import ScanFilter
from core.store.scan_list import read_scan_list


@pytest.fixture
def clinics(owner_database: Database, settings: Settings) -> Clinics:
    with session_scope(owner_database) as session:
        return build_clinics(session, open_blob_store(settings))


def pages(database: Database, token: str, **asked: int) -> list[list[int]]:
    """Ids of every page until there is no next."""
    found: list[list[int]] = []
    before_id = None
    with session_scope(database, token=token) as session:
        while True:
            page = read_scan_list(session, ScanFilter(), before_id=before_id, limit=2, **asked)
            found.append([line.scan_id for line in page.items])
            before_id = page.next_id
            if before_id is None:
                return found


def test_short_pages_go_on_and_leave_nothing_out(
    dashboard_database: Database, clinics: Clinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [id_ for page in pages(dashboard_database, clinics.manager) for id_ in page]
    assert every == sorted(set(every), reverse=True)
    assert len(every) > 2
    monkeypatch.setattr(scan_list, "MOST_REACH", 1)
    short = pages(dashboard_database, clinics.manager)
    assert all(len(page) <= 1 for page in short)
    assert [id_ for page in short for id_ in page] == every


def test_of_a_grade_that_no_scan_has_every_page_is_empty(
    dashboard_database: Database, clinics: Clinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_list, "MOST_REACH", 2)
    found = pages(dashboard_database, clinics.manager, ordinal=9)
    assert found == [[]] * len(found)
    assert len(found) > 1
