"""Who wants to be told of alerts, and the tellings: planned when an alert opens, claimed, sent, tried again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core.database.tables import AlertDelivery, AlertSubscription, Study, User
from core.vocabulary import AlertChannel, AlertKind, AlertPace, DeliveryState

FIRST_BACK_OFF = timedelta(minutes=1)
"""Wait after the first failure; each further one waits four times as long."""
_BACK_OFF_FACTOR = 4
MAX_ATTEMPTS = 6
"""The last try is made about six hours after the first."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A live subscription: the pace of each kind that is wanted. ``url`` is None for mail."""

    id: int
    user_id: int
    study_id: int
    study_code: str
    channel: AlertChannel
    wanted: Mapping[AlertKind, AlertPace]
    url: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A telling that an alert's opening asks for."""

    study_id: int
    alert_id: int
    subscription_id: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is due to one subscription, claimed: its alerts go in one message.

    ``address`` is the confirmed e-mail address or the webhook's URL, None where the person has none.
    """

    subscription_id: int
    user_id: int
    study_id: int
    channel: AlertChannel
    is_live: bool
    address: str | None
    deliveries: Mapping[int, int]
    """Delivery id by alert id."""
    attempt: int


@dataclass(frozen=True, slots=True)
class Sending:
    """How the latest telling of a subscription went, for the person who has it."""

    subscription_id: int
    state: DeliveryState
    at: datetime
    error: str | None


def read_subscriptions(session: Session) -> tuple[Subscription, ...]:
    """The live subscriptions that this session may see: a person's own, or for the worker everybody's."""
    rows = session.execute(
        select(
            AlertSubscription.id, AlertSubscription.user_id, AlertSubscription.study_id, Study.code,
            AlertSubscription.channel, AlertSubscription.wanted, AlertSubscription.url,
        )
        .join(Study, Study.id == AlertSubscription.study_id)
        .where(AlertSubscription.ended_at.is_(None))
        .order_by(AlertSubscription.id)
    )  # fmt: skip
    return tuple(
        Subscription(
            id_, user_id, study_id, study_code, AlertChannel(channel),
            {AlertKind(kind): AlertPace(pace) for kind, pace in wanted.items()}, url,
        )
        for id_, user_id, study_id, study_code, channel, wanted, url in rows
    )  # fmt: skip


def add_subscription(
    session: Session,
    *,
    user_id: int,
    study_id: int,
    channel: AlertChannel,
    wanted: Mapping[AlertKind, AlertPace],
    url: str | None = None,
) -> int:
    """Write a subscription; return its id."""
    values = {
        "user_id": user_id,
        "study_id": study_id,
        "channel": channel,
        "wanted": dict(wanted),
        "url": url,
    }
    return session.scalars(insert(AlertSubscription).values(values).returning(AlertSubscription.id)).one()


def change_subscription(session: Session, subscription_id: int, wanted: Mapping[AlertKind, AlertPace]) -> None:
    """Change what is wanted from now on."""
    session.execute(
        update(AlertSubscription).where(AlertSubscription.id == subscription_id).values(wanted=dict(wanted))
    )


def end_subscription(session: Session, subscription_id: int, *, at: datetime) -> None:
    """End a subscription: what was not sent yet will not be."""
    session.execute(update(AlertSubscription).where(AlertSubscription.id == subscription_id).values(ended_at=at))


def may_be_told(session: Session, user_id: int, *, kind: AlertKind, study_id: int, site_id: int | None) -> bool:
    """Whether a person's grants reach what an alert is about; asked by the worker, which cannot read grants."""
    values = {"user_id": user_id, "kind": kind.value, "study_id": study_id, "site_id": site_id}
    return bool(session.scalar(text("select may_be_told(:user_id, :kind, :study_id, :site_id)"), values))


def add_deliveries(session: Session, planned: Sequence[Planned]) -> None:
    """Write what is to be told."""
    if planned:
        rows = [
            {
                "study_id": each.study_id,
                "alert_id": each.alert_id,
                "subscription_id": each.subscription_id,
                "due_at": each.due_at,
            }
            for each in planned
        ]
        session.execute(insert(AlertDelivery), rows)


def claim_parcels(session: Session, *, at: datetime, limit: int) -> tuple[Parcel, ...]:
    """Claim what is due, up to ``limit`` parcels, the longest due first.

    What was tried equally often goes to a subscription together, so that a message is the same at every try and a new
    alert has all its tries. A claim counts as an attempt and puts the next one off: a keeper that dies while it sends
    leaves them to be tried again, and no second keeper sends the same meanwhile.
    """
    group = (AlertDelivery.subscription_id, AlertDelivery.attempts)
    due = (
        select(*group)
        .where(AlertDelivery.state == DeliveryState.WAITING, AlertDelivery.due_at <= at)
        .group_by(*group)
        .order_by(func.min(AlertDelivery.due_at), *group)
        .limit(limit)
    )
    parcels = (_claim(session, subscription_id, n_tried, at) for subscription_id, n_tried in session.execute(due).all())
    return tuple(parcel for parcel in parcels if parcel.deliveries)


def _claim(session: Session, subscription_id: int, n_tried: int, at: datetime) -> Parcel:
    due = (
        select(AlertDelivery.id)
        .where(
            AlertDelivery.subscription_id == subscription_id,
            AlertDelivery.attempts == n_tried,
            AlertDelivery.state == DeliveryState.WAITING,
            AlertDelivery.due_at <= at,
        )
        .with_for_update(skip_locked=True)
    )
    claimed = session.execute(
        update(AlertDelivery)
        .where(AlertDelivery.id.in_(session.scalars(due).all()))
        .values(attempts=n_tried + 1, due_at=at + FIRST_BACK_OFF * _BACK_OFF_FACTOR**n_tried)
        .returning(AlertDelivery.alert_id, AlertDelivery.id)
    )
    found = session.get_one(AlertSubscription, subscription_id)
    channel = AlertChannel(found.channel)
    email = session.scalar(select(User.email).where(User.id == found.user_id))
    return Parcel(
        subscription_id=subscription_id,
        user_id=found.user_id,
        study_id=found.study_id,
        channel=channel,
        is_live=found.ended_at is None,
        address=found.url if channel is AlertChannel.WEBHOOK else email,
        deliveries={row.alert_id: row.id for row in claimed},
        attempt=n_tried + 1,
    )


def record_sent(session: Session, delivery_ids: Iterable[int], *, at: datetime) -> None:
    """Say that these reached the other side."""
    session.execute(
        update(AlertDelivery)
        .where(AlertDelivery.id.in_(tuple(delivery_ids)))
        .values(state=DeliveryState.SENT, sent_at=at, error=None)
    )


def record_withdrawn(session: Session, delivery_ids: Iterable[int], *, why: str) -> None:
    """Say that these are not to be sent any more."""
    session.execute(
        update(AlertDelivery)
        .where(AlertDelivery.id.in_(tuple(delivery_ids)))
        .values(state=DeliveryState.WITHDRAWN, error=why)
    )


def record_not_sent(session: Session, delivery_ids: Iterable[int], *, why: str, is_final: bool) -> None:
    """Note why these did not reach the other side; the claim has put the next try off, unless there is none."""
    state = DeliveryState.FAILED if is_final else DeliveryState.WAITING
    session.execute(
        update(AlertDelivery).where(AlertDelivery.id.in_(tuple(delivery_ids))).values(state=state, error=why)
    )


def read_latest_sendings(session: Session) -> dict[int, Sending]:
    """How the latest telling of each of the person's live subscriptions went, by subscription."""
    rows = session.execute(
        select(
            AlertDelivery.subscription_id, AlertDelivery.state, AlertDelivery.error,
            func.coalesce(AlertDelivery.sent_at, AlertDelivery.created_at).label("at"),
        )
        .ext(distinct_on(AlertDelivery.subscription_id))
        .join(AlertSubscription, AlertSubscription.id == AlertDelivery.subscription_id)
        .where(AlertSubscription.ended_at.is_(None))
        .order_by(AlertDelivery.subscription_id, AlertDelivery.id.desc())
    )  # fmt: skip
    return {
        row.subscription_id: Sending(row.subscription_id, DeliveryState(row.state), row.at, row.error) for row in rows
    }
