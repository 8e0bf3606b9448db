"""Subscriptions and deliveries on the real database: whose they are, and that a parcel is claimed by one keeper."""

from datetime import timedelta

import pytest
from access_world import World, make_world
from alert_world import NOON
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database.session import Database, session_scope
from core.database.tables import Alert, AlertDelivery, Site
from core.errors import NotAllowedError
from core.store.alert import Event, open_alerts
from core.store.alert_delivery import (
    Planned,
    add_deliveries,
    add_subscription,
    claim_parcels,
    read_latest_sendings,
    read_subscriptions,
    record_not_sent,
)
from core.vocabulary import AlertChannel, AlertKind, AlertPace, DeliveryState

AT_ONCE = {AlertKind.OVERDUE: AlertPace.AT_ONCE}


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


def subscribe(owner: Database, world: World, name: str) -> int:
    with session_scope(owner) as session:
        return add_subscription(
            session, user_id=world.users[name], study_id=world.study_id, channel=AlertChannel.EMAIL, wanted=AT_ONCE
        )


def plan(worker: Database, world: World, subscription_id: int, n: int = 1) -> None:
    """``n`` alerts, each to be told to the subscription at noon."""
    events = [Event(world.study_id, world.a, AlertKind.OVERDUE, f"request:{each}", {}) for each in range(n)]
    with session_scope(worker) as session:
        opened = open_alerts(session, events, since=NOON)
        add_deliveries(session, [Planned(world.study_id, each, subscription_id, NOON) for each in opened])


def test_nobody_subscribes_for_another_or_in_a_study_without_a_role(
    world: World, owner_database: Database, dashboard_database: Database
) -> None:
    with session_scope(owner_database) as session:
        other_study = session.scalars(select(Site.study_id).where(Site.id == world.elsewhere)).one()
    own, other = world.users["manager"], world.users["qc"]
    for user_id, study_id in ((other, world.study_id), (own, other_study)):
        with (
            pytest.raises(NotAllowedError),
            session_scope(dashboard_database, token=world.tokens["manager"]) as session,
        ):
            add_subscription(session, user_id=user_id, study_id=study_id, channel=AlertChannel.EMAIL, wanted=AT_ONCE)


def test_subscriptions_and_deliveries_are_their_person_s_alone(
    world: World, owner_database: Database, worker_database: Database, dashboard_database: Database
) -> None:
    subscription_id = subscribe(owner_database, world, "manager")
    plan(worker_database, world, subscription_id)
    for name, expected in (("manager", [subscription_id]), ("admin", []), ("global", [])):
        with session_scope(dashboard_database, token=world.tokens[name]) as session:
            assert [each.id for each in read_subscriptions(session)] == expected, name
            assert list(read_latest_sendings(session)) == expected, name


def test_a_parcel_is_claimed_by_one_keeper_and_again_after_its_pause(
    world: World, owner_database: Database, worker_database: Database
) -> None:
    plan(worker_database, world, subscribe(owner_database, world, "manager"), n=3)
    with session_scope(worker_database) as first, session_scope(worker_database) as second:
        (parcel,) = claim_parcels(first, at=NOON, limit=10)
        assert claim_parcels(second, at=NOON, limit=10) == ()
    assert (len(parcel.deliveries), parcel.attempt) == (3, 1)
    with session_scope(worker_database) as session:
        assert claim_parcels(session, at=NOON + timedelta(seconds=59), limit=10) == ()
        (again,) = claim_parcels(session, at=NOON + timedelta(minutes=1), limit=10)
    assert (again.deliveries, again.attempt) == (parcel.deliveries, 2)


def test_pauses_between_tries_grow_fourfold(world: World, owner_database: Database, worker_database: Database) -> None:
    plan(worker_database, world, subscribe(owner_database, world, "manager"))
    moment, pauses = NOON, []
    for _ in range(5):
        with session_scope(worker_database) as session:
            (parcel,) = claim_parcels(session, at=moment, limit=1)
            record_not_sent(session, parcel.deliveries.values(), why="silent", is_final=False)
        with session_scope(owner_database) as session:
            due_at = session.scalars(select(AlertDelivery.due_at)).one()
        pauses.append((due_at - moment) / timedelta(minutes=1))
        moment = due_at
    assert pauses == [1, 4, 16, 64, 256]


def test_one_subject_has_one_open_alert_and_may_have_another_after_its_end(
    world: World, owner_database: Database, worker_database: Database
) -> None:
    event = Event(world.study_id, world.a, AlertKind.UNIT, "site:1", {})
    with session_scope(worker_database) as session:
        open_alerts(session, [event], since=NOON)
    with pytest.raises(IntegrityError), session_scope(worker_database) as session:
        open_alerts(session, [event], since=NOON)
    with session_scope(owner_database) as session:
        session.scalars(select(Alert)).one().ended_at = NOON
    with session_scope(worker_database) as session:
        open_alerts(session, [event], since=NOON + timedelta(hours=1))


def test_a_person_sees_why_the_latest_was_not_sent(
    world: World, owner_database: Database, worker_database: Database, dashboard_database: Database
) -> None:
    subscription_id = subscribe(owner_database, world, "manager")
    plan(worker_database, world, subscription_id)
    with session_scope(worker_database) as session:
        (parcel,) = claim_parcels(session, at=NOON, limit=1)
        record_not_sent(
            session, parcel.deliveries.values(), why="The mail server refuses the mail (451).", is_final=True
        )
    with session_scope(dashboard_database, token=world.tokens["manager"]) as session:
        sending = read_latest_sendings(session)[subscription_id]
    assert (sending.state, sending.error) == (DeliveryState.FAILED, "The mail server refuses the mail (451).")
