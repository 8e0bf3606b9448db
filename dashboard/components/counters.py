"""The counter strip of the overview: what came in, what waits, what is overdue. Markup from a frozen value."""

from collections.abc import Mapping
from datetime import datetime

from core.store.certificate import DueCertificates
from core.store.overview import Overview
from core.store.worklist import WorklistTab
from core.usecases.flag_sites import RECENT_SCANS, TurnAroundDays
from core.wording import ago
from dashboard.components.markup import Content, Html, count, page_link, tag


def counter_strip(
    overview: Overview, filters: Mapping[str, str], moment: datetime, turn_around: TurnAroundDays | None = None
) -> Html:
    """Seven counters, and how long decisions take where that is known; those of what waits lead to its list."""
    waits = overview.attention
    oldest_at = waits.oldest_waiting_at
    oldest = f"oldest for {ago((moment - oldest_at).total_seconds())}" if oldest_at else "queue is empty"
    before = overview.previous.received if overview.previous else None
    return tag(
        "div",
        _counter("First captures received", overview.current.received, _change(overview.current.received, before)),
        _scored(overview),
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
        _turn_around(turn_around, filters),
        _certificates(waits.certificates, filters),
        class_="counters",
    )


def _scored(overview: Overview) -> Html:
    """Of those received: every scan has a score or a decision."""
    now_n, before_n = (
        None if tally is None else max(0, tally.received - unscored)
        for tally, unscored in zip((overview.current, overview.previous), overview.unscored, strict=True)
    )
    return _counter("First captures scored", now_n or 0, _change(now_n or 0, before_n))


def _turn_around(found: TurnAroundDays | None, filters: Mapping[str, str]) -> Html | None:
    """Median from submission to decision; it leads to what is to be decided."""
    if found is None:
        return None
    label = tag(
        "span", "Turn-around, median", class_="label",
        title=f"Submission to decision, of each site's latest {RECENT_SCANS} scans; open ones as long as they wait",
    )  # fmt: skip
    value = tag("span", "–" if found.median is None else _lasting(found.median), class_="value")
    share = "half" if found.median is None else "a tenth"
    notes = [f"over {share} still open" if found.p90 is None else f"9 of 10 within {_lasting(found.p90)}"]
    if found.median is not None and found.median_before is not None:
        notes.append(f"{_moved(found.median - found.median_before)} on as many scans before")
    note = tag("span", "; ".join(notes), class_="note")
    kept = {name: value for name, value in filters.items() if name in {"study", "site"}}
    parts = Html(label.text + value.text + note.text)
    return page_link(parts, "worklist", {"tab": WorklistTab.TO_DECIDE.value, **kept}, class_="counter")


_DAY_S = 86_400.0
_TELLING_DAYS = 2
"""Below this a duration is told in hours or less."""


def _lasting(days: float) -> str:
    return ago(days * _DAY_S) if days < _TELLING_DAYS else f"{days:.1f} days"


def _moved(days: float) -> str:
    return f"{_sign(days)}{_lasting(abs(days))}"


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
    return f"{_sign(difference)}{count(abs(difference))} on the period before"


def _sign(change: float) -> str:
    return "+" if change > 0 else "−" if change < 0 else "±"
