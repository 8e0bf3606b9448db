"""Images that two sites sent: seen by whoever may see both sites, and by nobody else, not even by the questions asked."""

from dataclasses import dataclass

import pytest
from builders import make_acquisition, make_blob, make_grant, make_member, make_scan, make_site, make_study
from sqlalchemy import event

from core.database import tables
from core.database.session import Database, session_scope
from core.store.same_image import SharedImage, read_same_image, read_shared_images
from core.store.scan_filter import ScanFilter
from core.store.scan_view import read_scan
from core.vocabulary import Role


@dataclass(frozen=True)
class Pair:
    """One image sent by two sites of a study, and one of each site's own."""

    image: str
    site_id: int
    other_site_id: int
    study_id: int
    scan_id: int
    other_scan_id: int
    tokens: dict[str, str]


@pytest.fixture
def pair(owner_database: Database) -> Pair:
    with session_scope(owner_database) as session:
        study = make_study(session)
        here, there = make_site(session, study), make_site(session, study)
        blob = make_blob(session)
        mine, other = make_scan(session, here, blob=blob), make_scan(session, there, blob=blob)
        for site in (here, there):
            make_scan(session, site)
        of_both, of_both_token = make_member(session, Role.SITE_TECHNICIAN, site=here)
        make_grant(session, of_both, Role.SITE_TECHNICIAN, site=there)
        tokens = {
            "manager": make_member(session, Role.MANAGER, study=study)[1],
            "reviewer": make_member(session, Role.QC_TECHNICIAN, study=study)[1],
            "here": make_member(session, Role.SITE_TECHNICIAN, site=here)[1],
            "there": make_member(session, Role.SITE_TECHNICIAN, site=there)[1],
            "both": of_both_token,
            "elsewhere": make_member(session, Role.MANAGER, study=make_study(session))[1],
        }
        return Pair(blob.sha256, here.id, there.id, study.id, mine.id, other.id, tokens)


def shared(database: Database, token: str, **chosen: int) -> tuple[SharedImage, ...]:
    with session_scope(database, token=token) as session:
        return read_shared_images(session, ScanFilter(**chosen))


@pytest.mark.parametrize("person", ["manager", "reviewer", "both"])
def test_who_may_see_both_sites_sees_the_other_scan(dashboard_database: Database, pair: Pair, person: str) -> None:
    with session_scope(dashboard_database, token=pair.tokens[person]) as session:
        view = read_scan(session, pair.scan_id)
    assert view is not None
    assert [(sent.scan_id, sent.site_id) for sent in view.same_image] == [(pair.other_scan_id, pair.other_site_id)]
    (image,) = shared(dashboard_database, pair.tokens[person])
    assert image.image_sha256 == pair.image
    assert [sent.scan_id for sent in image.scans] == [pair.scan_id, pair.other_scan_id]


@pytest.mark.parametrize("person", ["here", "there", "elsewhere"])
def test_who_may_see_one_site_or_none_of_them_sees_nothing(
    dashboard_database: Database, pair: Pair, person: str
) -> None:
    assert shared(dashboard_database, pair.tokens[person]) == ()
    with session_scope(dashboard_database, token=pair.tokens[person]) as session:
        for scan_id in (pair.scan_id, pair.other_scan_id):
            view = read_scan(session, scan_id)
            assert view is None or view.same_image == ()
        for site_id in (pair.site_id, pair.other_site_id):
            own = site_id == {"here": pair.site_id, "there": pair.other_site_id}.get(person)
            assert not own or read_same_image(session, pair.image, own_site_id=site_id) == ()


def test_for_a_person_of_one_site_the_scans_are_not_even_asked(dashboard_database: Database, pair: Pair) -> None:
    asked: list[str] = []

    def listen(_connection, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    event.listen(dashboard_database.engine, "before_cursor_execute", listen)
    try:
        with session_scope(dashboard_database, token=pair.tokens["here"]) as session:
            assert read_same_image(session, pair.image, own_site_id=pair.site_id) == ()
            assert read_shared_images(session, ScanFilter()) == ()
    finally:
        event.remove(dashboard_database.engine, "before_cursor_execute", listen)
    assert len(asked) == 3, "the scope, and one question for the sites each"
    assert not [statement for statement in asked if "scan" in statement.lower()]


def test_study_and_site_narrow_the_list_and_each_image_stays_whole(
    dashboard_database: Database, owner_database: Database, pair: Pair
) -> None:
    with session_scope(owner_database) as session:
        third = make_site(session, session.get_one(tables.Study, pair.study_id)).id
    token = pair.tokens["manager"]
    for chosen in ({"site_id": pair.site_id}, {"site_id": pair.other_site_id}, {"study_id": pair.study_id}):
        (image,) = shared(dashboard_database, token, **chosen)
        assert len(image.scans) == 2
    assert shared(dashboard_database, token, site_id=third) == ()
    assert shared(dashboard_database, token, study_id=pair.study_id + 1000) == ()


def test_the_latest_images_come_first_up_to_the_limit(
    dashboard_database: Database, owner_database: Database, pair: Pair
) -> None:
    with session_scope(owner_database) as session:
        newer = make_blob(session)
        for site_id in (pair.site_id, pair.other_site_id):
            site = session.get_one(tables.Site, site_id)
            make_scan(session, site, acquisition=make_acquisition(session, site), blob=newer)
        sha256 = newer.sha256
    token = pair.tokens["manager"]
    assert [image.image_sha256 for image in shared(dashboard_database, token)] == [sha256, pair.image]
    with session_scope(dashboard_database, token=token) as session:
        (image,) = read_shared_images(session, ScanFilter(), limit=1)
    assert image.image_sha256 == sha256
