"""Row-level security of acknowledgements, actions and signed baselines, by raw SQL under the dashboard's role."""

import pytest
from access_world import World, make_world
from builders import make_technician
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.database.tables import Action, ActionStep, Device, FlagAcknowledgement, SignedBaseline, Site
from core.errors import NotAllowedError

TABLES = (FlagAcknowledgement, Action, ActionStep, SignedBaseline)
PLACES = ("a", "b", "elsewhere")


@pytest.fixture
def world(owner_database: Database) -> World:
    """An acknowledgement, an action with its step and a baseline at each of three sites, and one of the whole study."""
    made = make_world(owner_database)
    with session_scope(owner_database) as session:
        for place in PLACES:
            site = session.get_one(Site, getattr(made, place))
            action = Action(**action_values(made, site_id=site.id))
            session.add(action)
            session.flush()
            step = {"action_id": action.id, "site_id": site.id, "number": 1, "state": "open", "note": "x"}
            session.add(ActionStep(actor_id=made.users["manager"], **step))
            session.add(FlagAcknowledgement(**acknowledgement_values(made, study_id=site.study_id, site_id=site.id)))
            session.add(SignedBaseline(**baseline_values(made, study_id=site.study_id, site_id=site.id)))
        session.add(FlagAcknowledgement(**acknowledgement_values(made, site_id=None, unit_kind="model", unit_key="M")))
        session.add(SignedBaseline(**baseline_values(made, site_id=None, unit_kind="study", unit_key="")))
    return made


def action_values(world: World, **changes: object) -> dict[str, object]:
    site_id = changes.get("site_id", world.a)
    values = {
        "site_id": world.a, "kind": "issue", "unit_kind": "site", "unit_key": f"{site_id}", "unit_label": "S",
        "text": "Call them.", "owner_id": world.users["manager"], "due_on": "2026-04-01", "state": "open",
        "opened_by_id": world.users["manager"],
    }  # fmt: skip
    return values | changes


def acknowledgement_values(world: World, **changes: object) -> dict[str, object]:
    values = {
        "study_id": world.study_id, "site_id": world.a, "unit_kind": "site", "unit_key": f"{changes.get('site_id')}",
        "indicator": "poor", "detail": {"label": "S"}, "comment": "Seen.", "acknowledged_by_id": world.users["manager"],
    }  # fmt: skip
    return values | changes


def baseline_values(world: World, **changes: object) -> dict[str, object]:
    values = {
        "study_id": world.study_id, "site_id": world.a, "unit_kind": "site", "unit_key": f"{changes.get('site_id')}",
        "scan_type": "", "number": 1, "starts_on": "2026-01-05", "ends_on": "2026-03-01", "centre": 0.2, "sigma_z": 1.0,
        "correlation": 0.3, "design_units": 3, "design_clusters": 90, "n_points": 8, "n": 200,
        "signed_by_id": world.users["manager"], "signed_name": "Maria", "meaning": "approval", "reason": "Steady.",
    }  # fmt: skip
    return values | changes


def n_seen(session: Session) -> tuple[int, ...]:
    return tuple(session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES)


def test_each_person_sees_the_rows_of_their_sites_and_no_other(dashboard_database: Database, world: World) -> None:
    expected = {
        "manager": (3, 2, 2, 3), "qc": (3, 2, 2, 3), "qc_a": (1, 1, 1, 1), "technician": (0, 1, 1, 0),
        "grader": (0, 0, 0, 0),
    }  # fmt: skip
    seen = {}
    for name in expected:
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            seen[name] = n_seen(session)
    assert seen == expected
    with session_scope(dashboard_database, token="forged") as session:
        assert n_seen(session) == (0, 0, 0, 0)


def test_nothing_is_written_for_others_elsewhere_or_past_the_signature(
    dashboard_database: Database, world: World
) -> None:
    users = world.users
    flag = {"unit_key": "another"}
    refused: list[tuple[str, type, dict[str, object]]] = [
        ("technician", Action, {"opened_by_id": users["technician"]}),
        ("qc", Action, {"opened_by_id": users["qc"]}),
        ("manager", Action, {"site_id": world.elsewhere}),
        ("manager", Action, {"opened_by_id": users["qc"]}),
        ("manager", Action, {"state": "done", "closed_at": "2026-03-03"}),
        ("qc", FlagAcknowledgement, flag | {"acknowledged_by_id": users["qc"]}),
        ("manager", FlagAcknowledgement, flag | {"acknowledged_by_id": users["qc"]}),
        ("manager", FlagAcknowledgement, flag | {"ended_at": "2026-03-03"}),
        ("manager", SignedBaseline, {"number": 2}),
    ]
    values = {Action: action_values, FlagAcknowledgement: acknowledgement_values, SignedBaseline: baseline_values}
    for name, table, changes in refused:
        with (
            pytest.raises(NotAllowedError, match=r"row-level security|permission denied"),
            session_scope(dashboard_database, token=world.tokens[name]) as session,
        ):
            session.execute(insert(table.__table__).values(values[table](world) | changes).inline())
    with session_scope(dashboard_database, token=world.tokens["manager"]) as session:  # what is allowed is taken
        session.execute(insert(Action.__table__).values(action_values(world)).inline())
        session.execute(insert(FlagAcknowledgement.__table__).values(acknowledgement_values(world) | flag).inline())


def test_a_closed_action_cannot_be_changed_and_none_can_be_rewritten(
    owner_database: Database, dashboard_database: Database, world: World
) -> None:
    with session_scope(dashboard_database, token=world.tokens["manager"]) as session:
        ended = session.execute(update(Action).values(state="done", closed_at=func.now()).returning(Action.site_id))
        assert set(ended.scalars()) == {world.a, world.b}
    with session_scope(dashboard_database, token=world.tokens["manager"]) as session:
        again = session.execute(update(Action).values(state="dropped", closed_at=func.now()).returning(Action.id))
        assert again.all() == []
    for statement in ("update action set text = 'other'", "delete from action", "delete from flag_acknowledgement"):
        with (
            pytest.raises(NotAllowedError, match="permission denied"),
            session_scope(dashboard_database, token=world.tokens["manager"]) as session,
        ):
            session.execute(text(statement))
    for table in (ActionStep, SignedBaseline):
        with pytest.raises(DBAPIError, match="only ever added to"), owner_database.engine.begin() as connection:
            connection.execute(update(table.__table__).values(created_at=func.now()))


def test_an_action_names_no_device_or_technician_of_another_site(owner_database: Database, world: World) -> None:
    with session_scope(owner_database) as session:
        device = session.scalars(select(Device.id).where(Device.site_id == world.b)).one()
        technician = make_technician(session, session.get_one(Site, world.b)).id
    for changes in ({"device_id": device}, {"technician_id": technician}):
        with pytest.raises(DBAPIError, match="row of another site"), owner_database.engine.begin() as connection:
            connection.execute(insert(Action.__table__).values(action_values(world, **changes)))
