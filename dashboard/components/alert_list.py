"""Alerts as lists of what, where and since when, each leading to its page. Markup from frozen values."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from urllib.parse import parse_qsl, urlsplit

from core.alerting.wording import address, what, where
from core.store.alert import AlertRow
from core.vocabulary import AlertKind
from core.wording import ago
from dashboard.components.markup import Html, count, join, page_link, tag

_ORDER = (AlertKind.UNIT, AlertKind.QUEUE, AlertKind.RETRAINING, AlertKind.CERTIFICATE, AlertKind.OVERDUE)
MOST_ROWS = 200
"""Rows of the page's table; more of them would be overdue requests, which the worklist pages through."""
MOST_GROUPS = 8
"""Lines of the list in the header; the page Alerts has them all."""


def header_list(alerts: Sequence[AlertRow], moment: datetime) -> Html:
    """The header's list: flagged units, then queues, then overdue requests, those of one site as one line."""
    groups = _grouped(alerts)
    lines = [_group_line(group, moment) for group in groups[:MOST_GROUPS]]
    n_more = len(groups) - MOST_GROUPS
    if n_more > 0:
        lines.append(tag("li", page_link(f"{n_more} more", "alerts")))
    everything = tag("p", page_link("All alerts, and how they reach you", "alerts"), class_="small")
    return join([tag("ul", *lines, class_="alerts"), everything])


def alert_table(alerts: Sequence[AlertRow], moment: datetime) -> Html:
    """One row per alert, by kind; an overdue request leads to its scan, and ended ones say how long they lasted."""
    is_over = any(alert.ended_at for alert in alerts)
    heads = ("What", "Where", "Since (UTC)", "Lasted" if is_over else "For")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    rows = [
        tag(
            "tr",
            tag("th", _row_link(alert), scope="row"),
            tag("td", where(alert)),
            tag("td", f"{alert.since:%d %b %Y, %H:%M}"),
            tag("td", ago(((alert.ended_at or moment) - alert.since).total_seconds())),
        )
        for alert in sorted(alerts, key=_kind_order)[:MOST_ROWS]
    ]
    if len(alerts) > MOST_ROWS:
        rows.append(tag("tr", tag("td", f"and {count(len(alerts) - MOST_ROWS)} more", colspan=len(heads))))
    return tag(
        "div",
        tag("table", head, tag("tbody", *rows)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Alerts",
    )


def _grouped(alerts: Sequence[AlertRow]) -> list[list[AlertRow]]:
    """New scans that a site owes together, anything else alone; by kind, the group with the newest alert first."""

    def key(alert: AlertRow) -> tuple[str, int]:
        is_many = "scan_id" in alert.detail
        return (alert.kind, alert.site_id or 0) if is_many else ("", alert.id)

    groups = [list(group) for _, group in groupby(sorted(alerts, key=key), key)]
    groups.sort(key=lambda group: max((alert.since, alert.id) for alert in group), reverse=True)
    return sorted(groups, key=lambda group: _kind_order(group[0]))


def _kind_order(alert: AlertRow) -> int:
    return _ORDER.index(alert.kind)


def _group_line(group: Sequence[AlertRow], moment: datetime) -> Html:
    first = min(group, key=lambda alert: alert.since)
    words = what(first) if len(group) == 1 else f"{count(len(group))} new scans overdue"
    since = f"{where(first)} · for {ago((moment - first.since).total_seconds())}"
    return tag("li", _link(words, first), tag("span", since, class_="muted small"))


def _row_link(alert: AlertRow) -> Html:
    if "scan_id" in alert.detail:
        return page_link(what(alert), "scan", {"id": alert.detail["scan_id"]})
    return _link(what(alert), alert)


def _link(words: str, alert: AlertRow) -> Html:
    parts = urlsplit(address(alert))
    return page_link(words, parts.path.lstrip("/"), dict(parse_qsl(parts.query)))
