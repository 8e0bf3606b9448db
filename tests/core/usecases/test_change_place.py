"""Sites, devices and technicians are corrected and taken out of use by administrators, with old and new on record."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from access_world import World, make_world
from builders import make_device, make_technician
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor, current_actor
from core.store.batch import read_roster
from core.store.place import Place
from core.usecases.change_place import activate, change_place, deactivate
from core.usecases.open_batch import open_batch


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


@pytest.fixture
def device_id(owner_database: Database, world: World) -> int:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.a)
        make_device(session, site, code="OLD", serial="taken")
        return make_device(session, site, code="D1", manufacturer="Optovu", model="AngioVue", serial="1").id


@contextmanager
def signed_in(database: Database, world: World, name: str = "admin") -> Iterator[tuple[Session, Actor]]:
    with session_scope(database, token=world.tokens[name]) as session:
        actor = current_actor(session)
        assert actor is not None
        yield session, actor


def change(database: Database, world: World, place: Place, row_id: int, who: str = "admin", **values: str) -> None:
    with signed_in(database, world, who) as (session, actor):
        change_place(session, actor=actor, place=place, row_id=row_id, values=values, reason="typing error")


def event(database: Database) -> tables.AuditEvent:
    with session_scope(database) as session:
        return session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.id.desc()).limit(1)).one()


def test_a_device_is_corrected_and_the_audit_trail_has_old_and_new(
    owner_database: Database, dashboard_database: Database, world: World, device_id: int
) -> None:
    change(dashboard_database, world, Place.DEVICE, device_id, manufacturer=" Optovue ", model="AngioVue")
    with session_scope(owner_database) as session:
        assert session.get_one(tables.Device, device_id).manufacturer == "Optovue"
    told = event(owner_database)
    assert (told.action, told.entity, told.entity_id, told.site_id) == ("change_device", "device", device_id, world.a)
    assert (told.before, told.after) == ({"manufacturer": "Optovu"}, {"manufacturer": "Optovue"})
    assert (told.actor_id, told.reason) == (world.users["admin"], "typing error")


def test_a_study_and_a_site_are_renamed(owner_database: Database, dashboard_database: Database, world: World) -> None:
    change(dashboard_database, world, Place.STUDY, world.study_id, name="Renamed study")
    change(dashboard_database, world, Place.SITE, world.a, name="Renamed site", country="CH")
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.a)
        assert (session.get_one(tables.Study, world.study_id).name, site.name) == ("Renamed study", "Renamed site")
        assert site.country == "CH"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"serial": "taken"}, "The serial number taken is already taken"),
        ({"serial": " "}, "The serial number is empty"),
        ({"serial": "1"}, "Nothing differs from what is stored about D1"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(
    dashboard_database: Database, world: World, device_id: int, values: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        change(dashboard_database, world, Place.DEVICE, device_id, **values)


@pytest.mark.parametrize("name", ["technician", "qc", "grader", "manager"])
def test_nobody_but_an_administrator_changes_a_site_or_device(
    owner_database: Database, dashboard_database: Database, world: World, device_id: int, name: str
) -> None:
    for place, row_id in ((Place.SITE, world.a), (Place.DEVICE, device_id)):
        with pytest.raises((NotAllowedError, NotFoundError)):
            change(
                dashboard_database,
                world,
                place,
                row_id,
                name,
                **{"name": "x"} if place is Place.SITE else {"model": "x"},
            )
    with session_scope(owner_database) as session:
        assert session.get_one(tables.Device, device_id).model == "AngioVue"


def test_an_administrator_of_one_study_does_not_change_another(dashboard_database: Database, world: World) -> None:
    with pytest.raises(NotFoundError, match="that you may change"):
        change(dashboard_database, world, Place.SITE, world.elsewhere, name="x")


def test_a_deactivated_device_or_technician_leaves_the_roster_and_comes_back(
    owner_database: Database, dashboard_database: Database, world: World, device_id: int
) -> None:
    with session_scope(owner_database) as session:
        technician_id = make_technician(session, session.get_one(tables.Site, world.a), code="T9").id
    for place, row_id in ((Place.DEVICE, device_id), (Place.TECHNICIAN, technician_id)):
        with signed_in(dashboard_database, world) as (session, actor):
            deactivate(session, actor=actor, place=place, row_id=row_id)
        with pytest.raises(UsageError, match="is deactivated already"), signed_in(dashboard_database, world) as found:
            deactivate(found[0], actor=found[1], place=place, row_id=row_id)
    with session_scope(owner_database) as session:
        roster = read_roster(session, world.a)
        assert "D1" not in roster.device_ids
        assert "T9" not in roster.technician_ids
    with signed_in(dashboard_database, world) as (session, actor):
        activate(session, actor=actor, place=Place.DEVICE, row_id=device_id, reason="repaired")
        assert "D1" in read_roster(session, world.a).device_ids
    told = event(owner_database)
    assert (told.action, told.before, told.after) == ("activate_device", {"is_active": False}, {"is_active": True})


def test_a_deactivated_site_takes_no_batch_whoever_asks(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, world.a)
        study, code = session.get_one(tables.Study, site.study_id).code, site.code
    with signed_in(dashboard_database, world) as (session, actor):
        deactivate(session, actor=actor, place=Place.SITE, row_id=world.a)
    with (
        pytest.raises(NotAllowedError, match="was deactivated and takes no new scans"),
        signed_in(dashboard_database, world, "technician") as (session, actor),
    ):
        open_batch(session, actor=actor, study=study, site=code)
    batch = tables.Batch(site_id=world.a, receipt="R", uploaded_by_id=world.users["technician"])
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        signed_in(dashboard_database, world, "technician") as (session, _),
    ):
        session.add(batch)
