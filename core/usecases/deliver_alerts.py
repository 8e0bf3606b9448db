"""Tells people of alerts: what is due goes out by mail or webhook, a failure is tried again and stops nobody else's.

A telling is claimed in one transaction, sent outside of any, and written down in another. A keeper that dies between
sending and writing sends it once more, under the same message id, by which a receiver may drop it.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from core.alerting.mail import compose, send_mail
from core.alerting.webhook import payload, send_webhook
from core.alerting.webhook_secret import webhook_secret
from core.clock import now
from core.database.session import Database, session_scope
from core.errors import NotDeliveredError
from core.settings import Settings
from core.store.alert import AlertRow, read_alerts
from core.store.alert_delivery import (
    MAX_ATTEMPTS,
    Parcel,
    claim_parcels,
    may_be_told,
    record_not_sent,
    record_sent,
    record_withdrawn,
)
from core.vocabulary import AlertChannel

_LOG = logging.getLogger(__name__)
PARCELS_PER_ROUND = 20
"""With every receiver silent until its time-out this is a few minutes; the next round takes the next."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a round went, in messages."""

    n_sent: int
    n_not_sent: int


def deliver_alerts(database: Database, settings: Settings) -> Delivered:
    """Send what is due, with the worker's rights; safe to run from several keepers at once."""
    with session_scope(database) as session:
        parcels = claim_parcels(session, at=now(), limit=PARCELS_PER_ROUND)
    outcomes = [_deliver(database, settings, parcel) for parcel in parcels]
    return Delivered(outcomes.count(True), outcomes.count(False))


def _deliver(database: Database, settings: Settings, parcel: Parcel) -> bool | None:
    """Whether it was sent; None where nothing was left to send."""
    alerts = _still_due(database, parcel)
    if not alerts:
        return None
    delivery_ids = [parcel.deliveries[alert.id] for alert in alerts]
    try:
        _send(settings, parcel, alerts)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the others have their turn
        why, is_final = _reason(error)
        is_final = is_final or parcel.attempt >= MAX_ATTEMPTS
        _LOG.warning("Alerts of subscription %d were not sent: %s", parcel.subscription_id, why)
        with session_scope(database) as session:
            record_not_sent(session, delivery_ids, why=why, is_final=is_final)
        return False
    with session_scope(database) as session:
        record_sent(session, delivery_ids, at=now())
    return True


def _still_due(database: Database, parcel: Parcel) -> tuple[AlertRow, ...]:
    """The parcel's alerts that the person may still be told of; the others are withdrawn."""
    with session_scope(database) as session:
        alerts = read_alerts(session, parcel.deliveries)
        told = tuple(
            alert
            for alert in alerts
            if parcel.is_live
            and may_be_told(session, parcel.user_id, kind=alert.kind, study_id=alert.study_id, site_id=alert.site_id)
        )
        withdrawn = parcel.deliveries.keys() - {alert.id for alert in told}
        why = "No role reaches it any more." if parcel.is_live else "The subscription has ended."
        record_withdrawn(session, [parcel.deliveries[each] for each in withdrawn], why=why)
    return told


def _send(settings: Settings, parcel: Parcel, alerts: Sequence[AlertRow]) -> None:
    names = ",".join(str(parcel.deliveries[alert.id]) for alert in alerts)
    message_id = f"octaudit-{parcel.subscription_id}-{hashlib.sha256(names.encode()).hexdigest()[:20]}"
    if parcel.address is None:
        raise NotDeliveredError("No e-mail address is confirmed on the page Alerts.", is_final=True)
    if parcel.channel is AlertChannel.EMAIL:
        send_mail(settings, compose(settings, alerts, to=parcel.address, message_id=message_id))
        return
    send_webhook(
        parcel.address,
        payload(settings, alerts),
        secret=webhook_secret(settings, parcel.subscription_id),
        message_id=message_id,
        private_hosts=settings.webhook_private_hosts,
    )


def _reason(error: Exception) -> tuple[str, bool]:
    if isinstance(error, NotDeliveredError):
        return error.message, error.is_final
    # Its text may hold an address or a secret; the type is enough to find the place.
    return f"octaudit could not make the message ({type(error).__name__}).", False
