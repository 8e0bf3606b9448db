"""The worklist: who is on it, in which order, in pages."""

from datetime import timedelta

import pytest
from builders import MONDAY, make_expected_scan, make_site, make_subject, make_visit
from clinics import Clinics, build_clinics
from scored_scans import make_scored_capture

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.scan_filter import ScanFilter
from core.store.worklist import WorklistPage, WorklistTab, read_worklist
from core.vocabulary import Laterality, ReasonCode, Slab

TODAY = (MONDAY + timedelta(days=20)).date()


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blob_store(settings)


@pytest.fixture
def clinics(owner_database: Database, blobs: BlobStore) -> Clinics:
    with session_scope(owner_database) as session:
        return build_clinics(session, blobs)


def look(
    database: Database,
    token: str,
    tab: WorklistTab = WorklistTab.TO_DECIDE,
    *,
    page: int = 0,
    page_size: int = 25,
    **chosen: object,
) -> WorklistPage:
    with session_scope(database, token=token) as session:
        return read_worklist(session, ScanFilter(**chosen), tab, today=TODAY, page=page, page_size=page_size)


def test_flagged_scans_come_with_their_reasons(dashboard_database: Database, clinics: Clinics):
    items = {item.scan_id: item for item in look(dashboard_database, clinics.manager).items}
    assert set(items) == {clinics.flagged_id, clinics.abstained_id, clinics.other_id}
    assert items[clinics.flagged_id].reasons[0].code is ReasonCode.MP_MOTION
    assert items[clinics.abstained_id].reasons[0].code is ReasonCode.ABSTAINED


def test_another_site_s_scans_are_not_on_it(dashboard_database: Database, clinics: Clinics):
    found = look(dashboard_database, clinics.stranger)
    assert [item.scan_id for item in found.items] == [clinics.other_id]
    assert found.totals[WorklistTab.TO_DECIDE] == 1


def test_what_can_still_be_done_comes_first(
    dashboard_database: Database, owner_database: Database, blobs: BlobStore, clinics: Clinics
):
    with session_scope(owner_database) as session:
        site = make_site(session, study_id=clinics.study_id)
        expected = []
        for days in (3, 9, None, -2, -40):
            ends = None if days is None else TODAY + timedelta(days=days)
            slot = make_expected_scan(session, make_visit(session, make_subject(session, site), window_ends_on=ends))
            expected.append((make_scored_capture(session, blobs, site, slot=slot, ordinal=0).id, days))
        site_id = site.id
    items = look(dashboard_database, clinics.manager, site_id=site_id).items
    assert [(item.scan_id, item.days_left(TODAY)) for item in items] == expected


def test_pages_cover_the_list_without_overlap(dashboard_database: Database, clinics: Clinics):
    pages = [look(dashboard_database, clinics.manager, page=number, page_size=2) for number in range(3)]
    assert [len(page.items) for page in pages] == [2, 1, 0]
    assert len({item.scan_id for page in pages for item in page.items}) == pages[0].total == 3


def test_an_open_request_brings_its_day_and_state(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        scan.state = "reacquisition_requested"
        for state in ("closed", "requested"):
            session.add(
                tables.ReacquisitionRequest(
                    site_id=scan.site_id,
                    acquisition_id=scan.acquisition_id,
                    scan_id=scan.id,
                    state=state,
                    reason_code="oscar-mp:M",
                    text="",
                    remedy="",
                    due_on=TODAY + timedelta(days=4),
                )
            )
    found = look(dashboard_database, clinics.technician, WorklistTab.REACQUIRE)
    assert len(found.items) == 1, "a closed request of the same capture doubles nothing"
    assert (found.items[0].request_state, found.items[0].days_left(TODAY)) == ("requested", 4)


def test_what_the_site_has_answered_comes_last(
    dashboard_database: Database, owner_database: Database, blobs: BlobStore, clinics: Clinics
):
    with session_scope(owner_database) as session:
        site = make_site(session, study_id=clinics.study_id)
        asked = {}
        for state, days in (("regraded", 2), ("received", 5), ("requested", -9)):
            scan = make_scored_capture(session, blobs, site, ordinal=0)
            scan.state = "reacquisition_requested"
            asked[state] = scan.id
            session.add(
                tables.ReacquisitionRequest(
                    site_id=site.id, acquisition_id=scan.acquisition_id, scan_id=scan.id, state=state,
                    reason_code="oscar-mp:M", text="", remedy="", due_on=TODAY + timedelta(days=days),
                )
            )  # fmt: skip
        site_id = site.id
    items = look(dashboard_database, clinics.manager, WorklistTab.REACQUIRE, site_id=site_id).items
    assert [item.scan_id for item in items] == [asked["requested"], asked["regraded"], asked["received"]]
    assert [item.is_answered for item in items] == [False, True, True]


def test_filters_by_slab_and_eye(dashboard_database: Database, clinics: Clinics):
    assert look(dashboard_database, clinics.manager, slab=Slab.DEEP).total == 0
    assert look(dashboard_database, clinics.manager, laterality=Laterality.OD).total == 3
    assert look(dashboard_database, clinics.manager, laterality=Laterality.OS).total == 0
