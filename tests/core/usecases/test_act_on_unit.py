"""An action is opened and closed by who manages the site, along its states, and every refusal says why."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import product

import pytest
from access_world import make_world
from builders import make_acquisition, make_technician
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.database.tables import Acquisition, Action, ActionStep, Alert, AuditEvent, Device, Site, Technician
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.settings import Settings
from core.store.access import Actor, current_actor
from core.store.action import ActionRow, list_people, read_action, read_open_actions, taken_while_suspended
from core.store.alert import read_open_alerts
from core.store.unit import UnitKind
from core.usecases.act_on_unit import (
    MOVES,
    assign_retraining,
    drop_action,
    finish_action,
    open_issue,
    refuse_illegal_close,
    suspend_device,
)
from core.usecases.raise_alerts import Raised, raise_alerts
from core.vocabulary import ActionKind, ActionState, AlertKind

DUE = now().date() + timedelta(days=14)


class Office:
    """The world, and people who act in it through the dashboard's role."""

    def __init__(self, owner: Database, dashboard: Database) -> None:
        self.owner, self.dashboard, self.world = owner, dashboard, make_world(owner)

    @contextmanager
    def person(self, name: str) -> Iterator[tuple[Session, Actor]]:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            actor = current_actor(session)
            assert actor is not None
            yield session, actor

    def issue(self, name: str = "manager", site: str = "a", **changes: object) -> int:
        values = {
            "kind": UnitKind.SITE, "unit_key": str(getattr(self.world, site)), "due_on": DUE,
            "text": "Switch eye tracking on.", "owner_id": self.world.users["manager"],
        }  # fmt: skip
        with self.person(name) as (session, actor):
            return open_issue(session, actor=actor, **values | changes)  # type: ignore[arg-type]

    def retraining(self, technician_id: int, owner: str = "manager") -> int:
        with self.person("manager") as (session, actor):
            return assign_retraining(
                session, actor=actor, technician_id=technician_id, text="Fixation course.",
                owner_id=self.world.users[owner], due_on=DUE,
            )  # fmt: skip

    def device(self, site_id: int) -> int:
        with session_scope(self.owner) as session:
            return session.scalars(select(Device.id).where(Device.site_id == site_id)).one()

    def suspend(self, device_id: int, name: str = "manager", reason: str = "No calibration record.") -> int:
        with self.person(name) as (session, actor):
            return suspend_device(session, actor=actor, device_id=device_id, reason=reason)

    def close(self, verb: Callable[..., ActionRow], action_id: int, words: str, name: str = "manager") -> None:
        with self.person(name) as (session, actor):
            key = "evidence" if verb is finish_action else "reason"
            verb(session, actor=actor, action_id=action_id, **{key: words})

    def technician(self, user: str | None = None) -> int:
        with session_scope(self.owner) as session:
            site = session.get_one(Site, self.world.a)
            user_id = self.world.users[user] if user else None
            return make_technician(session, site, user_id=user_id).id

    def seen(self, name: str) -> set[int]:
        with self.person(name) as (session, _):
            return {action.id for action in read_open_actions(session, study_id=None)}


@pytest.fixture
def office(owner_database: Database, dashboard_database: Database) -> Office:
    return Office(owner_database, dashboard_database)


def test_an_issue_is_opened_solved_and_kept_with_its_steps_and_events(office: Office) -> None:
    action_id = office.issue()
    office.close(finish_action, action_id, "Tracking is on since today.")
    with session_scope(office.owner) as session:
        row = session.get_one(Action, action_id)
        steps = session.scalars(select(ActionStep).order_by(ActionStep.number)).all()
        events = session.scalars(select(AuditEvent).where(AuditEvent.entity == "action").order_by(AuditEvent.id)).all()
    assert (row.state, row.site_id, row.due_on, row.closed_at is None) == ("done", office.world.a, DUE, False)
    assert [(step.number, step.state, step.note) for step in steps] == [
        (1, "open", "Switch eye tracking on."), (2, "done", "Tracking is on since today."),
    ]  # fmt: skip
    assert [(event.action, event.actor_id, event.reason) for event in events] == [
        ("issue.open", office.world.users["manager"], "Switch eye tracking on."),
        ("issue.done", office.world.users["manager"], "Tracking is on since today."),
    ]


def test_who_does_not_manage_a_site_neither_opens_nor_closes_its_actions(office: Office) -> None:
    action_id = office.issue()
    for name in ("technician", "qc", "adjudicator", "grader"):
        with pytest.raises((NotAllowedError, NotFoundError)):
            office.issue(name)
        with pytest.raises((NotAllowedError, NotFoundError)):
            office.close(finish_action, action_id, "Done.", name)


def test_nobody_acts_on_a_site_of_another_study(office: Office) -> None:
    with pytest.raises(NotFoundError, match="There is no site"):
        office.issue(site="elsewhere")
    with pytest.raises(NotFoundError, match="There is no device"):
        office.suspend(office.device(office.world.elsewhere))
    with pytest.raises(NotFoundError, match="There is no action"):
        office.close(finish_action, 10**9, "Nothing.")


def test_an_issue_without_what_it_needs_is_refused_in_words(office: Office) -> None:
    refusals: list[tuple[dict[str, object], str]] = [
        ({"text": "  "}, "has no text"),
        ({"due_on": now().date() - timedelta(days=1)}, "has passed"),
        ({"owner_id": 10**9}, "no role at that site"),
        ({"kind": UnitKind.MODEL, "unit_key": "AngioVue"}, "Choose the site"),
    ]
    for changes, words in refusals:
        with pytest.raises(UsageError) as refused:
            office.issue(**changes)
        assert words in str(refused.value)


def test_an_issue_about_a_software_version_is_opened_with_one_site(office: Office) -> None:
    action_id = office.issue(kind=UnitKind.SOFTWARE, unit_key="AngioVue|7.1", site_id=office.world.b)
    with office.person("manager") as (session, _):
        found = read_action(session, action_id)
    assert found is not None
    assert (found.unit_label, found.site_id) == ("AngioVue · 7.1", office.world.b)


@pytest.mark.parametrize(("kind", "state", "wanted"), list(product(ActionKind, ActionState, ActionState)))
def test_every_end_that_is_not_in_the_table_is_refused_with_the_reason(
    kind: ActionKind, state: ActionState, wanted: ActionState
) -> None:
    row = ActionRow(
        1, 1, "RET-1", 1, "S01", kind, UnitKind.SITE, "1", "S01", None, "text", "Maria", DUE, state, "Maria", now(),
        None if state is ActionState.OPEN else now(), "It was solved.",
    )  # fmt: skip
    if wanted in MOVES[kind][state]:
        refuse_illegal_close(row, wanted)
        return
    with pytest.raises(IllegalMoveError) as refused:
        refuse_illegal_close(row, wanted)
    assert ("not dropped" if state is ActionState.OPEN else "It was solved.") in str(refused.value)


def test_what_is_closed_stays_closed_and_a_reason_is_asked_for(office: Office) -> None:
    action_id = office.issue()
    for verb, words in ((finish_action, "Say what was done"), (drop_action, "Write the reason")):
        with pytest.raises(UsageError) as refused:
            office.close(verb, action_id, " ")
        assert words in str(refused.value)
    office.close(drop_action, action_id, "The site has left the study.")
    for verb in (finish_action, drop_action):
        with pytest.raises(IllegalMoveError, match=r"is dropped since .* The site has left the study"):
            office.close(verb, action_id, "Again.")


def test_a_device_is_suspended_once_at_a_time_and_lifted_with_a_reason(office: Office) -> None:
    device_id = office.device(office.world.a)
    first = office.suspend(device_id)
    with pytest.raises(IllegalMoveError, match="is suspended since"):
        office.suspend(device_id)
    with pytest.raises(IllegalMoveError, match="not dropped"):
        office.close(drop_action, first, "Never mind.")
    office.close(finish_action, first, "Calibrated today.")
    assert office.suspend(device_id) != first


def test_scans_of_a_suspended_device_are_marked_for_as_long_as_it_lasted(office: Office) -> None:
    device_id = office.device(office.world.a)
    action_id = office.suspend(device_id)
    office.close(finish_action, action_id, "Calibrated.")
    with session_scope(office.owner) as session:
        began = session.get_one(Action, action_id).created_at
        session.execute(update(Action).values(closed_at=began + timedelta(days=10)))
        site, device = session.get_one(Site, office.world.a), session.get_one(Device, device_id)
        days = {
            make_acquisition(session, site, device=device, acquired_at=began + timedelta(days=day)).id: day
            for day in (-1, 1, 9, 11)
        }
    with office.person("technician") as (session, _):
        marked = session.scalars(select(Acquisition.id).where(taken_while_suspended())).all()
    assert {days[each] for each in marked} == {1, 9}


def test_a_site_s_technicians_see_what_concerns_them_and_nobody_else_s_retraining(office: Office) -> None:
    with session_scope(office.owner) as session:
        assert session.scalars(select(Technician.id)).all() == []
    own, other = office.technician("technician"), office.technician()
    issue, elsewhere = office.issue(), office.issue(site="b")
    mine, theirs = office.retraining(own), office.retraining(other)
    owned = office.retraining(other, owner="technician")
    suspended = office.suspend(office.device(office.world.a))
    assert office.seen("technician") == {issue, mine, owned, suspended}
    assert office.seen("qc_a") == {issue, mine, theirs, owned, suspended}
    assert office.seen("manager") == {issue, elsewhere, mine, theirs, owned, suspended}
    assert office.seen("grader") == set()


def test_owners_are_people_with_a_role_at_the_site_and_no_graders(office: Office) -> None:
    with office.person("manager") as (session, _):
        here, there = (
            {person.id for person in list_people(session, each)} for each in (office.world.a, office.world.b)
        )
    users = office.world.users
    everywhere = {users[name] for name in ("qc", "adjudicator", "manager", "admin", "global")}
    assert here == everywhere | {users["technician"], users["qc_a"]}
    assert there == everywhere
    with office.person("technician") as (session, _):
        assert list_people(session, office.world.a) == ()


def test_an_overdue_action_is_announced_once_and_ends_with_it(
    office: Office, worker_database: Database, settings: Settings
) -> None:
    issue, retraining = office.issue(), office.retraining(office.technician())
    office.suspend(office.device(office.world.b))
    patient = settings.model_copy(update={"alert_queue_patience": timedelta(days=36500)})
    assert raise_alerts(worker_database, patient) == Raised()
    with session_scope(office.owner) as session:
        session.execute(update(Action).where(Action.due_on.is_not(None)).values(due_on=date(2026, 1, 2)))
    rounds = [raise_alerts(worker_database, patient) for _ in range(2)]
    assert rounds == [Raised(n_opened=2), Raised()]
    seen = {}
    for name in ("technician", "qc_a", "grader"):
        with office.person(name) as (session, _):
            seen[name] = {alert.subject: alert.kind for alert in read_open_alerts(session)}
    expected = {f"action:{issue}": AlertKind.OVERDUE, f"action:{retraining}": AlertKind.RETRAINING}
    assert seen == {"technician": {f"action:{issue}": AlertKind.OVERDUE}, "qc_a": expected, "grader": {}}
    office.close(finish_action, issue, "Solved.")
    assert raise_alerts(worker_database, patient) == Raised(n_ended=1)
    with session_scope(office.owner) as session:
        assert session.scalars(select(Alert.subject).where(Alert.ended_at.is_(None))).all() == [f"action:{retraining}"]
