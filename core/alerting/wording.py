"""An alert in words and the page it leads to: the same on screen, in mails and in webhooks."""

from collections.abc import Sequence
from datetime import date, datetime
from urllib.parse import urlencode

from core.store.alert import AlertRow
from core.store.unit import UnitKind
from core.vocabulary import AlertKind

UNIT_WORDS = {
    UnitKind.SITE: "Site",
    UnitKind.DEVICE: "Device",
    UnitKind.MODEL: "Model",
    UnitKind.SOFTWARE: "Software",
    UnitKind.TECHNICIAN: "Technician",
}
KIND_WORDS = {
    AlertKind.UNIT: "Flagged units",
    AlertKind.OVERDUE: "Overdue requests and issues",
    AlertKind.RETRAINING: "Overdue retraining",
    AlertKind.QUEUE: "Stalled queues",
    AlertKind.CERTIFICATE: "Certificates that end or must be checked",
}
"""The kinds as a person chooses between them."""


def what(alert: AlertRow) -> str:
    """What has arisen, in one clause with its figures."""
    detail = alert.detail
    match alert.kind:
        case AlertKind.UNIT:
            name = f"{UNIT_WORDS[UnitKind(detail['by'])]} {detail['label']}"
            return f"{name} above the red line: {detail['k']} of {detail['n']} first captures ungradable"
        case AlertKind.OVERDUE | AlertKind.RETRAINING:
            owner = f", owner {detail['owner']}" if "owner" in detail else ""
            return f"{_owed(alert)} overdue since {date.fromisoformat(detail['due_on']):%d %b %Y}{owner}"
        case AlertKind.QUEUE:
            oldest_at = datetime.fromisoformat(detail["oldest_at"])
            waiting = f"{detail['n']} scan{' waits' if detail['n'] == 1 else 's wait'}"
            return f"{waiting} in lane {detail['lane']} since {oldest_at:%d %b %H:%M} UTC and none is scored"
        case AlertKind.CERTIFICATE:
            return _certificate(alert)


def _certificate(alert: AlertRow) -> str:
    whose = (
        f"Certificate of device {alert.detail['device']}" if alert.detail["device"] else "A technician's certificate"
    )
    if alert.detail["why"] == "recheck_due":
        return f"{whose} must be checked anew: the device runs other software"
    return f"{whose} ends on {date.fromisoformat(alert.detail['expires_on']):%d %b %Y}"


def _owed(alert: AlertRow) -> str:
    if alert.kind is AlertKind.RETRAINING:
        return "Retraining"
    return "Issue" if "action_id" in alert.detail else "New scan"


def where(alert: AlertRow) -> str:
    """Study and site; the study alone where it spans sites."""
    return alert.study_code if alert.site_code is None else f"{alert.study_code}, {alert.site_code}"


def address(alert: AlertRow, *, n_weeks: int = 26) -> str:
    """The page that shows it, as a path of the dashboard with its filters."""
    study = {"study": str(alert.study_id)}
    match alert.kind:
        case AlertKind.UNIT:
            return f"/sites?{urlencode({**study, 'period': f'{n_weeks}w', 'by': alert.detail['by']})}"
        case AlertKind.OVERDUE | AlertKind.RETRAINING if "action_id" in alert.detail:
            return f"/actions?{urlencode({**study, 'site': str(alert.site_id)})}"
        case AlertKind.OVERDUE | AlertKind.RETRAINING:
            return f"/worklist?{urlencode({**study, 'site': str(alert.site_id), 'tab': 'reacquire'})}"
        case AlertKind.CERTIFICATE:
            return f"/certificates?{urlencode({**study, 'site': str(alert.site_id)})}"
        case AlertKind.QUEUE:
            return f"/worklist?{urlencode({**study, 'tab': 'waiting'})}"


def counted(alerts: Sequence[AlertRow]) -> str:
    """``1 alert``, ``3 alerts``."""
    return f"{len(alerts)} alert{'' if len(alerts) == 1 else 's'}"
