"""The overview's numbers, as the dashboard's role under row-level security."""

from datetime import timedelta

import pytest
from builders import MONDAY, make_acquisition, make_scan, make_site
from clinics import Clinics, build_clinics
from scored_scans import make_scored_capture

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.overview import Overview, read_overview
from core.store.rate import fold_deltas, recount_slots
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.vocabulary import Laterality, ScanState, Slab

TODAY = (MONDAY + timedelta(days=20)).date()


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blob_store(settings)


@pytest.fixture
def clinics(owner_database: Database, blobs: BlobStore) -> Clinics:
    with session_scope(owner_database) as session:
        return build_clinics(session, blobs)


def look(database: Database, token: str, **chosen: object) -> Overview:
    with session_scope(database, token=token) as session:
        return read_overview(session, ScanFilter(**chosen), today=TODAY)


def test_what_was_abstained_is_received_and_not_decided(dashboard_database: Database, clinics: Clinics):
    tally = look(dashboard_database, clinics.manager).current
    assert (tally.received, tally.decided, tally.gradable) == (4, 3, 1)
    assert (tally.final_received, tally.final_gradable) == (4, 1)


def test_folding_the_counts_changes_no_number(
    dashboard_database: Database, worker_database: Database, clinics: Clinics
):
    before = look(dashboard_database, clinics.manager)
    with session_scope(worker_database) as session:
        assert fold_deltas(session) > 0
    after = look(dashboard_database, clinics.manager)
    assert (after.current, after.sites, after.weeks) == (before.current, before.sites, before.weeks)


def test_a_person_of_one_site_sees_that_site_only(dashboard_database: Database, clinics: Clinics):
    overview = look(dashboard_database, clinics.stranger)
    assert [site.id for site in overview.sites] == [clinics.other_site_id]
    assert overview.current.received == 1
    assert overview.attention.to_decide == 1


def test_without_a_session_there_is_nothing(dashboard_database: Database, clinics: Clinics):
    overview = look(dashboard_database, "forged")
    assert (overview.sites, overview.devices, overview.weeks, overview.current.received) == ((), (), (), 0)


def test_filters_narrow_the_counts(dashboard_database: Database, clinics: Clinics):
    for chosen, received in (
        ({"site_id": clinics.site_id}, 3),
        ({"study_id": clinics.study_id}, 4),
        ({"study_id": clinics.study_id + 1}, 0),
        ({"device_id": clinics.device_id}, 3),
        ({"scan_type": "octa-enface 6x6"}, 0),
        ({"technician_id": 12345}, 0),
    ):
        assert look(dashboard_database, clinics.manager, **chosen).current.received == received, chosen


def test_the_period_before_is_as_long_and_right_before(dashboard_database: Database, clinics: Clinics):
    second_week = (MONDAY + timedelta(days=7)).date()
    bounds = {"since": second_week, "until": second_week + timedelta(days=7)}
    overview = look(dashboard_database, clinics.manager, **bounds)
    assert overview.current.received == 3
    assert overview.previous is not None
    assert overview.previous.received == 1
    assert [week.week_on for week in overview.weeks] == [second_week]


def test_patients_are_counted_per_group(dashboard_database: Database, clinics: Clinics):
    sites = {site.id: site for site in look(dashboard_database, clinics.manager).sites}
    assert (sites[clinics.site_id].patients, sites[clinics.other_site_id].patients) == (3, 1)
    assert not sites[clinics.site_id].is_judged


def test_a_site_without_scans_is_listed_with_nothing(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    with session_scope(owner_database) as session:
        new = make_site(session, study_id=clinics.study_id).id
    sites = {site.id: site for site in look(dashboard_database, clinics.manager).sites}
    assert (sites[new].tally.received, sites[new].patients) == (0, 0)


def test_what_waits_is_counted_with_the_age_of_the_oldest_whatever_the_period(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    with session_scope(owner_database) as session:
        site = make_site(session, study_id=clinics.study_id)
        make_scan(session, site)
        make_scan(session, site, state=ScanState.FAILED.value)
        make_scan(session, site, state=ScanState.QUARANTINED.value)
    attention = look(dashboard_database, clinics.manager, since=TODAY, until=TODAY).attention
    assert (attention.waiting, attention.failed, attention.to_decide) == (1, 2, 3)
    assert attention.oldest_waiting_at == MONDAY


def test_a_replacement_is_outside_the_first_pass_and_inside_the_final_rate(
    dashboard_database: Database, owner_database: Database, blobs: BlobStore, clinics: Clinics
):
    from core.database import tables

    with session_scope(owner_database) as session:
        bad = session.get_one(tables.Scan, clinics.flagged_id)
        first = session.get_one(tables.Acquisition, bad.acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        site = session.get_one(tables.Site, clinics.site_id)
        make_scored_capture(session, blobs, site, slot=slot, ordinal=2, acquired={"replaces_id": first.id})
    tally = look(dashboard_database, clinics.manager).current
    assert (tally.decided, tally.gradable) == (3, 1)
    assert (tally.final_received, tally.final_gradable) == (4, 2)


def test_choices_are_the_person_s_own(dashboard_database: Database, clinics: Clinics):
    with session_scope(dashboard_database, token=clinics.stranger) as session:
        choices = read_filter_choices(session, ScanFilter())
    assert [choice.label for choice in choices.sites] == ["S02 · Turin"]
    assert choices.scan_types == ("octa-enface 3x3",)
    assert len(choices.devices) == 1


def test_the_eye_narrows_rates_and_the_slab_does_not_for_the_unit_is_the_capture(
    dashboard_database: Database, clinics: Clinics
):
    both = [look(dashboard_database, clinics.manager, laterality=eye).current.received for eye in Laterality]
    assert both == [4, 0]
    assert look(dashboard_database, clinics.manager, slab=Slab.DEEP).current.received == 4


def test_captures_of_which_a_scan_waits_or_failed_are_unscored_in_the_period_of_their_capture(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    with session_scope(owner_database) as session:
        site = make_site(session, study_id=clinics.study_id)
        slots = []
        for days, state in ((8, ScanState.QUEUED), (8, ScanState.QUARANTINED), (1, ScanState.FAILED)):
            capture = make_acquisition(session, site, acquired_at=MONDAY + timedelta(days=days))
            make_scan(session, site, acquisition=capture, state=state.value)
            make_scan(session, site, acquisition=capture, state=state.value, slab=Slab.DEEP.value)
            slots.append(capture.expected_scan_id)
        recount_slots(session, slots)
    second_week = (MONDAY + timedelta(days=7)).date()
    overview = look(dashboard_database, clinics.manager, since=second_week, until=second_week + timedelta(days=7))
    assert overview.unscored == (2, 1)
    assert overview.current.received - overview.unscored[0] == 3
    assert look(dashboard_database, clinics.manager).unscored == (3, 0)
    eye = look(dashboard_database, clinics.manager, laterality=Laterality.OS)
    assert eye.unscored[0] <= eye.current.received
