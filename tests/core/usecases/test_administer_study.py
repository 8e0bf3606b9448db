"""An administrator sets up a study through the dashboard's own role, so row-level security is part of every test."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from builders import make_member, make_site, make_study, unique
from calibrations import make_calibration
from scored_scans import make_scored_capture
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.database.tables import Annotation, AuditEvent, ModelVersion, Site
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.policy.protocol import Protocol
from core.settings import Settings
from core.storage import open_blob_store
from core.store import administration as store
from core.store.access import PROGRAM, Actor, current_actor
from core.store.model_version import read_last_model
from core.usecases import administer_study as admin
from core.vocabulary import Role

AMENDED_AT = datetime(2026, 5, 4, tzinfo=UTC)


@contextmanager
def signed_in(database: Database, token: str) -> Iterator[tuple[Session, Actor]]:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        assert actor is not None
        yield session, actor


@pytest.fixture
def admin_token(owner_database: Database) -> str:
    with session_scope(owner_database) as session:
        return make_member(session, Role.ADMIN)[1]


@pytest.fixture
def study_id(owner_database: Database) -> int:
    with session_scope(owner_database) as session:
        return admin.add_study(session, actor=PROGRAM, code=unique("ST"), name="A study")


@pytest.fixture
def site_id(owner_database: Database, study_id: int) -> int:
    with session_scope(owner_database) as session:
        return admin.add_site(session, actor=PROGRAM, study_id=study_id, code="S1", name="Clinic one")


def add_device(session: Session, actor: Actor, site_id: int, **changes: str) -> int:
    values = {
        "code": "S1-A",
        "manufacturer": "Optovue",
        "model": "AngioVue",
        "serial": "SN1",
        "software_version": "2.0",
    }
    return admin.add_device(session, actor=actor, site_id=site_id, **values | changes)


def test_an_administrator_sets_up_a_whole_study(dashboard_database: Database, admin_token: str):
    with signed_in(dashboard_database, admin_token) as (session, actor):
        study_id = admin.add_study(session, actor=actor, code="NEW", name="New study")
    with signed_in(dashboard_database, admin_token) as (session, actor):
        site_id = admin.add_site(session, actor=actor, study_id=study_id, code="S1", name="Clinic", country="CH")
    with signed_in(dashboard_database, admin_token) as (session, actor):
        add_device(session, actor, site_id)
        admin.add_technician(session, actor=actor, site_id=site_id, code="T01")
    with signed_in(dashboard_database, admin_token) as (session, _):
        study = store.find_study(session, "NEW")
        assert study is not None
        assert (study.name, study.n_sites) == ("New study", 1)
        assert [site.country for site in store.list_sites(session, study_id)] == ["CH"]
        assert [device.site_code for device in store.list_devices(session, study_id)] == ["S1"]
        assert [technician.code for technician in store.list_technicians(session, study_id)] == ["T01"]


def test_a_new_study_has_the_default_protocol_as_version_one(owner_database: Database, study_id: int):
    with session_scope(owner_database) as session:
        (version,) = store.list_protocol_versions(session, study_id)
    assert version.number == 1
    assert Protocol.model_validate(version.document) == Protocol.default()


def test_a_changed_protocol_is_the_next_version_and_a_mark_on_the_trends(
    owner_database: Database, dashboard_database: Database, admin_token: str, study_id: int
):
    changed = Protocol(visit_window_days=14)
    with signed_in(dashboard_database, admin_token) as (session, actor):
        admin.publish_protocol(
            session, actor=actor, study_id=study_id, protocol=changed, note="Shorter window", effective_at=AMENDED_AT
        )
    with session_scope(owner_database) as session:
        newest, first = store.list_protocol_versions(session, study_id)
        mark = session.query(Annotation).filter_by(study_id=study_id).one()
        assert (newest.number, first.number) == (2, 1)
        assert Protocol.model_validate(newest.document) == changed
        assert (mark.kind, mark.text, mark.happened_at) == ("protocol amendment", "Shorter window", AMENDED_AT)


def test_a_protocol_that_changes_nothing_is_refused(owner_database: Database, study_id: int):
    with session_scope(owner_database) as session, pytest.raises(UsageError, match="Nothing differs from version 1"):
        admin.publish_protocol(session, actor=PROGRAM, study_id=study_id, protocol=Protocol.default(), note="Same")


def test_a_protocol_version_needs_a_note(owner_database: Database, study_id: int):
    with session_scope(owner_database) as session, pytest.raises(UsageError, match="needs a note"):
        admin.publish_protocol(session, actor=PROGRAM, study_id=study_id, protocol=Protocol(inherit=True), note=" ")


def test_a_taken_code_is_named_and_the_transaction_goes_on(owner_database: Database, study_id: int, site_id: int):
    with session_scope(owner_database) as session:
        with pytest.raises(UsageError, match="site code S1 is already taken"):
            admin.add_site(session, actor=PROGRAM, study_id=study_id, code="S1", name="Another")
        admin.add_site(session, actor=PROGRAM, study_id=study_id, code="S2", name="Another")
    with session_scope(owner_database) as session:
        assert [site.code for site in store.list_sites(session, study_id)] == ["S1", "S2"]


@pytest.mark.parametrize("code", ["", "two words", "a/b", "-x", "x" * 33, "Zürich"])
def test_a_malformed_code_is_refused(owner_database: Database, study_id: int, code: str):
    with session_scope(owner_database) as session, pytest.raises(UsageError, match="is no code"):
        admin.add_site(session, actor=PROGRAM, study_id=study_id, code=code, name="Clinic")


def test_a_software_update_is_kept_with_the_device_and_marked(owner_database: Database, site_id: int):
    with session_scope(owner_database) as session:
        device_id = add_device(session, PROGRAM, site_id)
        admin.record_software_update(
            session, actor=PROGRAM, device_id=device_id, software_version="2.1", happened_at=AMENDED_AT
        )
    with session_scope(owner_database) as session:
        mark = session.query(Annotation).filter_by(device_id=device_id).one()
        assert mark.text == "S1-A: software 2.0 → 2.1"
        assert mark.site_id == site_id
        with pytest.raises(UsageError, match="no new software version"):
            admin.record_software_update(session, actor=PROGRAM, device_id=device_id, software_version="2.1")


def test_an_administrator_of_one_study_cannot_touch_another(owner_database: Database, dashboard_database: Database):
    with session_scope(owner_database) as session:
        own, other = make_study(session), make_study(session)
        other_site = make_site(session, other)
        token = make_member(session, Role.ADMIN, study=own)[1]
        own_id, other_id, other_site_id = own.id, other.id, other_site.id
    with signed_in(dashboard_database, token) as (session, actor):
        admin.add_site(session, actor=actor, study_id=own_id, code="S9", name="Clinic")
        with pytest.raises(NotAllowedError, match="this study"):
            admin.add_site(session, actor=actor, study_id=other_id, code="S9", name="Clinic")
        with pytest.raises(NotAllowedError, match="all studies"):
            admin.add_study(session, actor=actor, code="MINE", name="Mine")
        with pytest.raises(NotFoundError):
            add_device(session, actor, other_site_id)


def test_a_technician_can_add_nothing_and_the_database_says_so_too(
    owner_database: Database, dashboard_database: Database, study_id: int, site_id: int
):
    with session_scope(owner_database) as session:
        study = session.get_one(store.Study, study_id)
        token = make_member(session, Role.QC_TECHNICIAN, study=study)[1]
    with signed_in(dashboard_database, token) as (session, actor), pytest.raises(NotAllowedError):
        admin.add_technician(session, actor=actor, site_id=site_id, code="T9")
    with (
        pytest.raises(Exception, match=r"row-level security|permission denied"),
        signed_in(dashboard_database, token) as (session, _),
    ):
        store.insert_technician(session, site_id=site_id, code="T9", name="", user_id=None)


def test_every_change_leaves_an_event_with_its_author(owner_database: Database, study_id: int, site_id: int):
    with session_scope(owner_database) as session:
        add_device(session, PROGRAM, site_id)
    with session_scope(owner_database) as session:
        events = session.query(AuditEvent).filter_by(study_id=study_id).order_by(AuditEvent.id).all()
        assert [event.action for event in events] == ["add_study", "publish_protocol", "add_site", "add_device"]
        assert events[-1].after["serial"] == "SN1"


def test_a_level_that_the_model_in_use_cannot_vouch_for_is_refused(
    dashboard_database: Database, owner_database: Database, admin_token: str, site_id: int, settings: Settings
):
    with session_scope(owner_database) as session:
        site = session.get_one(Site, site_id)
        study_id = site.study_id
        make_scored_capture(session, open_blob_store(settings), site)
        model = session.scalars(select(ModelVersion)).one()
        model.card = {"calibration": make_calibration(60).model_dump(mode="json")}
    with signed_in(dashboard_database, admin_token) as (session, actor):
        asked = {"actor": actor, "study_id": study_id, "note": "Amendment"}
        with pytest.raises(UsageError, match=r"60 calibration scans.*99 scans or more"):
            admin.publish_protocol(session, protocol=Protocol(conformal_level=0.01, inherit=True), **asked)
        assert admin.publish_protocol(session, protocol=Protocol(conformal_level=0.02), **asked)
        last = read_last_model(session)
        assert last is not None
        assert last.name == model.name


def test_before_anything_was_scored_every_level_may_be_published(
    dashboard_database: Database, admin_token: str, study_id: int
):
    with signed_in(dashboard_database, admin_token) as (session, actor):
        assert read_last_model(session) is None
        protocol = Protocol(conformal_level=0.001)
        assert admin.publish_protocol(session, actor=actor, study_id=study_id, protocol=protocol, note="Strict")
