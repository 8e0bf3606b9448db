"""A manager marks what happened and takes a mark back; models and new technicians mark themselves; refusals say why."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from access_world import World, make_world
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import Annotation, AuditEvent, Device, ModelVersion
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, OctauditError, UsageError
from core.store.access import Actor, current_actor
from core.store.mark import MarkKind, read_marks
from core.store.scan_filter import ScanFilter
from core.usecases.administer_study import add_site, add_technician
from core.usecases.annotate_event import annotate_event, withdraw_annotation

TODAY = now().date()


class Office:
    """The world of access_world, and people who act in it through the dashboard's role."""

    def __init__(self, owner: Database, dashboard: Database, world: World) -> None:
        self.owner, self.dashboard, self.world = owner, dashboard, world

    @contextmanager
    def person(self, name: str) -> Iterator[tuple[Session, Actor]]:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            actor = current_actor(session)
            assert actor is not None
            yield session, actor

    def mark(self, name: str = "manager", **changes: object) -> int:
        values = {"study_id": self.world.study_id, "happened_on": TODAY, "kind": MarkKind.NOTE, "text": "A new lamp."}
        with self.person(name) as (session, actor):
            return annotate_event(session, actor=actor, **values | changes)  # type: ignore[arg-type]

    def withdraw(self, mark_id: int, name: str = "manager", reason: str = "Wrong site.") -> None:
        with self.person(name) as (session, actor):
            withdraw_annotation(session, actor=actor, mark_id=mark_id, reason=reason)

    def texts(self, name: str, **chosen: object) -> list[str]:
        with self.person(name) as (session, _):
            return [mark.text for mark in read_marks(session, ScanFilter(**chosen))]  # type: ignore[arg-type]


@pytest.fixture
def office(owner_database: Database, dashboard_database: Database) -> Office:
    return Office(owner_database, dashboard_database, make_world(owner_database))


def test_marks_of_study_site_and_device_are_seen_where_they_belong_until_they_are_withdrawn(office: Office) -> None:
    with session_scope(office.owner) as session:
        device = session.scalars(select(Device).where(Device.site_id == office.world.a)).one()
    office.mark(text="study")
    here = office.mark(text="here", site_id=office.world.a)
    office.mark(text="device", device_id=device.id, kind=MarkKind.SERVICE)
    office.mark(text="there", site_id=office.world.b)
    of_device = f"{device.code}: device"
    assert office.texts("manager") == ["study", "here", of_device, "there"]
    assert office.texts("technician") == ["study", "here", of_device]
    assert office.texts("manager", site_id=office.world.b) == ["study", "there"]
    office.withdraw(here)
    assert office.texts("manager") == ["study", of_device, "there"]
    with pytest.raises(IllegalMoveError, match="withdrawn before"):
        office.withdraw(here)
    with session_scope(office.owner) as session:
        events = session.execute(select(AuditEvent.action, AuditEvent.reason).order_by(AuditEvent.id)).all()
        assert session.get_one(Annotation, here).text == "here", "the row stays"
    assert [tuple(event) for event in events][-2:] == [("mark.add", "there"), ("mark.withdraw", "Wrong site.")]


def test_what_cannot_be_marked_is_refused_with_the_reason(office: Office) -> None:
    elsewhere = office.world.elsewhere
    refusals: list[tuple[str, dict[str, object], type[OctauditError], str]] = [
        ("manager", {"text": " "}, UsageError, "has no text"),
        ("manager", {"happened_on": TODAY + timedelta(days=1)}, UsageError, "has not come yet"),
        ("manager", {"kind": MarkKind.MODEL}, UsageError, "marked by itself"),
        ("manager", {"site_id": elsewhere}, NotFoundError, "no site"),
        ("qc", {}, NotAllowedError, "manager of the whole study"),
        ("technician", {"site_id": office.world.a}, NotAllowedError, "Only a manager of this site"),
    ]
    for name, changes, error, words in refusals:
        with pytest.raises(error, match=words):
            office.mark(name, **changes)
    mark_id = office.mark(site_id=office.world.a)
    for name, error in (("technician", NotAllowedError), ("qc", NotAllowedError)):
        with pytest.raises(error):
            office.withdraw(mark_id, name)
    with pytest.raises(UsageError, match="Why"):
        office.withdraw(mark_id, reason=" ")
    with pytest.raises(NotFoundError):
        office.withdraw(10**9)


def test_by_raw_sql_no_mark_is_rewritten_and_none_withdrawn_by_who_does_not_manage_it(office: Office) -> None:
    office.mark(text="here", site_id=office.world.a)
    with office.person("qc") as (session, _):
        gone = session.scalars(update(Annotation).values(withdrawn_at=func.now()).returning(Annotation.id)).all()
    assert gone == []
    with pytest.raises(NotAllowedError, match="permission denied"), office.person("manager") as (session, _):
        session.execute(update(Annotation).values(text="other"))


def test_a_later_version_of_a_model_marks_itself_and_the_first_does_not(office: Office) -> None:
    with session_scope(office.owner) as session:
        for days, version in ((3, "2.0"), (1, "2.1")):
            session.add(
                ModelVersion(
                    name="octa-enface", version=version, weights_sha256=f"{days:064}", preprocessing="1", card={},
                    created_at=now() - timedelta(days=days),
                )
            )  # fmt: skip
    assert office.texts("manager") == ["octa-enface: 2.0 → 2.1"]
    assert office.texts("manager", since=TODAY) == []
    with office.person("manager") as (session, _):
        (mark,) = read_marks(session, ScanFilter())
    assert (mark.kind, mark.id) == (MarkKind.MODEL, None)


def test_a_technician_who_joins_a_working_site_is_marked_and_one_of_a_new_site_is_not(office: Office) -> None:
    with office.person("admin") as (session, actor):
        new_site = add_site(session, actor=actor, study_id=office.world.study_id, code="NEW", name="New clinic")
        add_technician(session, actor=actor, site_id=new_site, code="T1")
        add_technician(session, actor=actor, site_id=office.world.a, code="T2")
    assert office.texts("manager") == ["T2 is added"]
