"""The gallery: by grade and reason, a person's grade before the model's, in pages."""

import pytest
from clinics import Clinics, build_clinics
from volume_scans import make_volume_scan

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.store.example import CLEAR_FROM, ExamplePage, ExampleSet, read_examples
from core.store.scan_filter import ScanFilter
from core.store.volume_files import BORDERS
from core.vocabulary import ArtifactType, ReasonCode, ScanKind


@pytest.fixture
def clinics(owner_database: Database, settings: Settings) -> Clinics:
    with session_scope(owner_database) as session:
        return build_clinics(session, open_blob_store(settings))


def look(database: Database, token: str, **asked: object) -> ExamplePage:
    with session_scope(database, token=token) as session:
        return read_examples(session, ScanFilter(), **asked)


def test_scans_are_found_by_grade_and_by_reason(dashboard_database: Database, clinics: Clinics):
    outstanding = look(dashboard_database, clinics.manager, ordinal=2).items
    assert [item.scan_id for item in outstanding] == [clinics.accepted_id]
    assert (outstanding[0].label, outstanding[0].probability) == ("outstanding", 0.82)
    moved = look(dashboard_database, clinics.manager, reason=ReasonCode.MP_MOTION).items
    assert [item.scan_id for item in moved] == [clinics.flagged_id]
    assert moved[0].artifacts[0][0] is ArtifactType.MOTION


def test_a_person_s_grade_outranks_the_model_s(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    with session_scope(owner_database) as session:
        session.get_one(tables.Scan, clinics.flagged_id).human_ordinal = 2
    found = {item.scan_id: item for item in look(dashboard_database, clinics.manager, ordinal=2).items}
    assert found[clinics.flagged_id].is_human_grade


def test_the_newest_come_first_and_the_last_page_says_so(dashboard_database: Database, clinics: Clinics):
    first = look(dashboard_database, clinics.manager, page_size=3)
    rest = look(dashboard_database, clinics.manager, page=1, page_size=3)
    assert (first.has_more, rest.has_more) == (True, False)
    ids = [item.scan_id for item in (*first.items, *rest.items)]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4


def test_another_site_s_scans_are_no_examples(dashboard_database: Database, clinics: Clinics):
    assert [item.scan_id for item in look(dashboard_database, clinics.stranger).items] == [clinics.other_id]


def test_site_and_study_narrow_the_gallery(dashboard_database: Database, clinics: Clinics):
    with session_scope(dashboard_database, token=clinics.manager) as session:
        at_site = read_examples(session, ScanFilter(site_id=clinics.other_site_id))
        at_device = read_examples(session, ScanFilter(study_id=clinics.study_id, device_id=clinics.device_id))
        elsewhere = read_examples(session, ScanFilter(study_id=clinics.study_id + 1))
    assert [item.scan_id for item in at_site.items] == [clinics.other_id]
    assert {item.scan_id for item in at_device.items} == {clinics.accepted_id, clinics.flagged_id, clinics.abstained_id}
    assert elsewhere.items == ()


def test_each_set_holds_its_own_examples_of_the_lane(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
):
    clear = {"ungradable": 1 - CLEAR_FROM, "gradable": 0.0, "outstanding": CLEAR_FROM}
    with session_scope(owner_database) as session:
        accepted = session.get_one(tables.Scan, clinics.accepted_id)
        session.get_one(tables.Assessment, accepted.assessment_id).probabilities = clear
        flagged = session.get_one(tables.Scan, clinics.flagged_id)
        flagged.human_ordinal = 2
        assert flagged.assessment_id is not None
        reason = {"operator_fixable": "unknown", "text": "It looked elsewhere.", "remedy": "Look at it."}
        session.add(
            tables.AssessmentReason(
                assessment_id=flagged.assessment_id, site_id=flagged.site_id, rank=9,
                code=ReasonCode.CAM_DISAGREEMENT.value, **reason,
            )
        )  # fmt: skip

    def found(wanted: ExampleSet) -> set[int]:
        return {item.scan_id for item in look(dashboard_database, clinics.manager, wanted=wanted).items}

    assert found(ExampleSet.TYPICAL) == {clinics.accepted_id}
    assert clinics.abstained_id in found(ExampleSet.BORDERLINE)
    assert clinics.accepted_id not in found(ExampleSet.BORDERLINE)
    assert found(ExampleSet.DISAGREEMENT) == {clinics.flagged_id}
    assert found(ExampleSet.CAM_OFF) == {clinics.flagged_id}
    assert look(dashboard_database, clinics.manager, kind=ScanKind.BSCAN).items == ()
    assert len(look(dashboard_database, clinics.manager, kind=ScanKind.OCTA_ENFACE).items) == 4


def test_another_lane_has_examples_of_its_own_with_what_its_model_drew(
    dashboard_database: Database, owner_database: Database, clinics: Clinics, settings: Settings
):
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, clinics.site_id)
        scan_id = make_volume_scan(session, open_blob_store(settings), site, is_abstained=True).id

    def found(p_usable: float, token: str = clinics.manager) -> dict[ExampleSet, list[int]]:
        with session_scope(owner_database) as session:
            assessment = session.get_one(tables.Assessment, session.get_one(tables.Scan, scan_id).assessment_id)
            assessment.probabilities = {"not usable": 1 - p_usable, "usable": p_usable}
        sets = (ExampleSet.TYPICAL, ExampleSet.BORDERLINE)
        pages = {each: look(dashboard_database, token, kind=ScanKind.VOLUME, wanted=each).items for each in sets}
        assert all(BORDERS in item.pictures for items in pages.values() for item in items)
        return {each: [item.scan_id for item in items] for each, items in pages.items()}

    assert found(1.0) == {ExampleSet.TYPICAL: [scan_id], ExampleSet.BORDERLINE: []}
    assert found(0.55) == {ExampleSet.TYPICAL: [], ExampleSet.BORDERLINE: [scan_id]}
    assert found(1.0, clinics.stranger) == {ExampleSet.TYPICAL: [], ExampleSet.BORDERLINE: []}
