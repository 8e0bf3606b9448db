"""Opens an alert for what is newly flagged, overdue or stalled, ends those that are over, and plans who is told.

An event is told of once: its alert stays open while it lasts, a partial unique index holds one open alert per subject,
and the tellings are planned in the transaction that opens it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.policy.certification import NOTICE_DAYS
from core.settings import Settings
from core.store.alert import (
    Event,
    end_alerts,
    list_studies,
    lock_alerts,
    open_alerts,
    read_certificates_due,
    read_open,
    read_overdue,
    read_overdue_actions,
    read_stalled,
    site_ids_by_code,
)
from core.store.alert_delivery import Planned, add_deliveries, may_be_told, read_subscriptions
from core.store.email_confirmation import users_with_address
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.acknowledge_flag import end_outlived
from core.usecases.find_flags import standing_weeks
from core.usecases.judge_units import JudgedUnit, compare_units
from core.vocabulary import AlertChannel, AlertKind, AlertPace

CERTIFICATE_NOTICE = timedelta(days=NOTICE_DAYS)
"""So long before its last day a certificate is announced: time to take and judge new evidence."""
ALERTED_UNITS = (UnitKind.SITE, UnitKind.DEVICE, UnitKind.MODEL, UnitKind.SOFTWARE)
"""Technicians are compared on the page and not announced: a message about one person is for people to write."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What a round changed."""

    n_opened: int = 0
    n_ended: int = 0

    def __add__(self, other: "Raised") -> "Raised":
        return Raised(self.n_opened + other.n_opened, self.n_ended + other.n_ended)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so at this moment: ``worth`` an alert, or only enough to ``keep`` one open that there is."""

    worth: tuple[Event, ...]
    keep: frozenset[tuple[AlertKind, str]]


def raise_alerts(database: Database, settings: Settings) -> Raised:
    """Do it for every study, each in a transaction of its own; with the worker's rights, which reach all sites.

    Of several keepers one does it at a time; the others leave the study out.
    """
    with session_scope(database) as session:
        studies = list_studies(session)
    raised = Raised()
    for study_id in studies:
        with session_scope(database) as session:
            if lock_alerts(session):
                raised += _raise_in(session, study_id, settings)
    return raised


def _raise_in(session: Session, study_id: int, settings: Settings) -> Raised:
    moment = now()
    standing = read_standing(session, study_id, settings, at=moment)
    there = read_open(session, study_id)
    over = [alert_id for key, alert_id in there.items() if key not in standing.keep]
    fresh = [event for event in standing.worth if event.key not in there]
    end_alerts(session, over, at=moment)
    end_outlived(session, study_id, n_weeks=settings.alert_weeks, at=moment)
    opened = open_alerts(session, fresh, since=moment)
    add_deliveries(session, list(_plan(session, opened.items(), settings, at=moment)))
    return Raised(len(fresh), len(over))


def read_standing(session: Session, study_id: int, settings: Settings, *, at: datetime) -> Standing:
    """What is flagged, overdue and stalled in a study.

    A unit is worth an alert above the red line and keeps it above the amber one: a unit whose rate lies on the red
    line would otherwise be announced with every other scan.
    """
    judged = list(_judge(session, study_id, at.date(), settings.alert_weeks))
    lasting = [
        *read_overdue(session, study_id, today=at.date()),
        *read_overdue_actions(session, study_id, today=at.date()),
        *read_certificates_due(session, study_id, today=at.date(), notice=CERTIFICATE_NOTICE),
        *read_stalled(session, study_id, at=at, patience=settings.alert_queue_patience),
    ]
    worth = [event for event, unit in judged if unit.is_red] + lasting
    kept = [event for event, unit in judged if unit.is_red or unit.is_amber] + lasting
    return Standing(tuple(worth), frozenset(event.key for event in kept))


def _judge(session: Session, study_id: int, today: date, n_weeks: int) -> Iterator[tuple[Event, JudgedUnit]]:
    since, until = standing_weeks(today, n_weeks)
    chosen = ScanFilter(study_id=study_id, since=since, until=until)
    sites = site_ids_by_code(session, study_id)
    for kind in ALERTED_UNITS:
        for judged in compare_units(session, chosen, kind).units:
            unit, count = judged.unit, judged.count.poor
            detail = {"by": kind.value, "label": unit.label, "k": count.k, "n": count.n}
            site_id = sites[unit.site_code] if unit.site_code else None
            yield Event(study_id, site_id, AlertKind.UNIT, f"{kind.value}:{unit.key}", detail), judged


def _plan(
    session: Session, opened: Iterable[tuple[int, Event]], settings: Settings, *, at: datetime
) -> Iterator[Planned]:
    alerts = list(opened)
    if not alerts:
        return
    channels = set(AlertChannel) if settings.smtp_host else {AlertChannel.WEBHOOK}

    @cache
    def is_told(user_id: int, kind: AlertKind, study_id: int, site_id: int | None) -> bool:
        return may_be_told(session, user_id, kind=kind, study_id=study_id, site_id=site_id)

    reachable = users_with_address(session)
    for subscription in read_subscriptions(session):
        if subscription.channel is AlertChannel.EMAIL and subscription.user_id not in reachable:
            continue
        for alert_id, event in alerts:
            pace = subscription.wanted.get(event.kind)
            if pace is None or subscription.channel not in channels or subscription.study_id != event.study_id:
                continue
            if is_told(subscription.user_id, event.kind, event.study_id, event.site_id):
                due_at = at if pace is AlertPace.AT_ONCE else next_digest(at, settings.alert_digest_hour)
                yield Planned(event.study_id, alert_id, subscription.id, due_at)


def next_digest(at: datetime, hour: int) -> datetime:
    """The next moment after ``at`` at which the clock (UTC) shows ``hour``."""
    today = datetime.combine(at.astimezone(UTC).date(), time(hour), UTC)
    return today if today > at else today + timedelta(days=1)
