"""The counter strip of the overview: what came in, what waits, what is overdue. Markup from a frozen value."""

from collections.abc import Mapping
from datetime import datetime

from core.store.certificate import DueCertificates
from core.store.overview import Overview
from core.store.worklist import WorklistTab
from core.wording import ago
from dashboard.components.markup import Content, Html, count, page_link, tag


def counter_strip(overview: Overview, filters: Mapping[str, str], moment: datetime) -> Html:
    """Six counters; each but the first leads to the list that it counts."""
    waits = overview.attention
    oldest_at = waits.oldest_waiting_at
    oldest = f"oldest for {ago((moment - oldest_at).total_seconds())}" if oldest_at else "queue is empty"
    before = overview.previous.received if overview.previous else None
    return tag(
        "div",
        _counter("First captures received", overview.current.received, _change(overview.current.received, before)),
        _counter("Waiting for a score", waits.waiting, oldest, tab=WorklistTab.WAITING, filters=filters),
        _counter("Flagged, to decide", waits.to_decide, "scans", tab=WorklistTab.TO_DECIDE, filters=filters),
        _counter(
            "To be taken again",
            waits.open_requests,
            f"{count(waits.overdue_requests)} overdue" if waits.overdue_requests else "none overdue",
            tab=WorklistTab.REACQUIRE,
            filters=filters,
            is_alarming=waits.overdue_requests > 0,
        ),
        _counter(
            "Could not be scored",
            waits.failed,
            "failed or set aside" if waits.failed else "nothing stuck",
            tab=WorklistTab.STUCK,
            filters=filters,
            is_alarming=waits.failed > 0,
        ),
        _certificates(waits.certificates, filters),
        class_="counters",
    )


def _certificates(due: DueCertificates, filters: Mapping[str, str]) -> Html:
    """What must be renewed: by the notice that alerts give, too."""
    note = f"{count(due.lapsed)} no longer hold{'s' if due.lapsed == 1 else ''}" if due.lapsed else "all others hold"
    parts = _parts("Certificates to renew", due.ending + due.lapsed, note, is_alarming=due.lapsed > 0)
    kept = {name: value for name, value in filters.items() if name in {"study", "site"}}
    return page_link(Html("".join(part.text for part in parts)), "certificates", kept, class_="counter")


def _parts(label: str, n: int, note: Content, *, is_alarming: bool) -> tuple[Html, Html, Html]:
    return (
        tag("span", label, class_="label"),
        tag("span", count(n), class_="value"),
        tag("span", note, class_="note bad" if is_alarming else "note"),
    )


def _counter(
    label: str,
    n: int,
    note: Content,
    *,
    tab: WorklistTab | None = None,
    filters: Mapping[str, str] | None = None,
    is_alarming: bool = False,
) -> Html:
    parts = _parts(label, n, note, is_alarming=is_alarming)
    if tab is None:
        return tag("div", *parts, class_="counter")
    kept = {name: value for name, value in (filters or {}).items() if name != "period"}
    return page_link(
        Html("".join(part.text for part in parts)), "worklist", {"tab": tab.value, **kept}, class_="counter"
    )


def _change(now_n: int, before_n: int | None) -> str:
    if before_n is None:
        return "all time"
    if before_n == 0:
        return "none in the period before"
    difference = now_n - before_n
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return f"{sign}{count(abs(difference))} on the period before"
