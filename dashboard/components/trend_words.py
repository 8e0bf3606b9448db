"""What a trend says, in sentences: since when, by which rule, held against what. Markup from frozen values."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from core.charts.trend_sentences import (
    baseline_words,
    cusum_words,
    day_words,
    days_span,
    lead_words,
    rising_points,
)
from core.statistics.control_chart import ChartPoint
from core.statistics.funnel import Side
from core.store.mark import Mark, MarkKind
from core.usecases.watch_units import Trend
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.filters import UNGRADABLE, Field, days_value

NEAR = timedelta(weeks=4)
"""Events so close to a change are named beside it: near enough to be asked about, no proof of a cause."""


CHANGES = frozenset({MarkKind.SOFTWARE, MarkKind.MODEL, MarkKind.PROTOCOL})
"""Kinds of mark after which a baseline may not hold any more; none of them moves it."""


def trend_words(
    trend: Trend, who: str, marks: Sequence[Mark], filters: Mapping[str, str], scans: Mapping[str, str] = UNGRADABLE
) -> Html:
    """Whether it got worse, since when, and by which points; every point leads to its scans."""
    bad = rising_points(trend)
    parts = [tag("p", tag("b", lead_words(bad, who)), " ", cusum_words(trend), class_="verdict")]
    if bad:
        parts.append(tag("ul", *(_point(point, filters, scans) for point in reversed(bad)), class_="signals"))
    began_on = _began_on(trend, bad)
    if began_on is not None:
        parts.append(tag("p", _near_words(began_on, marks)))
    parts.append(tag("p", baseline_words(trend), class_="muted small"))
    changes = changes_since(trend, marks)
    if changes:
        parts.append(tag("p", chip("look again", "warn"), f" {changes}"))
    return tag("div", *parts, class_="verdicts", role="status")


def _began_on(trend: Trend, bad: list[ChartPoint]) -> date | None:
    """When it began: as the CUSUM has it, else the first point that broke a rule; None where nothing got worse."""
    if trend.cusum is not None and trend.cusum.changed_after is not None:
        return trend.cusum.changed_after
    return bad[0].period.starts_on if bad else None


def _near_words(began_on: date, marks: Sequence[Mark]) -> str:
    near = [mark for mark in marks if abs(mark.happened_at.date() - began_on) <= NEAR]
    if not near:
        return f"Nothing is marked within {NEAR.days // 7} weeks of {day_words(began_on)}."
    events = "; ".join(
        f"{mark.kind} on {day_words(mark.happened_at.date())} ({mark.text.rstrip('.')})" for mark in near
    )
    return f"Marked within {NEAR.days // 7} weeks of {day_words(began_on)}: {events}."


def _point(point: ChartPoint, filters: Mapping[str, str], asked: Mapping[str, str]) -> Html:
    rate = point.period.count
    days = days_value(point.period.starts_on, point.period.ends_on)
    kept = {name: value for name, value in filters.items() if name not in {Field.PERIOD.value, "by"}}
    scans = page_link(days_span(point.period), "examples", {**kept, Field.DAYS.value: days, **asked})
    rules = "; ".join(signal.rule for signal in point.signals if signal.side is Side.HIGH)
    return tag("li", join([scans, f": {percent(point.value)} ({count(rate.k)} of {count(rate.n)}) – {rules}"]))


def changes_since(trend: Trend, marks: Sequence[Mark]) -> str:
    """What happened after the baseline was signed that may have changed the process; empty where nothing is marked."""
    if trend.signed is None:
        return ""
    later = [mark for mark in marks if mark.kind in CHANGES and mark.happened_at > trend.signed.signed_at]
    if not later:
        return ""
    named = ", ".join(f"{mark.kind} on {day_words(mark.happened_at.date())}" for mark in later)
    return f"Since the baseline was signed: {named}. Consider whether it still holds; nothing moves it by itself."
